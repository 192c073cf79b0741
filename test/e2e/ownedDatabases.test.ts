import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresService, pgbouncerService, postgresService, skipWithout, tcpProxy } from '../services/index.ts';
import { accepts } from '../services/ports.ts';

async function query(url: string, text: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
}

describe('an owned PostgreSQL', () => {
  let postgres: PostgresService;
  beforeAll(async () => {
    postgres = await postgresService({ owned: true, settings: { work_mem: '5MB' } });
    await query(postgres.url, 'CREATE TABLE kept (id int)');
  });
  afterAll(() => postgres.stop());

  test('is durable and has the settings that were asked for', async () => {
    const { rows } = await query(
      postgres.url,
      "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'work_mem') ORDER BY name",
    );
    expect(rows).toEqual([
      { name: 'fsync', setting: 'on' },
      { name: 'synchronous_commit', setting: 'on' },
      { name: 'work_mem', setting: '5120' },
    ]);
  });

  test('refuses a wrong password', async () => {
    const url = new URL(postgres.url);
    url.password = 'wrong';
    await expect(query(url.toString(), 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  test.each(['fast', 'immediate'] as const)('keeps port and rows over a restart that is %s', async (mode) => {
    await query(postgres.url, 'TRUNCATE kept; INSERT INTO kept VALUES (7)');
    let downAnswered: boolean | undefined;
    await postgres.restart(mode, async () => {
      downAnswered = await accepts(postgres.host, postgres.port);
    });
    expect(downAnswered).toBe(false);
    expect((await query(postgres.url, 'SELECT id FROM kept')).rows).toEqual([{ id: 7 }]);
  });

  test('drops a database under an open connection', async () => {
    const database = await postgres.createDatabase('Busy-One');
    expect(database.name).toMatch(/^busy_one_[0-9a-f]{10}$/);
    const client = new pg.Client({ connectionString: database.url });
    const broken = new Promise((resolve) => client.on('error', resolve));
    await client.connect();
    await database.drop();
    await broken;
    await expect(query(database.url, 'SELECT 1')).rejects.toMatchObject({ code: '3D000' });
  });

  test('commits behind a proxy that loses the answer', async () => {
    const proxy = await tcpProxy(postgres);
    const url = new URL(postgres.url);
    url.port = String(proxy.port);
    proxy.onClientData((data) => (data.includes('COMMIT') ? 'loseReply' : 'pass'));
    await query(postgres.url, 'TRUNCATE kept');
    const client = new pg.Client({ connectionString: url.toString() });
    client.on('error', () => {});
    await client.connect();
    await client.query('BEGIN');
    await client.query('INSERT INTO kept VALUES (8)');
    await expect(client.query('COMMIT')).rejects.toThrow(/terminated|ECONNRESET/);
    expect((await query(postgres.url, 'SELECT id FROM kept')).rows).toEqual([{ id: 8 }]);
    await proxy.close();
  });
});

describe('a shared service', () => {
  test('is not for restarting', async () => {
    await expect((await postgresService()).restart('fast')).rejects.toThrow('owned: true');
  });
});

describe('PgBouncer', () => {
  test('gives a transaction any server connection', async (context) => {
    const database = await (await postgresService()).createDatabase();
    const bouncer = await pgbouncerService(database.url);
    if ('missing' in bouncer) {
      await database.drop();
      skipWithout(context, 'pgbouncer', bouncer.missing);
      return;
    }
    const clients = await Promise.all(
      [1, 2, 3].map(async () => {
        const client = new pg.Client({ connectionString: bouncer.url });
        await client.connect();
        return client;
      }),
    );
    const backends = new Set<number>();
    for (const client of clients) {
      const { rows } = await client.query('SELECT pg_backend_pid() AS pid, current_database() AS name');
      backends.add(rows[0].pid);
      expect(rows[0].name).toBe(database.name);
    }
    // Three clients, one after the other: fewer sessions than clients.
    expect(backends.size).toBeLessThan(3);
    await Promise.all(clients.map((client) => client.end()));
    await bouncer.stop();
    await database.drop();
  });
});
