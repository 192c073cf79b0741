import { execFileSync } from 'node:child_process';
import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { HeldClaim } from '../../src/offsets/index.ts';
import { RedisPlace, RedisStore, type RedisStoreOptions } from '../../src/offsets/stores/redis/index.ts';
import { skipWithout, waitUntil } from '../services/index.ts';
import { findProgram } from '../services/programs.ts';
import { begin, claimAll, commitOf, openAs } from '../support/redisScene.ts';
import { type RedisServers, redisServers, startCluster } from '../support/redisServers.ts';

const pipeline = 'orders';
const isMissing = findProgram('redis-server') === undefined;

let servers: RedisServers;

beforeAll(() => {
  servers = redisServers();
  return () => servers.stop();
});

beforeEach((context) => {
  if (isMissing) skipWithout(context, 'redis-server', 'these tests start their own');
});

async function opened(options: Omit<RedisStoreOptions, 'pipeline'>): Promise<RedisStore> {
  const store = new RedisStore({ pipeline, ...options });
  await openAs(store, 'a');
  return store;
}

async function claimOne(store: RedisStore): Promise<HeldClaim> {
  await begin(store, 0n);
  const [held] = await claimAll(store);
  if (held === undefined) throw new Error('the claim missed');
  return held;
}

async function warningsOf(url: string): Promise<readonly string[]> {
  const warnings: string[] = [];
  const store = await opened({ url, onWarning: (text) => warnings.push(text) });
  await store.close();
  return warnings;
}

describe('a server that may lose the ledger', () => {
  let client: Redis;
  let port: number;

  beforeAll(async () => {
    if (isMissing) return;
    port = await servers.start('--appendonly', 'yes');
    client = new Redis({ host: '127.0.0.1', port });
    return () => client.disconnect();
  });

  test('is warned about at the start, one that keeps it is not', async () => {
    const url = `redis://127.0.0.1:${port}`;
    expect(await warningsOf(url)).toEqual([]);
    await client.config('SET', 'appendonly', 'no');
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    expect(await warningsOf(url)).toEqual([
      expect.stringContaining('no append-only file'),
      expect.stringContaining('maxmemory-policy allkeys-lru'),
    ]);
  });

  test('is warned about as far as its users may ask', async () => {
    await client.config('SET', 'appendonly', 'no');
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const rights = ['on', '>pw', '~tidemark:*', '+@read', '+@write', '+@scripting', '+@connection', '+time'];
    await client.acl('SETUSER', 'some', ...rights, '+info');
    await client.acl('SETUSER', 'few', ...rights);
    await client.acl('SETUSER', 'reader', 'on', '>pw', '~tidemark:*', '+@read', '+ping');
    expect(await warningsOf(`redis://some:pw@127.0.0.1:${port}`)).toHaveLength(2);
    const few = `redis://few:pw@127.0.0.1:${port}`;
    expect(await warningsOf(few)).toEqual([]);
    const store = await opened({ url: few });
    await store.commitRanges([commitOf(await claimOne(store), 0n, 5n)]);
    expect(await new RedisPlace({ url: few }).pipelines()).toEqual([pipeline]);
    await store.close();
    await expect(warningsOf(`redis://reader:pw@127.0.0.1:${port}`)).rejects.toMatchObject({
      code: 'STORE_REQUEST_FAILED',
      hint: expect.stringContaining('+@scripting'),
    });
  });
});

describe('a server that takes no writes', () => {
  test.each([
    ['for want of replicas', ['CONFIG', 'SET', 'min-replicas-to-write', '1'], 'STORE_UNREACHABLE', 'NOREPLICAS'],
    ['for want of memory', ['CONFIG', 'SET', 'maxmemory', '1'], 'STORE_REQUEST_FAILED', 'OOM'],
    ['because it is a replica now', ['REPLICAOF', '127.0.0.1', '1'], 'STORE_UNREACHABLE', 'READONLY'],
  ])(
    '%s leaves a commit undone, and lets the ledger be read',
    async (_, [command = '', ...args], code, foreignCode) => {
      const port = await servers.start();
      const client = new Redis({ host: '127.0.0.1', port });
      const url = `redis://127.0.0.1:${port}`;
      const store = await opened({ url });
      const held = await claimOne(store);
      const content = async () => [
        await store.ranges({ limit: 9 }),
        (await store.read()).map(({ ageMs: __, ...row }) => row),
      ];
      const before = await content();
      await client.call(command, ...args);
      const error = store.commitRanges([commitOf(held, 0n, 5n)]);
      await expect(error).rejects.toMatchObject({ code, foreignCode, retriable: true });
      expect(await content()).toEqual(before);
      const looking = new RedisStore({ url, pipeline });
      await looking.open('look');
      expect(await looking.read()).toHaveLength(1);
      await Promise.all([store.close(), looking.close()]);
      client.disconnect();
    },
  );
});

describe('a server with a password', () => {
  test('refuses a wrong one and none, and no error has it', async () => {
    const port = await servers.start('--requirepass', 'right %/@ one', '--databases', '4');
    const right = encodeURIComponent('right %/@ one');
    for (const user of [':wrong-secret@', 'default:wrong-secret@', 'nobody:wrong-secret@', '']) {
      const error = await opened({ url: `redis://${user}127.0.0.1:${port}` }).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: 'STORE_AUTHENTICATION_FAILED', retriable: false });
      expect(error.foreignCode).toBe(user === '' ? 'NOAUTH' : 'WRONGPASS');
      expect(inspect(error, { depth: 9 })).not.toContain('wrong-secret');
    }
    for (const user of [`:${right}@`, `default:${right}@`]) {
      await (await opened({ url: `redis://${user}127.0.0.1:${port}/3` })).close();
    }
    const outside = opened({ url: `redis://:${right}@127.0.0.1:${port}/4` });
    await expect(outside).rejects.toMatchObject({
      code: 'STORE_REQUEST_FAILED',
      hint: expect.stringContaining('a database that Redis has'),
    });
  });
});

describe('a server that speaks TLS', () => {
  test('is spoken to by rediss, and not believed without an authority', async (context) => {
    if (findProgram('openssl') === undefined) skipWithout(context, 'openssl', 'no certificate can be made');
    const [key, certificate] = ['key.pem', 'cert.pem'].map((name) => `${servers.machine.dir}/${name}`) as [
      string,
      string,
    ];
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const files = ['-keyout', key, '-out', certificate];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files], {
      stdio: 'ignore',
    });
    const tls = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate];
    const port = await servers.startTls('--tls-auth-clients', 'no', ...tls);
    await expect(opened({ url: `rediss://127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      retriable: false,
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    const store = await opened({ url: `rediss://127.0.0.1:${port}` });
    vi.unstubAllEnvs();
    await store.commitRanges([commitOf(await claimOne(store), 0n, 5n)]);
    expect((await store.read())[0]?.nextOffset).toBe(5n);
    await store.close();
  });
});

describe('sentinels', () => {
  test('lead to the master, and to the next one after it fell', async () => {
    const first = await servers.start();
    const second = await servers.start('--replicaof', '127.0.0.1', String(first));
    const settings = [
      `sentinel monitor main 127.0.0.1 ${first} 1`,
      'sentinel down-after-milliseconds main 60000',
      'sentinel failover-timeout main 10000',
    ];
    const sentinel = await servers.startSentinel(settings);
    const replica = new Redis({ host: '127.0.0.1', port: second });
    const watch = new Redis({ host: '127.0.0.1', port: sentinel });
    try {
      await waitUntil('the replica follows', async () =>
        /master_link_status:up/.test(await replica.info('replication')),
      );
      const store = await opened({ url: `redis+sentinel://127.0.0.1:${sentinel}/main/2` });
      const held = await claimOne(store);
      await store.commitRanges([commitOf(held, 0n, 5n)]);
      await waitUntil('the sentinel knows the replica and fails over', async () => {
        await watch.call('SENTINEL', 'FAILOVER', 'main');
        return true;
      });
      await waitUntil('the replica is the master', async () => /role:master/.test(await replica.info('replication')));
      const commit = () => store.commitRanges([commitOf(held, 5n, 6n)]).then(() => true);
      await waitUntil('the store has found the new master', commit);
      await replica.select(2);
      expect(await replica.exists(`tidemark:{${pipeline}}:offsets:orders`)).toBe(1);
      expect((await store.read())[0]?.nextOffset).toBe(6n);
      await store.close();
      const absent = opened({ url: `redis+sentinel://127.0.0.1:${sentinel}/other` });
      await expect(absent).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    } finally {
      replica.disconnect();
      watch.disconnect();
    }
  });
});

describe('a cluster', () => {
  let url: string;
  beforeAll(async () => {
    if (!isMissing) url = await startCluster(servers);
  });

  test('knows its pipelines, on whatever master they are', async () => {
    const redis = new RedisPlace({ url });
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const name of names) {
      const store = redis.store(name);
      await store.open();
      await begin(store, 0n);
      await store.close();
    }
    expect(await redis.pipelines()).toEqual(names);
    expect(redis.name).toBe(`Redis cluster at ${url.replace('redis+cluster://', '')}`);
  });

  test('leaves a commit in doubt whose connection is lost, and does not send it again', async () => {
    const store = await opened({ url });
    const held = await claimOne(store);
    const ports = url
      .replace('redis+cluster://', '')
      .split(',')
      .map((host) => Number(host.split(':')[1]));
    const clients = ports.map((port) => new Redis({ host: '127.0.0.1', port }));
    try {
      await Promise.all(clients.map((client) => client.call('CLIENT', 'PAUSE', 60_000, 'WRITE')));
      const committing = store.commitRanges([commitOf(held, 0n, 5n)]);
      committing.catch(() => {});
      // A blocked client is the one whose commit waits.
      const blocked = async (client: Redis) => Number(/blocked_clients:(\d+)/.exec(await client.info('clients'))?.[1]);
      const master = await waitUntil('the commit waits', async () => {
        const counts = await Promise.all(clients.map(blocked));
        return clients[counts.findIndex((count) => count > 0)];
      });
      await master.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await Promise.all(clients.map((client) => client.call('CLIENT', 'UNPAUSE')));
      await expect(committing).rejects.toMatchObject({ code: 'COMMIT_IN_DOUBT' });
      expect((await store.read())[0]?.nextOffset).toBe(0n);
      await store.commitRanges([commitOf(held, 0n, 5n)]);
      expect((await store.read())[0]?.nextOffset).toBe(5n);
    } finally {
      for (const client of clients) client.disconnect();
      await store.close();
    }
  });

  test('and a single server are told apart', async () => {
    const [first = ''] = url.replace('redis+cluster://', '').split(',');
    const outcomes = await Promise.allSettled(
      ['a', 'b', 'c', 'd', 'e', 'f'].map(async (name) => {
        const store = new RedisStore({ url: `redis://${first}`, pipeline: name });
        await store.open().finally(() => store.close());
      }),
    );
    const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(reasons.length).toBeGreaterThan(0);
    for (const reason of reasons) {
      expect(reason).toMatchObject({ code: 'STORE_REQUEST_FAILED', hint: expect.stringContaining('redis+cluster://') });
    }
    const port = await servers.start();
    await expect(opened({ url: `redis+cluster://127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'STORE_REQUEST_FAILED',
      hint: expect.stringContaining('redis:// in place of redis+cluster://'),
    });
  });
});
