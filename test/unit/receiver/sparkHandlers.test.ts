/** Cases of Spark's ReceivedBlockHandlerSuite and WriteAheadLogBackedBlockRDDSuite, as far as they are about the log. */
import { describe, expect, test } from 'vitest';
import { encodeRecords, storedChunk } from '../../../src/kafka/records/index.ts';
import { OffsetRange } from '../../../src/model/index.ts';
import type { Block, LoggedBlock } from '../../../src/receiver/block.ts';
import { BlockQueue, rangeOf } from '../../../src/receiver/blockQueue.ts';
import { RecordLane } from '../../../src/receiver/recordLane.ts';
import { WalDisk } from '../../support/walDisk.ts';
import { failure } from '../wal/walSetting.ts';
import { laneSetting } from './laneSetting.ts';
import { blockOf, openTracker, orders } from './trackerSetting.ts';

const topic = 'receiver:web@6f1c2a4e';
const strings = (count: number) => Array.from({ length: count }, (_, index) => ({ value: `record ${index}` }));

describe("as Spark's ReceivedBlockHandlerSuite has it", () => {
  test.each([
    { kind: 'buffers', counts: [25, 25, 50, 75] },
    { kind: 'iterators', counts: [100, 100, 125, 150] },
  ])('numRecords of $kind: $counts', async ({ counts }) => {
    const { on, logged, clock } = await laneSetting(new WalDisk());
    const lane = new RecordLane(topic, 50_000, on);
    lane.open(0n);
    for (const count of counts) {
      const storing = lane.storeBatch(strings(count));
      await clock.advance(100);
      await storing;
    }
    expect(logged.map(({ records }) => records)).toEqual(counts);
  });

  test('the data are the same in memory and read by handle from the log', async () => {
    const { tracker } = await openTracker(new WalDisk());
    const block = blockWith(0, 10);
    const logged = await tracker.add(block);
    expect(await tracker.read(logged)).toEqual(block.payload);
  });

  test('a store that fails is an exception of the caller', async () => {
    const { on, log } = await laneSetting(new WalDisk());
    const lane = new RecordLane(topic, 50_000, on);
    lane.open(0n);
    await log.close();
    await failure(lane.storeBatch(strings(1)), 'WAL_CLOSED');
  });

  test('a block counts all its records however little memory there is: what waits is counted, not what is held', async () => {
    const { on, tracker, logged, clock } = await laneSetting(new WalDisk(), { blocks: 1, bytes: 1 });
    const lane = new RecordLane(topic, 50_000, on);
    lane.open(0n);
    const storing = lane.storeBatch(strings(70));
    await clock.advance(100);
    await storing;
    expect(logged.map(({ records }) => records)).toEqual([70]);
    expect(lane.hasRoom).toBe(false);
    expect(tracker.waitingStreams).toMatchObject([{ blocks: 1, records: 70 }]);
  });

  test('cleanupOldBlocks: of ten blocks the old ones go, and with them the files that hold nothing else', async () => {
    const disk = new WalDisk();
    const { tracker, clock } = await openTracker(disk, { segmentBytesMax: 2048, entryBytesMax: 1024 });
    const blocks: LoggedBlock[] = [];
    for (let block = 0; block < 10; block++) blocks.push(await tracker.add(blockWith(block * 10, 10)));
    const firstFile = disk.names().find((name) => name.endsWith('.wal'));
    for (const block of blocks.slice(0, 8)) tracker.finish(block);
    await clock.advance(5000);
    await tracker.sweep(3000);
    expect(disk.names()).not.toContain(firstFile);
    expect(tracker.held(orders).map(({ fromOffset }) => fromOffset)).toEqual([80n, 90n]);
  });
});

describe("as Spark's WriteAheadLogBackedBlockRDDSuite has it: five blocks of ten, in order wherever they are", () => {
  test.each([
    { inMemory: 5, named: 'all in memory and in the log' },
    { inMemory: 0, named: 'all in the log alone' },
    { inMemory: 3, named: 'three in memory, two in the log alone' },
  ])('$named', async ({ inMemory }) => {
    const { tracker } = await openTracker(new WalDisk());
    const queue = new BlockQueue({ topic: 'orders', partition: 0 }, (block) => tracker.read(block));
    for (let block = 0; block < 5; block++) {
      const made = blockWith(block * 10, 10);
      const logged = await tracker.add(made);
      queue.push(logged, block < inMemory ? storedChunk(rangeOf(logged), made.payload) : undefined);
    }
    const found: string[] = [];
    for await (const chunk of queue.read(new OffsetRange('orders', 0, 0n, 50n), new AbortController().signal)) {
      const cursor = chunk.cursor();
      while (cursor.next()) found.push(cursor.record().text() ?? '');
    }
    expect(found).toEqual(Array.from({ length: 50 }, (_, offset) => `value ${offset}`));
  });
});

function blockWith(fromOffset: number, count: number): Block {
  const records = Array.from({ length: count }, (_, index) => ({
    offset: fromOffset + index,
    timestamp: -1,
    key: null,
    value: Buffer.from(`value ${fromOffset + index}`),
    headers: [],
    leaderEpoch: 3,
  }));
  return blockOf(orders, fromOffset, {
    untilOffset: BigInt(fromOffset + count),
    recordCount: count,
    payload: encodeRecords(records),
  });
}
