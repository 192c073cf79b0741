import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTidemarkError, TidemarkError } from '../../../src/errors.ts';
import type { CommittedOffset } from '../../../src/kafka/index.ts';
import { noCounts, OffsetRange } from '../../../src/model/index.ts';
import type { HeldClaim, RangeCommit } from '../../../src/offsets/index.ts';
import {
  KafkaGroupStore,
  type KafkaGroupStoreOptions,
  kafkaGroupPlace,
} from '../../../src/offsets/stores/kafkaGroup/index.ts';
import { decodeMetadata, encodeMetadata } from '../../../src/offsets/stores/kafkaGroup/metadata.ts';
import { ManualClock, MemoryCluster, type MemoryDriver } from '../../../src/testkit/index.ts';

const groupId = 'group';
const of = { topic: 'orders', partition: 0 };
const self = { instanceId: 'self', host: 'here', bootId: 'boot', pid: 1 };

async function failure(work: Promise<unknown>): Promise<TidemarkError> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!isTidemarkError(error)) throw error;
  return error;
}

class Setting {
  readonly cluster = new MemoryCluster();
  readonly driver: MemoryDriver = this.cluster.driver();

  static async open(partitions = 2): Promise<Setting> {
    const setting = new Setting();
    setting.cluster.createTopic('orders', { partitions });
    await setting.driver.connect();
    return setting;
  }

  async store(options: Partial<KafkaGroupStoreOptions> = {}): Promise<KafkaGroupStore> {
    const store = new KafkaGroupStore({ driver: this.driver, groupId, pipeline: 'orders', ...options });
    await store.open();
    await store.registerOwner(self);
    return store;
  }

  async topicId(): Promise<string> {
    return (await this.driver.describeTopics(['orders']))[0]?.topicId ?? '';
  }

  committed(): Promise<readonly CommittedOffset[]> {
    return this.driver.committedOffsets(groupId, ['orders']);
  }

  /** As Kafka's own tools do. */
  commitByHand(offset: bigint, metadata = ''): Promise<void> {
    return this.driver.commitOffsets(groupId, [{ ...of, offset, metadata }]);
  }
}

async function claim(store: KafkaGroupStore): Promise<HeldClaim> {
  const [row] = await store.read(['orders']);
  const [outcome] = await store.claim([{ ...of, seenClaim: row?.claim ?? null }]);
  if (!outcome?.claimed) throw new Error('the claim missed');
  return outcome.held;
}

function commit(held: HeldClaim, from: bigint, until: bigint): RangeCommit {
  const records = Number(until - from);
  const range = new OffsetRange(held.topic, held.partition, from, until);
  const counts = { ...noCounts(), records, dropped: records };
  return { range, held, counts, leaderEpoch: 3, batchTimeMs: 0, kind: 'batch', reason: null };
}

const first = (nextOffset: bigint, partition = 0) => ({ topic: 'orders', partition, nextOffset, topicId: 'an id' });

describe('a store in a consumer group', () => {
  test('writes the next offset with what a ledger would know beside it', async () => {
    const setting = await Setting.open();
    const store = await setting.store({ firstStart: true });
    await store.initialise([first(5n)]);
    const held = await claim(store);
    await store.commitRanges([commit(held, 5n, 9n)]);
    const [committed] = await setting.committed();
    expect(committed?.offset).toBe(9n);
    expect(committed?.metadata).toMatch(
      /^tidemark:orders \{"v":1,"id":"an id","leader":3,"epoch":"1","inc":"1","at":\d+\}$/,
    );
    expect(await (await setting.store()).read(['orders'])).toMatchObject([
      { nextOffset: 9n, topicId: 'an id', leaderEpoch: 3, ownerEpoch: 1n, claim: null, owner: null },
    ]);
  });

  test('a partition without an offset is no first start unless that is said', async () => {
    const setting = await Setting.open(9);
    const store = await setting.store();
    const error = await failure(store.initialise([0, 1, 2, 3, 4, 5, 6].map((partition) => first(0n, partition))));
    expect([error.code, error.topic, error.partition, error.path]).toEqual([
      'NO_START_OFFSET',
      'orders',
      0,
      'store.firstStart',
    ]);
    expect(error.message).toContain('orders-0, orders-1, orders-2, orders-3, orders-4 and 2 more');
    expect(error.hint).toContain('--first-start');
    expect(await setting.committed()).toEqual([]);
    await (await setting.store({ firstStart: true })).initialise([first(0n, 1)]);
    await store.initialise([first(7n, 1)]);
    expect((await failure(store.initialise([first(0n, 1), first(0n, 2)]))).partition).toBe(2);
    expect(await setting.committed()).toMatchObject([{ partition: 1, offset: 0n }]);
  });

  test('an offset that somebody else has committed is gone on from, of the topic as it is', async () => {
    const setting = await Setting.open();
    await setting.commitByHand(40n, 'moved by anna');
    const store = await setting.store();
    expect(await store.read(['orders'])).toMatchObject([{ nextOffset: 40n, topicId: await setting.topicId() }]);
    const held = await claim(store);
    await store.commitRanges([commit(held, 40n, 41n)]);
    expect(await setting.committed()).toMatchObject([{ offset: 41n }]);
  });

  test('a topic that is made again before its offset was claimed is noticed', async () => {
    const setting = await Setting.open();
    await setting.commitByHand(40n);
    const store = await setting.store();
    const before = await setting.topicId();
    await store.read(['orders']);
    setting.cluster.deleteTopic('orders');
    setting.cluster.createTopic('orders', { partitions: 2 });
    await setting.commitByHand(40n);
    expect(await store.read(['orders'])).toMatchObject([{ topicId: before }]);
    expect(await setting.topicId()).not.toBe(before);
  });

  test('a commit from elsewhere ends the claim: nothing is written over it', async () => {
    const setting = await Setting.open();
    const store = await setting.store({ firstStart: true });
    await store.initialise([first(0n)]);
    const held = await claim(store);
    await setting.commitByHand(100n);
    expect((await failure(store.commitRanges([commit(held, 0n, 5n)]))).code).toBe('LEDGER_FENCED');
    expect(await setting.committed()).toMatchObject([{ offset: 100n }]);
    expect(await store.read(['orders'])).toMatchObject([{ nextOffset: 100n, claim: null, owner: null }]);
    await store.commitRanges([commit(await claim(store), 100n, 105n)]);
    expect(await setting.committed()).toMatchObject([{ offset: 105n }]);
  });

  test('a reset by a tool makes the worker claim again', async () => {
    const setting = await Setting.open();
    const store = await setting.store({ firstStart: true });
    await store.initialise([first(50n)]);
    const held = await claim(store);
    const tool = kafkaGroupPlace(setting.driver).store(groupId);
    await tool.open();
    const [seen] = await tool.read();
    const reset = { ...of, kind: 'reset', toOffset: 50n, topicId: 'an id', reason: 'again', seen } as const;
    expect(await tool.move([reset], 'anna')).toEqual([]);
    expect(await tool.move([reset], 'anna'), 'a repetition').toEqual([]);
    expect((await failure(store.commitRanges([commit(held, 50n, 55n)]))).code).toBe('LEDGER_FENCED');
    expect(await store.read(['orders'])).toMatchObject([{ nextOffset: 50n, incarnation: 2n }]);
    const gap = {
      ...of,
      kind: 'gap',
      toOffset: 60n,
      reason: 'poison',
      seen: { ...of, nextOffset: 50n, claim: null, ownerEpoch: 2n },
    } as const;
    expect([(await failure(tool.move([gap], 'anna'))).code, (await failure(tool.order([], 'anna'))).code]).toEqual([
      'STORE_INCAPABLE',
      'STORE_INCAPABLE',
    ]);
    const [row] = await tool.read();
    if (row === undefined) throw new Error('no row');
    expect(await tool.remove([row], 'anna', 'done')).toEqual([]);
    expect(await setting.committed()).toEqual([]);
    expect(await kafkaGroupPlace(setting.driver).pipelines()).toEqual([groupId]);
  });

  test('the mirror of another ledger is no position', async () => {
    const setting = await Setting.open();
    await setting.commitByHand(40n, 'tidemark:bills');
    const store = await setting.store();
    const error = await failure(claim(store));
    expect([error.code, error.path]).toEqual(['CONFIG_INVALID', 'store.groupId']);
    await setting.commitByHand(40n);
    await claim(store);
  });

  test('metadata of a newer version is refused', async () => {
    const setting = await Setting.open();
    await setting.commitByHand(40n, 'tidemark:orders {"v":2,"position":"elsewhere"}');
    expect((await failure((await setting.store()).read(['orders']))).code).toBe('STORE_SCHEMA_UNSUPPORTED');
  });

  test('while the group has members it takes offsets from them alone', async () => {
    const setting = await Setting.open();
    const store = await setting.store({ firstStart: true });
    await store.initialise([first(0n)]);
    const held = await claim(store);
    const listener = { assigned: () => {}, revoked: async () => {}, lost: () => {}, failed: () => {} };
    const member = setting.driver.openMembership({ groupId, subscription: { topics: ['orders'] } }, listener);
    await member.join();
    expect((await failure(store.commitRanges([commit(held, 0n, 5n)]))).code).toBe('GROUP_ACTIVE');
    const [seen] = await store.read(['orders']);
    if (seen === undefined) throw new Error('no row');
    expect((await failure(store.remove([seen], 'anna', 'test'))).code).toBe('GROUP_ACTIVE');
    expect(await setting.committed()).toMatchObject([{ offset: 0n }]);
    const own = await setting.store({ firstStart: true, commitAsMember: (offsets) => member.commitOffsets(offsets) });
    await own.initialise([first(3n, 1)]);
    expect(await setting.committed(), 'a first position is written with its claim').toHaveLength(1);
    const rows = await own.read(['orders']);
    const outcomes = await own.claim(rows.map((row) => ({ ...row, seenClaim: row.claim })));
    expect(outcomes.map(({ claimed }) => claimed)).toEqual([true, true]);
    expect(await setting.committed()).toMatchObject([{ offset: 0n }, { offset: 3n }]);
    await member.leave();
  });

  test('a commit whose answer is lost is in doubt, and either outcome is ours', async () => {
    for (const isWritten of [true, false]) {
      const setting = await Setting.open();
      let isLost = false;
      const commitAsMember = async (offsets: readonly CommittedOffset[]) => {
        if (!isLost || isWritten) await setting.driver.commitOffsets(groupId, offsets);
        if (isLost) throw new TidemarkError('KAFKA_CONNECTION_LOST', 'lost', { retriable: true });
      };
      const store = await setting.store({ firstStart: true, commitAsMember });
      await store.initialise([first(0n)]);
      const held = await claim(store);
      isLost = true;
      expect((await failure(store.commitRanges([commit(held, 0n, 5n)]))).code).toBe('COMMIT_IN_DOUBT');
      const found = isWritten ? 5n : 0n;
      expect(await store.read(['orders'])).toMatchObject([{ claim: held.claim, nextOffset: found }]);
      const again = { ...of, seenClaim: held.claim };
      expect((await failure(store.claim([again]))).code, 'a claim is simply repeated').toBe('KAFKA_CONNECTION_LOST');
      isLost = false;
      const [outcome] = await store.claim([again]);
      expect([outcome?.claimed, outcome?.row?.nextOffset]).toEqual([true, found]);
    }
  });

  test('what is held is written again before it expires, by the hour', async () => {
    const setting = await Setting.open();
    const clock = new ManualClock();
    let written = 0;
    const commitAsMember = async (offsets: readonly CommittedOffset[]) => {
      written += offsets.length;
      await setting.driver.commitOffsets(groupId, offsets);
    };
    const store = await setting.store({ firstStart: true, clock, commitAsMember });
    await store.initialise([first(7n), first(8n, 1)]);
    await claim(store);
    expect(written).toBe(1);
    for (const [afterMs, times] of [
      [3_599_000, 1],
      [2000, 2],
      [2000, 2],
      [3_600_000, 3],
    ] as const) {
      await clock.advance(afterMs);
      await store.registerOwner(self);
      expect(written).toBe(times);
    }
    expect(await setting.committed()).toMatchObject([{ partition: 0, offset: 7n }]);
  });
});

describe('the metadata of a group store', () => {
  const counter = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
  const text = fc.string({ unit: 'binary', maxLength: 36 }).map((one) => one.toWellFormed());
  const row = fc.record({
    topicId: text,
    leaderEpoch: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
    ownerEpoch: counter,
    incarnation: counter,
    state: fc.constantFrom('running' as const, 'paused' as const, 'parked' as const),
    reason: fc.option(text),
    changedAtMs: fc.nat(),
  });
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).map((one) => one.toWellFormed());

  test('what is written is read again', () => {
    fc.assert(
      fc.property(name, row, (pipeline, one) => {
        expect(decodeMetadata(encodeMetadata(pipeline, one))).toEqual(one);
      }),
    );
  });

  test('it fits into what a broker takes, however long the reason', () => {
    const one = {
      topicId: 'x'.repeat(36),
      leaderEpoch: 2 ** 31 - 1,
      ownerEpoch: 2n ** 63n - 1n,
      incarnation: 2n ** 63n - 1n,
      changedAtMs: 1e13,
    };
    for (const character of ['\0', 'é', '🦀', '"', '\u{d800}']) {
      const text = encodeMetadata('p'.repeat(200), { ...one, state: 'parked', reason: character.repeat(5000) });
      expect(Buffer.byteLength(text)).toBeLessThan(4096);
      expect(decodeMetadata(text)).toMatchObject({ state: 'parked' });
    }
  });

  test('what others write is nothing of ours', () => {
    expect(decodeMetadata('tidemark:orders')).toBe('mirror');
    for (const other of [
      '',
      'x',
      'tidemark:',
      'tidemark',
      'tidemark:orders {',
      'tidemark:orders 7',
      'tidemark:orders {"v":1}',
    ]) {
      expect(decodeMetadata(other), other).toBe(undefined);
    }
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (other) => void decodeMetadata(other)));
  });
});
