import { expect, test } from 'vitest';
import { OffsetRange } from '../../src/model/index.ts';
import { waitUntil } from '../services/index.ts';
import {
  logged,
  produce,
  type ReceiverProcess,
  type ReceiverWorld,
  receiverWorld,
  texts,
  topic,
} from '../support/receiverWorld.ts';

const committedUntil = (world: ReceiverWorld, offset: number) =>
  waitUntil(`offset ${offset} in the ledger`, () => world.nextOffset(topic) === BigInt(offset));

/** Writes records one after the other, each in a block of its own. */
async function blockByBlock(world: ReceiverWorld, process: ReceiverProcess, values: readonly string[]): Promise<void> {
  for (const value of values) {
    produce(world.cluster, [value]);
    const until = world.cluster.bounds(topic, 0).highWatermark;
    await waitUntil('a durable block', () => logged(process) === until);
  }
}

const discarded = ({ heard }: ReceiverProcess) =>
  heard.blocksDiscarded.map(({ blocks, records }) => ({ blocks, records }));

test.each(['stops', 'crashes'] as const)(
  'A to B to A: what A kept is discarded and counted, also where other records have its offsets by now (B %s)',
  async (how) => {
    const world = receiverWorld();
    const { cluster, database } = world;
    const hold = database.faults.hold('commitRanges');
    const a = await world.start();
    await blockByBlock(world, a, texts(10, 'a'));
    await hold.waited();
    const dir = await a.crash();
    hold.release();
    // An unclean election: what A has taken in from 2 on is in no log any more, and A does not know.
    cluster.truncate(topic, 0, 2n);
    produce(cluster, texts(4, 'b'));
    const b = await world.start({}, { takeOver: true });
    await committedUntil(world, 6);
    if (how === 'stops') await b.pipeline.stop();
    else await b.crash();
    const again = await world.start({}, { dir, takeOver: true });
    produce(cluster, texts(8, 'c'));
    await committedUntil(world, 14);
    await again.pipeline.stop();
    expect(world.values()).toEqual(['a0', 'a1', ...texts(4, 'b'), ...texts(8, 'c')]);
    // Those from 6 on: offsets that nobody had committed when A came back.
    expect(discarded(again)).toEqual([{ blocks: 4, records: 4 }]);
    expect(again.heard.intakeClosed[0]?.waiting).toEqual([]);
  },
);

test('a process that is fenced discards and counts what it has, and takes the partition again later', async () => {
  const world = receiverWorld();
  const { cluster, database } = world;
  const hold = database.faults.hold('commitRanges');
  const a = await world.start();
  await blockByBlock(world, a, texts(3, 'a'));
  await hold.waited();
  const b = await world.start({}, { takeOver: true });
  hold.release();
  await waitUntil('A to be fenced', () => a.heard.partitionFenced.length === 1);
  await committedUntil(world, 3);
  expect(discarded(a)).toEqual([{ blocks: 3, records: 3 }]);
  await b.pipeline.stop();
  await waitUntil('A to take it again', () => a.heard.partitionClaimed.length === 2);
  produce(cluster, ['after']);
  await committedUntil(world, 4);
  expect(world.values()).toEqual(['a0', 'a1', 'a2', 'after']);
});

test('a restart goes on with its own blocks: from the log, in their batches, although Kafka has them no more', async () => {
  const world = receiverWorld();
  const { cluster, database } = world;
  const hold = database.faults.hold('commitRanges');
  const a = await world.start();
  await blockByBlock(world, a, texts(5));
  await hold.waited();
  const dir = await a.crash();
  hold.release();
  const batchTimeMs = a.heard.batchPlanned[0]?.batchTimeMs;
  cluster.deleteRecords(topic, 0, 5n);
  produce(cluster, ['later']);
  const again = await world.start({}, { dir, takeOver: true });
  await committedUntil(world, 6);
  await again.pipeline.stop();
  expect(world.values()).toEqual([...texts(5), 'later']);
  expect(again.heard.rangeCommitted[0]).toMatchObject({ batchTimeMs, range: { fromOffset: 0n, untilOffset: 1n } });
  expect(again.heard.blockLogged.map(({ fromOffset }) => fromOffset)).toEqual([5n]);
  expect(again.heard.blocksDiscarded).toEqual([]);
});

test('a block whose first records are committed is trimmed, and one that is committed is dropped', async () => {
  const world = receiverWorld();
  const { cluster, database } = world;
  const hold = database.faults.hold('commitRanges');
  const a = await world.start({ source: { blockIntervalMs: 500 } });
  cluster.produce(
    topic,
    0,
    texts(4, 'one').map((value) => ({ value })),
  );
  await waitUntil('the first block', () => logged(a) === 4n);
  cluster.produce(
    topic,
    0,
    texts(4, 'two').map((value) => ({ value })),
  );
  await waitUntil('the second block', () => logged(a) === 8n);
  await hold.waited();
  const dir = await a.crash();
  hold.release();
  // What A commits with its last breath: a range cut short by a stop at a bad record.
  const store = database.store(topic);
  const [row] = await store.read([topic]);
  const held = { topic, partition: 0, claim: row?.claim ?? '', ownerEpoch: row?.ownerEpoch ?? 0n };
  const counts = { records: 6, produced: 6, rows: 6, dropped: 0, skipped: 0, deadLettered: 0 };
  await store.commitRanges([
    {
      range: new OffsetRange(topic, 0, 0n, 6n),
      held,
      counts,
      leaderEpoch: 0,
      batchTimeMs: 1,
      kind: 'batch',
      reason: null,
    },
  ]);
  cluster.deleteRecords(topic, 0, 8n);
  const again = await world.start({}, { dir, takeOver: true });
  await committedUntil(world, 8);
  await again.pipeline.stop();
  expect(world.values()).toEqual(['two2', 'two3']);
  expect(again.heard.rangeCommitted.map(({ range }) => [range.fromOffset, range.untilOffset])).toEqual([[6n, 8n]]);
  expect(again.heard.blocksDiscarded).toEqual([]);
});

test('a restart after a graceful stop finds nothing to discard: what the log still has is committed', async () => {
  const world = receiverWorld();
  const a = await world.start();
  await blockByBlock(world, a, texts(3));
  await committedUntil(world, 3);
  await a.pipeline.stop();
  const again = await world.start({}, { dir: a.dir });
  produce(world.cluster, ['next']);
  await committedUntil(world, 4);
  expect(again.heard.blocksDiscarded).toEqual([]);
  expect(world.values()).toEqual([...texts(3), 'next']);
});

test('a topic that is created again while blocks wait: they are committed once, and the partition parks', async () => {
  const world = receiverWorld();
  const { cluster, database } = world;
  const hold = database.faults.hold('commitRanges');
  const a = await world.start();
  await blockByBlock(world, a, texts(3, 'old'));
  await hold.waited();
  cluster.deleteTopic(topic);
  cluster.createTopic(topic);
  produce(cluster, texts(6, 'new'));
  hold.release();
  await waitUntil('the partition to park', () => a.heard.partitionParked.length === 1);
  expect(a.heard.partitionParked[0]?.error.code).toBe('KAFKA_TOPIC_RECREATED');
  expect(world.values()).toEqual(texts(3, 'old'));
  expect(world.nextOffset(topic)).toBe(3n);
});

test('a topic that is created again while its process is down: the blocks are of no use for the new one', async () => {
  const world = receiverWorld();
  const { cluster, database } = world;
  const hold = database.faults.hold('commitRanges');
  const a = await world.start();
  await blockByBlock(world, a, texts(3, 'old'));
  const dir = await a.crash();
  hold.release();
  cluster.deleteTopic(topic);
  cluster.createTopic(topic);
  produce(cluster, texts(6, 'new'));
  const again = await world.start({}, { dir, takeOver: true });
  await waitUntil('the partition to park', () => again.heard.partitionParked.length === 1);
  expect(again.heard.partitionParked[0]?.error.code).toBe('KAFKA_TOPIC_RECREATED');
  await again.pipeline.stop();
  expect(world.values()).toEqual([]);
  expect(again.heard.intakeClosed[0]?.waiting).toEqual([{ topic, partition: 0, blocks: 3, records: 3 }]);
});
