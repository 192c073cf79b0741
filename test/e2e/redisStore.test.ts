import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { noCounts, OffsetRange } from '../../src/model/index.ts';
import type { HeldClaim, RangeCommit } from '../../src/offsets/index.ts';
import { RedisPlace, type RedisStore } from '../../src/offsets/stores/redis/index.ts';
import { redisService, type TcpProxy, tcpProxy } from '../services/index.ts';
import { keyOf, RedisPlaces } from '../support/redisPlaces.ts';

const place = { topic: 'orders', partition: 0 };

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
  await made.open();
  await made.registerOwner({ instanceId, host: 'h', bootId: '', pid: 1 });
  return made;
}

async function begin(...nextOffsets: readonly bigint[]): Promise<void> {
  const topicId = 'id';
  await store.initialise(nextOffsets.map((nextOffset, partition) => ({ ...place, partition, nextOffset, topicId })));
}

async function claimAll(by = store): Promise<readonly HeldClaim[]> {
  const rows = await by.read();
  const outcomes = await by.claim(rows.map(({ claim, ...of }) => ({ ...of, seenClaim: claim })));
  return outcomes.flatMap((outcome) => (outcome.claimed ? [outcome.held] : []));
}

function commitOf(held: HeldClaim | undefined, from: bigint, until: bigint, batchTimeMs = 1_700_000_000_000) {
  if (held === undefined) throw new Error('no claim');
  const count = Number(until - from);
  const commit: RangeCommit = {
    range: new OffsetRange(held.topic, held.partition, from, until),
    held,
    counts: { ...noCounts(), records: count, produced: count, rows: count },
    leaderEpoch: 0,
    batchTimeMs,
    kind: 'batch',
    reason: null,
  };
  return commit;
}

async function positions(by = store): Promise<readonly bigint[]> {
  return (await by.read()).map(({ nextOffset }) => nextOffset);
}

describe('scripts', () => {
  test('that the server forgot are sent again as text', async () => {
    await begin(0n);
    const forget = () => places.client.script('FLUSH');
    await forget();
    const [held] = await claimAll();
    await forget();
    await store.commitRanges([commitOf(held, 0n, 5n)]);
    await forget();
    expect(await positions()).toEqual([5n]);
  });

  test('write nothing where one of their keys is of another type', async () => {
    await begin(0n, 0n, 0n);
    const held = await claimAll();
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
    expect(await positions()).toEqual([7n, 7n, 7n]);
  });

  test.each([
    ['no JSON', 'not JSON'],
    ['{"next":7}', 'not a number'],
    ['{"next":"9223372036854775808"}', 'not a number'],
  ])('write nothing where a row holds %s', async (text, why) => {
    await begin(0n, 0n);
    const held = await claimAll();
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
    await begin(edge + 1n, last - 2n);
    const [held, far] = await claimAll();
    for (const wrong of [edge, edge + 2n]) {
      const error = store.commitRanges([commitOf(held, wrong, edge + 9n)]);
      await expect(error).rejects.toMatchObject({
        code: 'LEDGER_MOVED',
        message: expect.stringContaining(`${edge + 1n}`),
      });
    }
    await expect(store.commitRanges([commitOf(far, last - 1n, last)])).rejects.toMatchObject({ code: 'LEDGER_MOVED' });
    await store.commitRanges([commitOf(held, edge + 1n, edge + 2n), commitOf(far, last - 2n, last)]);
    expect(await positions()).toEqual([edge + 2n, last]);
    const skip = { ...place, order: 'skip', fromOffset: edge + 1n, untilOffset: edge + 3n, reason: 'why' } as const;
    await expect(store.order([skip], 'anna')).rejects.toMatchObject({ code: 'LEDGER_MOVED' });
    await store.order([{ ...skip, fromOffset: edge + 2n }], 'anna');
  });
});

describe('a history', () => {
  test('keeps its newest thousand rows, and commits go on whatever became of the older ones', async () => {
    await begin(0n);
    const [held] = await claimAll();
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
      await one.initialise([{ ...place, nextOffset: 1n, topicId: 'id' }]);
      if (name.endsWith('gone'))
        await one.remove([{ ...place, nextOffset: 1n, claim: null, ownerEpoch: 0n }], 'a', 'b');
    }
    await places.client.sadd('tidemark:{}:topics', 'not ours');
    const redis = new RedisPlace({ url });
    const found = await redis.pipelines();
    expect(found.filter((name) => names.includes(name))).toEqual(names.slice(0, 4).sort());
    expect(found).not.toContain(pipeline);
    expect(redis.name).toBe(`Redis at ${new URL(url).host}`);
    const again = redis.store(names[0] ?? '');
    await again.open('look');
    expect(await positions(again)).toEqual([1n]);
    await again.close();
  });
});

describe('a connection', () => {
  let proxy: TcpProxy;
  let through: RedisStore;

  beforeEach(async () => {
    const { hostname: host, port } = new URL(url);
    proxy = await tcpProxy({ host, port: Number(port) });
    await begin(0n, 10n);
    const options = { pipeline, url: `redis://${proxy.host}:${proxy.port}`, requestDeadlineMs: 1500 };
    through = await newProcess('through', options);
    return () => proxy.close();
  });

  /** Cuts the connection when the server has executed the next script, before its answer arrives. */
  function loseAnswer(): void {
    let isLost = false;
    proxy.onClientData((data) => {
      if (isLost || !data.includes('evalsha')) return 'pass';
      isLost = true;
      return 'loseReply';
    });
  }

  test('that is lost after a commit was sent leaves it in doubt, and it is not sent again', async () => {
    const [held] = await claimAll(through);
    loseAnswer();
    await expect(through.commitRanges([commitOf(held, 0n, 5n)])).rejects.toMatchObject({ code: 'COMMIT_IN_DOUBT' });
    proxy.resume();
    expect(await positions(through)).toEqual([5n, 10n]);
    await through.commitRanges([commitOf(held, 5n, 6n)]);
    expect(await positions()).toEqual([6n, 10n]);
  });

  test('that is lost before a commit arrived leaves it in doubt as well', async () => {
    const [held] = await claimAll(through);
    proxy.onClientData(() => 'cut');
    await expect(through.commitRanges([commitOf(held, 0n, 5n)])).rejects.toMatchObject({ code: 'COMMIT_IN_DOUBT' });
    proxy.resume();
    expect(await positions(through)).toEqual([0n, 10n]);
  });

  test('that cannot be made leaves no doubt', async () => {
    const [held] = await claimAll(through);
    await proxy.refuse(true);
    proxy.cut();
    const error = await through.read().catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'STORE_UNREACHABLE', retriable: true });
    await expect(through.commitRanges([commitOf(held, 0n, 5n)])).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    await proxy.refuse(false);
    await through.commitRanges([commitOf(held, 0n, 5n)]);
    expect(await positions()).toEqual([5n, 10n]);
  });

  test('that loses the answer of anything else loses nothing', async () => {
    loseAnswer();
    await claimAll(through);
    const [row] = await store.read();
    expect(row).toMatchObject({ owner: 'through', ownerEpoch: 1n });
    loseAnswer();
    const pause = { topic: null, partition: null, order: 'pause', fromOffset: null, untilOffset: null } as const;
    const given = await through.order([{ ...pause, reason: 'why' }], 'anna');
    expect(await store.controls()).toEqual(given);
    expect(given).toHaveLength(1);
    const [seen] = await store.read();
    if (seen === undefined) throw new Error('no row');
    loseAnswer();
    const move = { ...place, seen, toOffset: 3n, kind: 'reset', topicId: 'id', reason: 'back' } as const;
    expect(await through.move([move], 'anna')).toEqual([]);
    const [moved] = await store.read();
    expect(moved).toMatchObject({ nextOffset: 3n, claim: null, ownerEpoch: seen.ownerEpoch + 1n, incarnation: 2n });
    if (moved === undefined) throw new Error('no row');
    loseAnswer();
    expect(await through.remove([moved], 'anna', 'over')).toEqual([]);
    expect(await positions()).toEqual([10n]);
    const kinds = (await store.newestRanges(9, [place])).map(({ kind, reason }) => [kind, reason]);
    expect(kinds).toEqual([
      ['reset', 'over'],
      ['reset', 'back'],
      ['base', 'first position'],
    ]);
  });

  test('without answers ends a request at its deadline', async () => {
    const [held] = await claimAll(through);
    proxy.blackholeReplies();
    const results = await Promise.allSettled([through.read(), through.commitRanges([commitOf(held, 0n, 5n)])]);
    expect(results.map((result) => result.status === 'rejected' && result.reason.code)).toEqual([
      'STORE_UNREACHABLE',
      'COMMIT_IN_DOUBT',
    ]);
    proxy.resume();
    expect(await positions(through)).toEqual([5n, 10n]);
  });

  test('is cut by a close, with whatever waits on it', async () => {
    proxy.blackholeReplies();
    const reading = through.read();
    const opening = newProcess('late', { pipeline, url: `redis://${proxy.host}:${proxy.port}` });
    const both = Promise.allSettled([reading, opening]);
    await through.close();
    await expect(reading).rejects.toMatchObject({ code: 'PIPELINE_STATE' });
    await expect(through.read()).rejects.toMatchObject({ code: 'PIPELINE_STATE' });
    proxy.cut();
    await proxy.refuse(true);
    await both;
  });
});

describe('a URL', () => {
  test('that is none is refused without being quoted', () => {
    for (const wrong of ['http://u:secret@h', 'redis://', 'redis://u:secret@h:99999', 'redis://u:secret@h/x']) {
      const make = () => places.newStore({ pipeline, url: wrong });
      expect(make).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
      expect(make).not.toThrow(/secret/);
    }
  });

  test('of nobody says who does not answer', async () => {
    const proxy = await tcpProxy({ host: '127.0.0.1', port: 1 });
    await proxy.refuse(true);
    const error = places.newStore({ pipeline, url: `redis://u:secret@127.0.0.1:${proxy.port}/3` }).open();
    await expect(error).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringMatching(`127.0.0.1:${proxy.port}/3.*ECONNREFUSED`),
    });
    await proxy.close();
  });
});

test('an owner that is long gone and holds nothing is forgotten at the next start', async () => {
  await begin(0n);
  const key = keyOf(pipeline, 'owners');
  const old = JSON.stringify({ host: 'h', bootId: '', pid: 1, seen: '1700000000000000' });
  await places.client.hset(key, { gone: old, holder: old });
  const holder = await newProcess('holder');
  await claimAll(holder);
  await places.client.hset(key, { gone: old, holder: old });
  await newProcess('next');
  expect((await store.owners()).map(({ instanceId }) => instanceId)).toEqual(['first', 'holder', 'next']);
});
