import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type CommittedOffset, GroupOffsets } from '../../../src/kafka/index.ts';
import { OffsetRange } from '../../../src/model/index.ts';
import { KafkaLane } from '../../../src/receiver/kafkaLane.ts';
import { MemoryCluster } from '../../../src/testkit/memory/index.ts';
import { WalDisk } from '../../support/walDisk.ts';
import { type LaneSetting, laneSetting } from './laneSetting.ts';

const of = { topic: 'orders', partition: 0 };

interface Lane extends LaneSetting {
  readonly disk: WalDisk;
  readonly cluster: MemoryCluster;
  readonly lane: KafkaLane;
  readonly told: CommittedOffset[];
  /** Writes each value as a record batch of its own. */
  produce(values: readonly string[]): void;
  /** Values of the records in `[fromOffset, untilOffset)`. */
  values(fromOffset: bigint, untilOffset: bigint): Promise<readonly (string | null)[]>;
}

async function openLane(blocksMax = 100): Promise<Lane> {
  const disk = new WalDisk();
  const setting = await laneSetting(disk, { blocks: blocksMax, bytes: 1_000_000 });
  const { clock } = setting;
  const cluster = new MemoryCluster({ clock });
  const topicId = cluster.createTopic(of.topic);
  const driver = cluster.driver();
  await driver.connect();
  onTestFinished(() => driver.close());
  const told: CommittedOffset[] = [];
  const group = new GroupOffsets(async (offsets) => void told.push(...offsets), 'tidemark:orders', clock);
  const held = { ...of, claim: 'now', ownerEpoch: 1n };
  const position = { ...of, topicId, leaderEpoch: -1, nextOffset: 0n, held, claimBefore: null };
  const lane = new KafkaLane(position, [], new Map(), driver.openFetcher({}), group, setting.on);
  onTestFinished(() => lane.close());
  return {
    ...setting,
    disk,
    cluster,
    lane,
    told,
    produce: (values) => {
      for (const value of values) cluster.produce(of.topic, of.partition, [{ value }]);
    },
    values: async (fromOffset, untilOffset) => {
      const found: (string | null)[] = [];
      const range = new OffsetRange(of.topic, of.partition, fromOffset, untilOffset);
      for await (const chunk of lane.queue.read(range, new AbortController().signal)) {
        const cursor = chunk.cursor();
        while (cursor.next()) found.push(cursor.record().text());
      }
      return found;
    },
  };
}

const rangesOf = (events: readonly { readonly fromOffset: bigint; readonly untilOffset: bigint }[]) =>
  events.map(({ fromOffset, untilOffset }) => [Number(fromOffset), Number(untilOffset)]);

test('what came in a block interval is one block; when it is durable the group is told the next offset', async () => {
  const { lane, clock, produce, logged, told, values, disk } = await openLane();
  produce(['a', 'b', 'c']);
  await clock.settle();
  expect([lane.queue.blocks, told]).toEqual([0, []]);
  disk.syncTurns = 1_000;
  await clock.advance(100);
  expect(told).toEqual([]);
  disk.syncTurns = 0;
  while (logged.length === 0) await clock.settle();
  await clock.settle();
  expect(rangesOf(logged)).toEqual([[0, 3]]);
  expect(told).toEqual([{ ...of, offset: 3n, metadata: 'tidemark:orders' }]);
  expect(await values(1n, 3n)).toEqual(['b', 'c']);
});

test('with its share waiting nothing is taken off the broker, until something is committed', async () => {
  const { lane, clock, produce, logged } = await openLane(2);
  for (const value of ['a', 'b', 'c', 'd']) {
    produce([value]);
    await clock.advance(100);
  }
  expect(rangesOf(logged)).toEqual([
    [0, 1],
    [1, 2],
  ]);
  lane.committed(1n);
  await clock.advance(100);
  expect(rangesOf(logged).slice(2)).toEqual([[2, 3]]);
  lane.committed(3n);
  await clock.advance(100);
  expect(rangesOf(logged).slice(3)).toEqual([[3, 4]]);
});

describe('a seek', () => {
  test('to where something waits changes nothing', async () => {
    const { lane, clock, produce, discarded } = await openLane();
    produce(['a', 'b']);
    await clock.advance(100);
    lane.seek(1n);
    lane.seek(2n);
    expect([lane.queue.blocks, discarded]).toEqual([1, []]);
  });

  test('back discards what waits, and reads on from there', async () => {
    const { lane, clock, produce, discarded, logged, values, tracker } = await openLane();
    produce(['a', 'b', 'c']);
    await clock.advance(100);
    lane.committed(3n);
    produce(['d']);
    await clock.advance(100);
    lane.seek(1n);
    await clock.advance(100);
    expect(discarded).toMatchObject([{ blocks: 1, records: 1 }]);
    expect(rangesOf(logged)).toEqual([
      [0, 3],
      [3, 4],
      [1, 4],
    ]);
    expect(await values(1n, 4n)).toEqual(['b', 'c', 'd']);
    expect(tracker.waiting.blocks).toBe(1);
  });

  test('while a block is on its way to the disk: it is discarded when it is durable', async () => {
    const { lane, clock, produce, discarded, tracker, values, disk } = await openLane();
    produce(['a', 'b']);
    disk.syncTurns = 500;
    await clock.advance(100);
    expect(lane.queue.blocks).toBe(0);
    lane.committed(1n);
    lane.seek(0n);
    disk.syncTurns = 0;
    while (discarded.length === 0) await clock.settle();
    await clock.advance(100);
    expect(discarded).toMatchObject([{ blocks: 1, records: 2 }]);
    expect(tracker.held(lane.key).map(({ fromOffset }) => fromOffset)).toEqual([0n]);
    expect(await values(0n, 2n)).toEqual(['a', 'b']);
  });
});

test('a block that the ledger has passed while it was on its way to the disk is done, and takes no room', async () => {
  const { lane, clock, produce, logged, discarded, tracker, disk } = await openLane(1);
  produce(['a']);
  disk.syncTurns = 500;
  await clock.advance(100);
  // Somebody ordered to skip it: a gap is committed up to where the stream is.
  lane.committed(1n);
  lane.seek(1n);
  disk.syncTurns = 0;
  while (logged.length === 0) await clock.settle();
  expect([lane.queue.blocks, tracker.waiting.blocks]).toEqual([0, 0]);
  produce(['b']);
  await clock.advance(200);
  expect(rangesOf(logged)).toEqual([
    [0, 1],
    [1, 2],
  ]);
  expect(discarded).toEqual([]);
});

test('why nothing more comes is told when what came before is durable', async () => {
  const { lane, clock, produce, cluster, logged } = await openLane();
  produce(['a']);
  await clock.settle();
  cluster.deleteTopic(of.topic);
  cluster.createTopic(of.topic);
  await clock.advance(60_000);
  expect(rangesOf(logged)).toEqual([[0, 1]]);
  expect(lane.error).toMatchObject({ code: 'KAFKA_TOPIC_RECREATED' });
  expect(lane.queue.hasWork(0n)).toBe(true);
});

test('the end of the intake makes the tail durable; a lane that is given up discards what waits', async () => {
  const { lane, clock, produce, logged, discarded } = await openLane();
  produce(['a']);
  await clock.settle();
  await lane.endIntake();
  expect(rangesOf(logged)).toEqual([[0, 1]]);
  produce(['b']);
  await clock.advance(1_000);
  expect(logged).toHaveLength(1);
  lane.close();
  expect(discarded).toMatchObject([{ blocks: 1, records: 1 }]);
});

test('a fresh claim of the same owner takes its blocks along, the one on its way to the disk too', async () => {
  const { lane, clock, produce, tracker, disk, logged } = await openLane();
  produce(['a']);
  await clock.advance(100);
  await vi.waitFor(() => expect(logged).toHaveLength(1));
  disk.syncTurns = 5;
  produce(['b']);
  await clock.advance(100);
  lane.reclaimed({ ...of, claim: 'fresh', ownerEpoch: 2n });
  await vi.waitFor(() => {
    expect(logged).toHaveLength(2);
    expect(tracker.held(lane.key).map(({ claim }) => claim)).toEqual(['fresh', 'fresh']);
  });
});
