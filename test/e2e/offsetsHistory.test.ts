import pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { noCounts, OffsetRange } from '../../src/model/index.ts';
import { PostgresStore } from '../../src/offsets/stores/postgres/index.ts';
import { postgresService } from '../services/index.ts';
import { commandHere } from '../support/commandHere.ts';

beforeAll(() => postgresService(), 180_000);

const orders = { topic: 'orders', partition: 0 };

/** A ledger with all that a history can have, the names and reasons among it that people give. */
async function ledger() {
  const database = await (await postgresService()).createDatabase('history');
  const store = new PostgresStore({ connectionString: database.url, pipeline: 'orders', schema: 'tidemark' });
  await store.open();
  await store.registerOwner({ instanceId: 'worker-1', host: 'h', bootId: '', pid: 1 });
  await store.initialise([0, 1].map((partition) => ({ topic: 'orders', partition, nextOffset: 5n, topicId: 'id' })));
  const [outcome] = await store.claim([{ ...orders, seenClaim: null }]);
  if (outcome?.claimed !== true) throw new Error('the claim missed');
  const { held } = outcome;
  const facts = { held, leaderEpoch: -1, batchTimeMs: Date.UTC(2026, 0, 1) };
  const counts = { records: 9, produced: 4, rows: 8, dropped: 2, skipped: 1, deadLettered: 2 };
  const batch = { kind: 'batch', reason: null, counts, range: new OffsetRange('orders', 0, 5n, 15n) } as const;
  const gap = {
    kind: 'gap',
    reason: 'expired, "gone"',
    counts: noCounts(),
    range: new OffsetRange('orders', 0, 15n, 20n),
  } as const;
  await store.commitRanges([{ ...facts, ...batch }]);
  await store.commitRanges([{ ...facts, ...gap }]);
  const [seen] = await store.read();
  await store.move(
    [{ ...orders, kind: 'reset', toOffset: 7n, topicId: 'id', reason: 'to offset 7: a bad day', seen }],
    'anna',
  );
  await store.close();
  return { database, place: ['--store', database.url, '--pipeline', 'orders'] };
}

test('history shows the newest ranges first, and what was given up or moved, by whom and why', async () => {
  const { database, place } = await ledger();
  try {
    const shown = await commandHere(['offsets', 'history', ...place]);
    expect([shown.code, shown.stderr]).toEqual([0, '']);
    const [head, ...lines] = shown.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/));
    expect(head?.join(' ')).toBe(
      'TIME TOPIC PARTITION KIND FROM UNTIL RECORDS PRODUCED ROWS DROPPED SKIPPED DEAD WHO EPOCH REASON',
    );
    const withoutTime = lines.map((cells) =>
      cells.filter((cell) => !/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(cell)).join(' '),
    );
    expect(withoutTime.slice(0, 3)).toEqual([
      '>> orders 0 reset 7 7 0 0 0 0 0 0 anna 2 to offset 7: a bad day',
      '>> orders 0 gap 15 20 0 0 0 0 0 0 worker-1 1 expired, "gone"',
      'orders 0 batch 5 15 9 4 8 2 1 2 worker-1 1',
    ]);
    expect(withoutTime.slice(3).sort()).toEqual([
      'orders 0 base 5 5 0 0 0 0 0 0 - 0 first position',
      'orders 1 base 5 5 0 0 0 0 0 0 - 0 first position',
    ]);

    const json = await commandHere(['offsets', 'history', ...place, '--limit', '2', '--topic', 'orders:0', '--json']);
    expect(JSON.parse(json.stdout)).toEqual({
      pipeline: 'orders',
      ranges: [
        expect.objectContaining({ seq: '4', kind: 'reset', incarnation: '2', owner: 'anna', ownerEpoch: '2' }),
        {
          ...{ committedAt: expect.stringMatching(/Z$/), topic: 'orders', partition: 0, seq: '3', incarnation: '1' },
          ...{ kind: 'gap', fromOffset: '15', untilOffset: '20', ...noCounts(), owner: 'worker-1', ownerEpoch: '1' },
          ...{ reason: 'expired, "gone"', holeOffsets: '0' },
        },
      ],
    });
    const csv = await commandHere(['offsets', 'history', ...place, '--limit', '3', '--csv']);
    const [names, , gap, batch] = csv.stdout.split('\n');
    expect(names).toBe(
      'committedAt,topic,partition,seq,incarnation,kind,fromOffset,untilOffset,records,produced,rows,dropped,skipped,deadLettered,owner,ownerEpoch,reason,holeOffsets',
    );
    expect(gap).toMatch(/Z,orders,0,3,1,gap,15,20,0,0,0,0,0,0,worker-1,1,"expired, ""gone""",0$/);
    expect(batch).toMatch(/Z,orders,0,2,1,batch,5,15,9,4,8,2,1,2,worker-1,1,,0$/);

    expect((await commandHere(['offsets', 'history', ...place, '--since', '2999-01-01'])).stdout).toMatch(
      /^ +TIME.*\n$/,
    );
    const { length } = (await commandHere(['offsets', 'history', ...place, '--since', '2020-01-01'])).stdout.split(
      '\n',
    );
    expect(length).toBe(7);
  } finally {
    await database.drop();
  }
});

test('a hole that nobody declared is marked', async () => {
  const { database, place } = await ledger();
  try {
    const { stdout } = await commandHere(['offsets', 'history', ...place]);
    expect(stdout).not.toContain('!!');
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query('UPDATE tidemark.ranges SET until_offset = 14 WHERE partition = 0 AND seq = 2');
    await client.end();
    const broken = await commandHere(['offsets', 'history', ...place]);
    expect(broken.stdout).toMatch(/\n!! .* gap +15 +20 .*a hole of 1 offsets before it that nobody declared\n/);
  } finally {
    await database.drop();
  }
});

test.each([
  [['--limit', '-1'], '--limit: not a whole number (-1)'],
  [['--limit', '100001'], '--limit: too many (100001), allowed: 0 to 100000'],
  [['--since', '2026-02-31'], '--since: that month has 28 days, not a day 31 (2026-02-31)'],
  [['--json', '--csv'], '--csv: excludes --json'],
])('%j is a usage error', async (args, text) => {
  const place = ['--store', 'postgres://127.0.0.1:1/none', '--pipeline', 'orders'];
  const { code, stdout, stderr } = await commandHere(['offsets', 'history', ...place, ...args]);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(text);
});
