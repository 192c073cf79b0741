import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RedisPlace, type RedisStore } from '../../src/offsets/stores/redis/index.ts';
import { redisService } from '../services/index.ts';
import { keyOf, RedisPlaces } from '../support/redisPlaces.ts';
import { begin, claimAll, commitOf, openAs, orders, positionsOf } from '../support/redisScene.ts';

let url: string;
let places: RedisPlaces;
let pipeline: string;
let store: RedisStore;

beforeAll(async () => {
  url = (await redisService()).url;
  places = new RedisPlaces(url);
});

afterAll(() => places.close());

beforeEach(async () => {
  pipeline = places.newPipeline();
  store = await newProcess('first');
});

async function newProcess(instanceId: string, options: Parameters<RedisPlaces['newStore']>[0] = { pipeline }) {
  const made = places.newStore(options);
  await openAs(made, instanceId);
  return made;
}

describe('scripts', () => {
  test('that the server forgot are sent again as text', async () => {
    await begin(store, 0n);
    const forget = () => places.client.script('FLUSH');
    await forget();
    const [held] = await claimAll(store);
    await forget();
    await store.commitRanges([commitOf(held, 0n, 5n)]);
    await forget();
    expect(await positionsOf(store)).toEqual([5n]);
  });

  test('write nothing where one of their keys is of another type', async () => {
    await begin(store, 0n, 0n, 0n);
    const held = await claimAll(store);
    const strange = keyOf(pipeline, 'history:orders:2');
    await places.client.set(strange, 'mine');
    const before = await store.read();
    const commits = held.map((one) => commitOf(one, 0n, 7n));
    await expect(store.commitRanges(commits)).rejects.toMatchObject({
      code: 'STORE_REQUEST_FAILED',
      message: expect.stringContaining(`${strange} is not as tidemark writes it: it is a string, not a stream`),
    });
    const seen = before.map(({ nextOffset, claim, ownerEpoch, ...of }) => ({ ...of, nextOffset, claim, ownerEpoch }));
    await expect(store.remove(seen, 'anna', 'why')).rejects.toMatchObject({ code: 'STORE_REQUEST_FAILED' });
    expect((await store.read()).map(({ ageMs: _, ...row }) => row)).toEqual(before.map(({ ageMs: _, ...row }) => row));
    expect(await places.client.get(strange)).toBe('mine');
    await places.client.del(strange);
    await store.commitRanges(commits);
    expect(await positionsOf(store)).toEqual([7n, 7n, 7n]);
  });

  test.each([
    ['no JSON', 'not JSON'],
    ['{"next":7}', 'not a number'],
    ['{"next":"9223372036854775808"}', 'not a number'],
  ])('write nothing where a row holds %s', async (text, why) => {
    await begin(store, 0n, 0n);
    const held = await claimAll(store);
    await places.client.hset(keyOf(pipeline, 'offsets:orders'), '1', text);
    const error = store.commitRanges(held.map((one) => commitOf(one, 0n, 7n)));
    await expect(error).rejects.toMatchObject({
      code: 'STORE_REQUEST_FAILED',
      message: expect.stringContaining(why),
    });
    const row = await places.client.hget(keyOf(pipeline, 'offsets:orders'), '0');
    expect(JSON.parse(row ?? '').next).toBe('0');
  });

  test('tell offsets apart that one double stands for', async () => {
    const edge = 2n ** 53n;
    const last = 2n ** 63n - 1n;
    await begin(store, edge + 1n, last - 2n);
    const [held, far] = await claimAll(store);
    for (const wrong of [edge, edge + 2n]) {
      const error = store.commitRanges([commitOf(held, wrong, edge + 9n)]);
      await expect(error).rejects.toMatchObject({
        code: 'LEDGER_MOVED',
        message: expect.stringContaining(`${edge + 1n}`),
      });
    }
    await expect(store.commitRanges([commitOf(far, last - 1n, last)])).rejects.toMatchObject({ code: 'LEDGER_MOVED' });
    await store.commitRanges([commitOf(held, edge + 1n, edge + 2n), commitOf(far, last - 2n, last)]);
    expect(await positionsOf(store)).toEqual([edge + 2n, last]);
    const skip = { ...orders, order: 'skip', fromOffset: edge + 1n, untilOffset: edge + 3n, reason: 'why' } as const;
    await expect(store.order([skip], 'anna')).rejects.toMatchObject({ code: 'LEDGER_MOVED' });
    await store.order([{ ...skip, fromOffset: edge + 2n }], 'anna');
  });
});

describe('a commit', () => {
  test('may hold several ranges of a partition, which fit each other', async () => {
    await begin(store, 0n);
    const [held] = await claimAll(store);
    const later = commitOf(held, 5n, 9n, 1_700_000_060_000);
    await store.commitRanges([commitOf(held, 0n, 3n), commitOf(held, 3n, 5n), later]);
    expect((await store.ranges({ limit: 9 })).map(({ fromOffset, untilOffset }) => [fromOffset, untilOffset])).toEqual([
      [0n, 0n],
      [0n, 5n],
      [5n, 9n],
    ]);
    const torn = [commitOf(held, 9n, 12n), commitOf(held, 13n, 14n)];
    await expect(store.commitRanges(torn)).rejects.toMatchObject({ code: 'LEDGER_MOVED' });
    expect(await positionsOf(store)).toEqual([9n]);
  });

  test('does not go on from a row that was put back from before a reset', async () => {
    await begin(store, 0n);
    const [held] = await claimAll(store);
    const key = keyOf(pipeline, 'offsets:orders');
    const backup = (await places.client.hget(key, '0')) ?? '';
    const [seen] = await store.read();
    await store.move([{ ...orders, seen, toOffset: 0n, kind: 'reset', topicId: 'id', reason: 'why' }], 'anna');
    await places.client.hset(key, '0', backup);
    await expect(store.commitRanges([commitOf(held, 0n, 5n)])).rejects.toMatchObject({ code: 'LEDGER_TAMPERED' });
  });
});

describe('a history', () => {
  test('keeps its newest thousand rows, and commits go on whatever became of the older ones', async () => {
    await begin(store, 0n);
    const [held] = await claimAll(store);
    // A minute apart: no two of them merge.
    for (let n = 0n; n < 1010n; n += 1n) {
      await store.commitRanges([commitOf(held, n, n + 1n, 1_700_000_000_000 + Number(n) * 60_000)]);
    }
    const rows = await store.ranges({ limit: 2000 });
    expect(rows.map(({ untilOffset }) => untilOffset)).toEqual(Array.from({ length: 1000 }, (_, n) => BigInt(n + 11)));
    await places.client.xtrim(keyOf(pipeline, 'history:orders:0'), 'MAXLEN', 0);
    await expect(store.commitRanges([commitOf(held, 1009n, 1020n)])).rejects.toMatchObject({ code: 'LEDGER_MOVED' });
    await store.commitRanges([commitOf(held, 1010n, 1020n)]);
    const left = (await store.newestRanges(5)).map(({ seq, fromOffset, untilOffset }) => [
      seq,
      fromOffset,
      untilOffset,
    ]);
    expect(left).toEqual([
      [1012n, 1010n, 1020n],
      [1011n, 1009n, 1010n],
    ]);
  });
});

describe('a version of the layout', () => {
  test('that is newer is refused by its number, and nothing is changed', async () => {
    const key = keyOf(pipeline, 'version');
    expect(await places.client.get(key)).toBe('1');
    await places.client.set(key, '2');
    for (const purpose of ['use', 'look'] as const) {
      const error = places.newStore({ pipeline }).open(purpose);
      await expect(error).rejects.toMatchObject({
        code: 'STORE_SCHEMA_UNSUPPORTED',
        message: expect.stringContaining('version 2'),
      });
    }
    expect(await places.client.get(key)).toBe('2');
  });

  test('is not written by a look, which sees an empty ledger', async () => {
    const other = places.newPipeline();
    const looking = places.newStore({ pipeline: other });
    await looking.open('look');
    expect([await looking.read(), await looking.owners(), await looking.controls()]).toEqual([[], [], []]);
    expect(await looking.ranges({ limit: 10 })).toEqual([]);
    expect(await places.client.keys(`tidemark:{${other}}*`)).toEqual([]);
  });
});

describe('a place', () => {
  test('knows the pipelines that have rows, whatever their names', async () => {
    const names = ['}a{', '100% {b}', '{}', 'plain', 'gone'].map((name) => places.newPipeline(name));
    for (const name of names) {
      const one = places.newStore({ pipeline: name });
      await one.open();
      await one.initialise([{ ...orders, nextOffset: 1n, topicId: 'id' }]);
      if (name.endsWith('gone'))
        await one.remove([{ ...orders, nextOffset: 1n, claim: null, ownerEpoch: 0n }], 'a', 'b');
    }
    await places.client.sadd('tidemark:{}:topics', 'not ours');
    const redis = new RedisPlace({ url });
    const found = await redis.pipelines();
    expect(found.filter((name) => names.includes(name))).toEqual(names.slice(0, 4).sort());
    expect(found).not.toContain(pipeline);
    expect(redis.name).toBe(`Redis at ${new URL(url).host}`);
    const again = redis.store(names[0] ?? '');
    await again.open('look');
    expect(await positionsOf(again)).toEqual([1n]);
    await again.close();
  });
});

test('an owner that is long gone and holds nothing is forgotten at the next start', async () => {
  await begin(store, 0n);
  const key = keyOf(pipeline, 'owners');
  const old = JSON.stringify({ host: 'h', bootId: '', pid: 1, seen: '1700000000000000' });
  await places.client.hset(key, { gone: old, holder: old });
  const holder = await newProcess('holder');
  await claimAll(holder);
  await places.client.hset(key, { gone: old, holder: old });
  await newProcess('next');
  expect((await store.owners()).map(({ instanceId }) => instanceId)).toEqual(['first', 'holder', 'next']);
});
