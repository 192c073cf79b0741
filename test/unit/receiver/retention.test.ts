import { describe, expect, test } from 'vitest';
import type { LoggedBlock } from '../../../src/receiver/block.ts';
import type { BlockTracker } from '../../../src/receiver/blockTracker.ts';
import { errno, nothingSurvives, WalDisk } from '../../support/walDisk.ts';
import { failure } from '../wal/walSetting.ts';
import { addBlocks, blockOf, entriesOf, openTracker, orders, web } from './trackerSetting.ts';

/** About three blocks to a segment. */
const small = { segmentBytesMax: 1_000, entryBytesMax: 800 };

function finishAll(tracker: BlockTracker, blocks: readonly LoggedBlock[]): void {
  for (const block of blocks) tracker.finish(block);
}

/** Counts what is done on the disk. */
function operationsOf(disk: WalDisk): () => number {
  const before = disk.operations;
  return () => disk.operations - before;
}

describe('the low watermark', () => {
  test('moves behind what is finished since the retention, and the segments go', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk, small);
    const blocks = await addBlocks(open, orders, [0, 10, 20, 30, 40, 50]);
    await open.tracker.allocate(1);
    const segments = open.log.segmentCount;
    finishAll(open.tracker, blocks);
    await open.tracker.sweep(60_000);
    expect(open.tracker.batches).toEqual([]);
    expect(open.log.lowWatermark).toBe(0n);
    expect(open.tracker.held(orders)).toEqual(blocks);

    await open.clock.advance(59_999);
    await open.tracker.sweep(60_000);
    expect(open.log.lowWatermark).toBe(0n);
    await open.clock.advance(1);
    await open.tracker.sweep(60_000);
    expect(await entriesOf(open.log)).toMatchObject([{ kind: 'cleanup', batchTimesMs: [1], newestBatchTimeMs: 1 }]);
    expect(open.log.segmentCount).toBeLessThan(segments);
    expect([open.tracker.held(orders), open.tracker.streams]).toEqual([[], []]);
  });

  test('stays before a block that is not finished, and what is finished behind it leaves memory all the same', async () => {
    const open = await openTracker(new WalDisk(), small);
    const [first, second, third] = (await addBlocks(open, orders, [0, 10, 20])) as [
      LoggedBlock,
      LoggedBlock,
      LoggedBlock,
    ];
    finishAll(open.tracker, [first, third]);
    await open.tracker.sweep(0);
    expect(open.log.lowWatermark).toBe(second.place.index);
    expect(open.tracker.held(orders)).toEqual([second]);
  });

  test('stays before a batch until all of it is finished', async () => {
    const open = await openTracker(new WalDisk(), small);
    const [first, second] = (await addBlocks(open, orders, [0, 10])) as [LoggedBlock, LoggedBlock];
    await open.tracker.allocate(1);
    open.tracker.finish(first);
    await open.tracker.sweep(0);
    expect(open.log.lowWatermark).toBe(0n);
    expect(open.tracker.batches[0]?.blocks.get(orders)).toEqual([first, second]);
    open.tracker.finish(second);
    await open.tracker.sweep(0);
    expect(open.tracker.batches).toEqual([]);
    expect(await entriesOf(open.log)).toMatchObject([{ kind: 'cleanup' }]);
  });

  test('passes blocks that were discarded, and batches that have none', async () => {
    const open = await openTracker(new WalDisk(), small);
    const blocks = await addBlocks(open, orders, [0, 10]);
    await open.tracker.allocate(1);
    await open.tracker.allocate(2);
    await open.tracker.discard(blocks, 'another claim');
    await open.tracker.sweep(60_000);
    expect(await entriesOf(open.log)).toMatchObject([{ kind: 'cleanup', batchTimesMs: [1, 2] }]);
  });

  test('stays before a block that was opened again', async () => {
    const open = await openTracker(new WalDisk());
    const [block] = (await addBlocks(open, orders, [0])) as [LoggedBlock];
    open.tracker.finish(block);
    open.tracker.reopen(block);
    await open.tracker.sweep(0);
    expect(open.log.lowWatermark).toBe(0n);
    open.tracker.finish(block);
    await open.tracker.sweep(0);
    expect(open.log.lowWatermark).toBeGreaterThan(block.place.index);
  });

  test('never passes a block that is durable while its caller has not had its turn', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    const known = new Set<bigint>();
    // Sweeps and additions that meet in every group: whatever the order of turns, what was added is there after a restart.
    const adding = async (stream: typeof orders) => {
      for (let at = 0; at < 30; at += 1) {
        const { place } = await open.tracker.add(blockOf(stream, at * 10));
        known.add(place.index);
      }
    };
    let isOver = false;
    const sweeping = async () => {
      for (let at = 1; !isOver; at += 1) {
        for (const stream of [orders, web] as const) {
          for (const block of open.tracker.held(stream).slice(0, -1)) {
            open.tracker.finish(block);
            known.delete(block.place.index);
          }
        }
        await open.tracker.allocate(at, []);
        await open.tracker.sweep(0);
      }
    };
    const sweeper = sweeping();
    await Promise.all([adding(orders), adding(web)]);
    isOver = true;
    await sweeper;
    disk.restart(nothingSurvives);
    const again = await openTracker(disk);
    const held = [...again.tracker.held(orders), ...again.tracker.held(web)].map(({ place }) => place.index);
    expect(held).toEqual(expect.arrayContaining([...known]));
    expect(again.tracker.nextOffset(web)).toBe(300n);
  });
});

describe('the snapshot', () => {
  test('says after every restart which record number is next, also when all blocks are gone', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk, small);
    const blocks = await addBlocks(open, web, [0, 10, 20, 30]);
    await addBlocks(open, orders, [0]);
    await open.tracker.allocate(7);
    finishAll(open.tracker, [...blocks, ...open.tracker.held(orders)]);
    await open.tracker.sweep(0);
    for (let restart = 0; restart < 3; restart += 1) {
      disk.restart(nothingSurvives);
      const { tracker, log } = await openTracker(disk, small);
      expect(tracker.nextOffset(web)).toBe(40n);
      expect(tracker.newestBatchTimeMs).toBe(7);
      expect([tracker.streams, tracker.waiting.blocks]).toEqual([[], 0]);
      // A partition of Kafka has its numbers from Kafka.
      expect(tracker.nextOffset(orders)).toBe(0n);
      await tracker.sweep(0);
      expect(log.nextIndex).toBe(open.log.nextIndex);
    }
  });

  test('is written anew when more than it goes', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk, small);
    finishAll(open.tracker, await addBlocks(open, web, [0]));
    await open.tracker.sweep(0);
    finishAll(open.tracker, await addBlocks(open, web, [10]));
    await open.tracker.sweep(0);
    expect(await entriesOf(open.log)).toMatchObject([{ kind: 'cleanup', next: [{ nextOffset: 20n }] }]);
    disk.restart(nothingSurvives);
    expect((await openTracker(disk)).tracker.nextOffset(web)).toBe(20n);
  });

  test('that was written while a block was on its way does not let that block go', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    finishAll(open.tracker, await addBlocks(open, web, [0]));
    // Both lie in one group, the block before the snapshot that does not know of it.
    const adding = open.tracker.add(blockOf(web, 10));
    const sweeping = open.tracker.sweep(0);
    const block = await adding;
    await sweeping;
    expect((await entriesOf(open.log)).map(({ kind }) => kind)).toEqual(['block', 'cleanup']);
    open.tracker.finish(block);
    await open.tracker.sweep(0);
    disk.restart(nothingSurvives);
    const again = await openTracker(disk);
    expect(again.tracker.nextOffset(web)).toBe(20n);
    expect(await entriesOf(again.log)).toMatchObject([{ kind: 'cleanup', next: [{ nextOffset: 20n }] }]);
  });
});

test('a snapshot that meets a block between its fsync and its turn does not count it', async () => {
  const disk = new WalDisk();
  let whenSynced = () => {};
  const open = await openTracker(disk, { onSync: () => whenSynced() });
  finishAll(open.tracker, await addBlocks(open, web, [0]));
  let sweeping = Promise.resolve();
  whenSynced = () => {
    whenSynced = () => {};
    sweeping = open.tracker.sweep(0);
  };
  finishAll(open.tracker, await addBlocks(open, web, [10]));
  await sweeping;
  expect(await entriesOf(open.log)).toContainEqual(
    expect.objectContaining({ next: [expect.objectContaining({ nextOffset: 10n })] }),
  );
  await open.tracker.sweep(0);
  disk.restart(nothingSurvives);
  expect((await openTracker(disk)).tracker.nextOffset(web)).toBe(20n);
});

describe('a sweep', () => {
  test('touches nothing when nothing changed', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    const blocks = await addBlocks(open, orders, [0, 10, 20]);
    await open.tracker.allocate(1);
    finishAll(open.tracker, blocks.slice(0, 2));
    await open.tracker.sweep(1_000);
    finishAll(open.tracker, blocks);
    await open.tracker.sweep(1_000);
    const operations = operationsOf(disk);
    for (let at = 0; at < 10; at += 1) await open.tracker.sweep(1_000);
    expect(operations()).toBe(0);
    await open.clock.advance(1_000);
    await open.tracker.sweep(1_000);
    expect(operations()).toBeGreaterThan(0);
    const after = operationsOf(disk);
    await open.clock.advance(1_000);
    await open.tracker.sweep(1_000);
    expect(after()).toBe(0);
  });

  test('makes room on a full disk as far as the newest snapshot lets it, and says that the disk is full', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk, small);
    const blocks = await addBlocks(open, web, [0, 10, 20, 30, 40, 50]);
    await open.tracker.allocate(1);
    finishAll(open.tracker, blocks);
    await open.tracker.sweep(60_000);
    const more = await addBlocks(open, web, [60, 70]);
    await open.tracker.allocate(2);
    finishAll(open.tracker, more);
    const segments = open.log.segmentCount;
    disk.capacityBytes = 0;
    await open.clock.advance(60_000);
    await failure(open.tracker.sweep(60_000), 'WAL_FULL');
    expect(open.log.segmentCount).toBeLessThan(segments);
    expect(open.tracker.batches).toHaveLength(1);
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    await open.tracker.sweep(60_000);
    await open.tracker.sweep(0);
    expect(await entriesOf(open.log)).toMatchObject([
      { kind: 'cleanup', batchTimesMs: [2], next: [{ nextOffset: 80n }] },
    ]);
  });

  test('that could not move the watermark moves it the next time', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    finishAll(open.tracker, await addBlocks(open, web, [0]));
    disk.before = (operation, path) => {
      if (operation === 'write' && path.endsWith('state')) throw errno('ENOSPC', path);
    };
    await failure(open.tracker.sweep(0), 'WAL_FULL');
    expect(open.log.lowWatermark).toBe(0n);
    disk.before = () => {};
    await open.tracker.sweep(0);
    expect(open.log.lowWatermark).toBe(1n);
  });
});
