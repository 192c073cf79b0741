import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisStore } from '../../src/offsets/stores/redis/index.ts';
import { redisService, type TcpProxy, tcpProxy, waitUntil } from '../services/index.ts';
import { RedisPlaces } from '../support/redisPlaces.ts';
import { begin, claimAll, commitOf, openAs, orders, pauseAll, positionsOf } from '../support/redisScene.ts';

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

describe('a connection', () => {
  let proxy: TcpProxy;
  let through: RedisStore;

  beforeEach(async () => {
    const { hostname: host, port } = new URL(url);
    proxy = await tcpProxy({ host, port: Number(port) });
    await useEveryScript();
    await begin(store, 0n, 10n);
    const options = { pipeline, url: `redis://${proxy.host}:${proxy.port}`, requestDeadlineMs: 1500 };
    through = await newProcess('through', options);
    return () => proxy.close();
  });

  /** So that the server knows them: what is lost below is then the answer to the first time a script is sent. */
  async function useEveryScript(): Promise<void> {
    const scratch = await newProcess('scratch', { pipeline: places.newPipeline('scratch') });
    await scratch.initialise([{ ...orders, nextOffset: 0n, topicId: 'id' }]);
    const [held] = await claimAll(scratch);
    await scratch.commitRanges([commitOf(held, 0n, 1n)]);
    await scratch.order([pauseAll], 'anna');
    const [seen] = await scratch.read();
    if (seen === undefined) throw new Error('no row');
    await scratch.move([{ ...orders, seen, toOffset: 9n, kind: 'gap', reason: 'why' }], 'anna');
    await scratch.remove(await scratch.read(), 'anna', 'why');
  }

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
    expect(await positionsOf(through)).toEqual([5n, 10n]);
    await through.commitRanges([commitOf(held, 5n, 6n)]);
    expect(await positionsOf(store)).toEqual([6n, 10n]);
  });

  test('that is lost before a commit arrived leaves it in doubt as well', async () => {
    const [held] = await claimAll(through);
    proxy.onClientData(() => 'cut');
    await expect(through.commitRanges([commitOf(held, 0n, 5n)])).rejects.toMatchObject({ code: 'COMMIT_IN_DOUBT' });
    proxy.resume();
    expect(await positionsOf(through)).toEqual([0n, 10n]);
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
    expect(await positionsOf(store)).toEqual([5n, 10n]);
  });

  test('that loses the answer of anything else loses nothing', async () => {
    loseAnswer();
    await claimAll(through);
    const [row] = await store.read();
    expect(row).toMatchObject({ owner: 'through', ownerEpoch: 1n });
    loseAnswer();
    const given = await through.order([pauseAll], 'anna');
    expect(await store.controls()).toEqual(given);
    expect(given).toHaveLength(1);
    const [seen] = await store.read();
    if (seen === undefined) throw new Error('no row');
    loseAnswer();
    const move = { ...orders, seen, toOffset: 3n, kind: 'reset', topicId: 'id', reason: 'back' } as const;
    expect(await through.move([move], 'anna')).toEqual([]);
    const [moved] = await store.read();
    expect(moved).toMatchObject({ nextOffset: 3n, claim: null, ownerEpoch: seen.ownerEpoch + 1n, incarnation: 2n });
    if (moved === undefined) throw new Error('no row');
    loseAnswer();
    expect(await through.remove([moved], 'anna', 'over')).toEqual([]);
    expect(await positionsOf(store)).toEqual([10n]);
    const kinds = (await store.newestRanges(9, [orders])).map(({ kind, reason }) => [kind, reason]);
    expect(kinds).toEqual([
      ['reset', 'over'],
      ['reset', 'back'],
      ['base', 'first position'],
    ]);
  });

  test('that is slow lets no topic slip past an order', async () => {
    let isHeld = false;
    proxy.onClientData((data) => {
      isHeld ||= data.includes('evalsha');
      return isHeld ? 'hold' : 'pass';
    });
    const ordering = through.order([pauseAll], 'anna');
    await waitUntil('the order is on its way', async () => isHeld);
    await store.initialise([{ topic: 'late', partition: 0, nextOffset: 0n, topicId: 'id' }]);
    await claimAll(store);
    proxy.resume();
    await ordering;
    expect((await store.read()).map(({ topic, claim }) => [topic, claim])).toEqual([
      ['late', null],
      ['orders', null],
      ['orders', null],
    ]);
    expect(await store.controls()).toHaveLength(1);
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
    expect(await positionsOf(through)).toEqual([5n, 10n]);
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
