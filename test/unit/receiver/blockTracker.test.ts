import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LoggedBlock } from '../../../src/receiver/block.ts';
import { BlockTracker } from '../../../src/receiver/blockTracker.ts';
import { encodeBlock } from '../../../src/receiver/entries.ts';
import { ManualClock } from '../../../src/testkit/memory/index.ts';
import { openWal } from '../../../src/wal/index.ts';
import { guardedDirectory } from '../../services/guard.ts';
import { errno, nothingSurvives, WalDisk } from '../../support/walDisk.ts';
import { failure, openOn } from '../wal/walSetting.ts';
import { addBlocks, blockOf, entriesOf, openTracker, orders, web } from './trackerSetting.ts';

const offsets = [0, 10, 20, 30, 40];
const fromOffsets = (blocks: readonly LoggedBlock[] | undefined) => blocks?.map(({ fromOffset }) => Number(fromOffset));

/** What the tracker knows, without what only this run of it knows. */
async function booksOf(disk: WalDisk): Promise<unknown> {
  const { tracker } = await openTracker(disk);
  const { streams, batches, newestBatchTimeMs } = tracker;
  return { streams: streams.map((key) => [key, tracker.unallocated(key)]), batches, newestBatchTimeMs };
}

describe("vectors of Spark's ReceivedBlockTrackerSuite", () => {
  test('block addition, and block to batch allocation', async () => {
    const open = await openTracker(new WalDisk());
    const { tracker } = open;
    expect([tracker.hasUnallocated, tracker.streams]).toEqual([false, []]);
    const first = await addBlocks(open, orders, offsets);
    expect(tracker.unallocated(orders)).toEqual(first);
    expect(tracker.hasUnallocated).toBe(true);

    expect(await tracker.allocate(1)).toEqual({ batchTimeMs: 1, blocks: new Map([[orders, first]]) });
    expect([tracker.unallocated(orders), tracker.hasUnallocated]).toEqual([[], false]);
    const second = await tracker.allocate(2);
    expect(second).toEqual({ batchTimeMs: 2, blocks: new Map([[orders, []]]) });

    expect((await tracker.allocate(1)).blocks.get(orders)).toEqual(first);
    const more = await addBlocks(open, orders, [50, 60]);
    expect(await tracker.allocate(2)).toEqual(second);
    expect(tracker.unallocated(orders)).toEqual(more);
    expect(tracker.batches.map(({ batchTimeMs }) => batchTimeMs)).toEqual([1, 2]);
  });

  test('block allocation with many blocks: 100 000 additions, then one allocation', { timeout: 300_000 }, async () => {
    const count = 100_000;
    const log = await openWal({ dir: join(guardedDirectory('block-tracker'), 'log') });
    onTestFinished(() => log.close());
    const tracker = await BlockTracker.recover(log, new ManualClock());
    const payload = Buffer.alloc(0);
    const additions = Array.from({ length: count }, (_, at) => tracker.add(blockOf(orders, at * 10, { payload })));
    const blocks = await Promise.all(additions);
    const batch = await tracker.allocate(1);
    expect(batch.blocks.get(orders)).toHaveLength(count);
    expect(batch.blocks.get(orders)?.every((block, at) => block === blocks[at])).toBe(true);
    const entries = await entriesOf(log);
    expect(entries).toHaveLength(count + 1);
    expect(entries.slice(0, count).every(({ kind }) => kind === 'block')).toBe(true);
    expect(entries.at(-1)).toMatchObject({
      kind: 'allocation',
      streams: [{ blocks: [{ fromIndex: 0n, untilIndex: BigInt(count) }] }],
    });
    expect(log.segmentCount).toBe(1);
  });

  test('recovery: blocks that were allocated are in their batch, the others wait', async () => {
    const disk = new WalDisk();
    const before = await openTracker(disk);
    await addBlocks(before, orders, offsets);
    await before.tracker.allocate(1_000);
    await addBlocks(before, orders, [50, 60]);
    disk.restart(nothingSurvives);
    const { tracker } = await openTracker(disk);
    expect(tracker.batches).toHaveLength(1);
    expect(fromOffsets(tracker.batches[0]?.blocks.get(orders))).toEqual(offsets);
    expect(fromOffsets(tracker.unallocated(orders))).toEqual([50, 60]);
    expect(tracker.newestBatchTimeMs).toBe(1_000);
  });

  test('recovery and cleanup over segments: books before and after are the same, and the oldest segment goes', async () => {
    const disk = new WalDisk();
    const limits = { segmentBytesMax: 900, entryBytesMax: 600 };
    let open = await openTracker(disk, limits);
    const firstBlocks = await addBlocks(open, orders, offsets);
    const again = async () => {
      disk.restart(nothingSurvives);
      open = await openTracker(disk, limits);
    };
    await again();
    expect(open.tracker.unallocated(orders)).toEqual(firstBlocks);
    expect(await entriesOf(open.log)).toHaveLength(5);
    for (const block of firstBlocks) {
      expect(String(await open.tracker.read(block))).toBe(`records from ${block.fromOffset} on`);
    }

    await open.tracker.allocate(1_000);
    const secondBlocks = await addBlocks(open, orders, [50, 60, 70, 80, 90]);
    await open.tracker.allocate(2_000);
    await again();
    const kinds = (await entriesOf(open.log)).map(({ kind }) => kind);
    const additions = Array.from({ length: 5 }, () => 'block');
    expect(kinds).toEqual([...additions, 'allocation', ...additions, 'allocation']);
    expect(open.tracker.batches.map(({ blocks }) => blocks.get(orders))).toEqual([firstBlocks, secondBlocks]);
    expect(open.tracker.hasUnallocated).toBe(false);

    const segmentsBefore = disk.names();
    for (const block of firstBlocks) open.tracker.finish(block);
    await open.tracker.cleanUp(2_000);
    expect(open.tracker.batches.map(({ batchTimeMs }) => batchTimeMs)).toEqual([2_000]);
    expect((await entriesOf(open.log)).at(-1)).toMatchObject({ kind: 'cleanup', batchTimesMs: [1_000] });
    await open.tracker.sweep(0);
    expect(disk.names()).not.toContain(segmentsBefore[0]);

    await again();
    expect(open.tracker.batches).toEqual([{ batchTimeMs: 2_000, blocks: new Map([[orders, secondBlocks]]) }]);
    expect(open.tracker.unallocated(orders)).toEqual([]);
    expect(open.tracker.newestBatchTimeMs).toBe(2_000);
  });
});

describe('a failed log write', () => {
  test('leaves the queue intact: an allocation on a full disk takes nothing, the next one everything', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    const blocks = await addBlocks(open, orders, offsets);
    fill(disk);
    await failure(open.tracker.allocate(1), 'WAL_FULL');
    expect(open.tracker.unallocated(orders)).toEqual(blocks);
    expect([open.tracker.batches, open.tracker.newestBatchTimeMs]).toEqual([[], undefined]);
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    expect((await open.tracker.allocate(1)).blocks.get(orders)).toEqual(blocks);
  });

  test('leaves everything as it was: addition, discard, adoption, cleanup', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    const { tracker } = open;
    const [first, second] = await addBlocks(open, web, [0, 10]);
    await tracker.allocate(1, [web]);
    const books = () => [tracker.batches, tracker.held(web), tracker.waiting, tracker.nextOffset(web)];
    const before = books();
    fill(disk);
    await failure(tracker.add(blockOf(web, 20)), 'WAL_FULL');
    await failure(tracker.discard([first, second] as LoggedBlock[], 'gone'), 'WAL_FULL');
    await failure(tracker.adopt(web, '', 'claim-2'), 'WAL_FULL');
    await failure(tracker.cleanUp(2), 'WAL_FULL');
    expect(books()).toEqual(before);
  });

  test('a log that has ended refuses everything', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    await addBlocks(open, orders, [0]);
    disk.before = (operation, path) => {
      if (operation === 'sync') throw errno('EIO', path);
    };
    await failure(open.tracker.add(blockOf(orders, 10)), 'WAL_WRITE_FAILED');
    await failure(open.tracker.allocate(1), 'WAL_WRITE_FAILED');
    expect(fromOffsets(open.tracker.unallocated(orders))).toEqual([0]);
  });

  test('an entry that is too large is refused', async () => {
    const { tracker } = await openTracker(new WalDisk(), { entryBytesMax: 500 });
    await failure(tracker.add(blockOf(orders, 0, { payload: Buffer.alloc(500) })), 'WAL_ENTRY_TOO_LARGE');
    expect(tracker.streams).toEqual([]);
    expect(tracker.nextOffset(orders)).toBe(0n);
  });
});

describe('allocating', () => {
  test('of several calls at once each has its turn: no block is in two batches', async () => {
    const open = await openTracker(new WalDisk());
    const blocks = await addBlocks(open, orders, offsets);
    const [first, same, second] = await Promise.all([
      open.tracker.allocate(1),
      open.tracker.allocate(1),
      open.tracker.allocate(2),
    ]);
    expect(first.blocks.get(orders)).toEqual(blocks);
    expect(same).toEqual(first);
    expect(second.blocks.get(orders)).toEqual([]);
  });

  test('only the streams that are asked for', async () => {
    const open = await openTracker(new WalDisk());
    const [block] = await addBlocks(open, orders, [0]);
    const own = await addBlocks(open, web, [0, 10]);
    const batch = await open.tracker.allocate(1, [web, 'nobody:3', web]);
    expect([...batch.blocks]).toEqual([
      [web, own],
      ['nobody:3', []],
    ]);
    expect(open.tracker.unallocated(orders)).toEqual([block]);
  });

  test('streams that took turns are told apart after a restart', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    for (const offset of [0, 10, 20]) {
      await addBlocks(open, orders, [offset]);
      await addBlocks(open, web, [offset]);
    }
    await open.tracker.allocate(1, [orders]);
    disk.restart(nothingSurvives);
    const { tracker } = await openTracker(disk);
    expect(fromOffsets(tracker.batches[0]?.blocks.get(orders))).toEqual([0, 10, 20]);
    expect(fromOffsets(tracker.unallocated(web))).toEqual([0, 10, 20]);
  });

  test('a block that is finished is not allocated any more; one that is added meanwhile is left to the next batch', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    const [done, , last] = await addBlocks(open, orders, [0, 10, 20]);
    open.tracker.finish(done as LoggedBlock);
    expect(fromOffsets(open.tracker.unallocated(orders))).toEqual([10, 20]);
    disk.syncTurns = 3;
    const allocating = open.tracker.allocate(1);
    const adding = open.tracker.add(blockOf(orders, 30));
    expect(fromOffsets((await allocating).blocks.get(orders))).toEqual([10, 20]);
    expect(open.tracker.unallocated(orders)).toEqual([await adding]);
    expect(open.tracker.waiting.blocks).toBe(3);
    open.tracker.finish(last as LoggedBlock);
    open.tracker.finish(last as LoggedBlock);
    expect(open.tracker.waiting.blocks).toBe(2);
  });
});

describe('what becomes of blocks', () => {
  test('records of a block are read from the log as they were added', async () => {
    const { tracker } = await openTracker(new WalDisk());
    const payload = Buffer.from([0, 1, 2, 255, 123]);
    const block = await tracker.add(blockOf(orders, 0, { payload }));
    expect(await tracker.read(block)).toEqual(payload);
    expect(block).toMatchObject({ payloadBytes: 5, place: { index: 0n } });
    expect(block).not.toHaveProperty('payload');
    expect(tracker.waiting).toEqual({ blocks: 1, bytes: 5 });
  });

  test('discarded blocks are gone from queue and batch, and stay gone', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    const [first, second] = await addBlocks(open, orders, [0, 10]);
    await open.tracker.allocate(1);
    const [third, fourth] = await addBlocks(open, orders, [20, 30]);
    await open.tracker.discard([third, first] as LoggedBlock[], 'another claim');
    const check = (tracker: typeof open.tracker) => {
      expect(tracker.batches[0]?.blocks.get(orders)).toEqual([second]);
      expect(tracker.unallocated(orders)).toEqual([fourth]);
      expect(tracker.held(orders)).toEqual([second, fourth]);
      expect(tracker.waiting.blocks).toBe(2);
    };
    check(open.tracker);
    const written = open.log.nextIndex;
    await open.tracker.discard([first as LoggedBlock], 'again');
    expect(open.log.nextIndex).toBe(written);
    disk.restart(nothingSurvives);
    check((await openTracker(disk)).tracker);
  });

  test('adopted blocks carry the new claim, wherever they are, and keep it', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    await addBlocks(open, orders, [0]);
    await open.tracker.allocate(1);
    await addBlocks(open, orders, [10]);
    await open.tracker.add(blockOf(orders, 20, { claim: 'claim-0' }));
    await open.tracker.adopt(orders, 'claim-1', 'claim-2');
    const written = open.log.nextIndex;
    await open.tracker.adopt(orders, 'claim-1', 'claim-3');
    expect(open.log.nextIndex).toBe(written);
    const claims = ['claim-2', 'claim-2', 'claim-0'];
    expect(open.tracker.held(orders).map(({ claim }) => claim)).toEqual(claims);
    expect(open.tracker.batches[0]?.blocks.get(orders)?.[0]?.claim).toBe('claim-2');
    disk.restart(nothingSurvives);
    expect((await openTracker(disk)).tracker.held(orders).map(({ claim }) => claim)).toEqual(claims);
  });

  test('blocks are held in the order of their offsets, whatever the order they came in', async () => {
    const open = await openTracker(new WalDisk());
    await addBlocks(open, orders, [20, 0, 10]);
    expect(fromOffsets(open.tracker.held(orders))).toEqual([0, 10, 20]);
    expect(fromOffsets(open.tracker.unallocated(orders))).toEqual([20, 0, 10]);
  });

  test('a batch that is cleaned up too early gives its blocks back', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    const [first, second] = await addBlocks(open, orders, [0, 10]);
    await open.tracker.allocate(1);
    open.tracker.finish(first as LoggedBlock);
    await open.tracker.cleanUp(2);
    expect([open.tracker.batches, open.tracker.unallocated(orders)]).toEqual([[], [second]]);
    expect((await open.tracker.allocate(1)).blocks.size).toBe(0);
    expect((await open.tracker.allocate(2)).blocks.get(orders)).toEqual([second]);
  });

  test('after a restart a block of a finished batch waits until it is finished again: the database may have gone back', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    const [block] = await addBlocks(open, orders, [0]);
    await open.tracker.allocate(1);
    open.tracker.finish(block as LoggedBlock);
    await open.tracker.sweep(60_000);
    expect([open.tracker.batches, open.tracker.hasUnallocated]).toEqual([[], false]);
    expect(open.tracker.held(orders)).toEqual([block]);
    disk.restart(nothingSurvives);
    const { tracker } = await openTracker(disk);
    expect(tracker.unallocated(orders)).toEqual([block]);
    expect((await tracker.allocate(2)).blocks.get(orders)).toEqual([block]);
    disk.restart(nothingSurvives);
    expect((await openTracker(disk)).tracker.batches[0]?.blocks.get(orders)).toEqual([block]);
  });

  test('a finished block that is opened again waits again, unless a batch has it', async () => {
    const open = await openTracker(new WalDisk());
    const [first] = (await addBlocks(open, orders, [0])) as [LoggedBlock];
    await open.tracker.allocate(1);
    open.tracker.finish(first);
    open.tracker.reopen(first);
    open.tracker.reopen(first);
    expect([open.tracker.hasUnallocated, open.tracker.waiting.blocks]).toEqual([false, 1]);
    open.tracker.finish(first);
    await open.tracker.sweep(60_000);
    open.tracker.reopen(first);
    expect((await open.tracker.allocate(2)).blocks.get(orders)).toEqual([first]);
  });
});

describe('recovery', () => {
  test('an entry that cannot be read stops it, with log and index', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk);
    await log.append(encodeBlock(blockOf(orders, 0)));
    await log.append(Buffer.from('something else'));
    await log.close();
    const { message } = await failure(openTracker(disk), 'WAL_VERSION_UNSUPPORTED');
    expect(message).toContain(`log ${log.logId}, entry 1: `);
  });

  test('what a repair could not save is not missed', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    await addBlocks(open, orders, [0, 10, 20]);
    await open.tracker.allocate(1);
    await open.log.close();
    const saved = new WalDisk();
    const log = await openOn(saved);
    // The allocation names three blocks, of which two are left.
    for (const [at, entry] of (await rawEntries(disk)).entries()) if (at !== 2) await log.append(entry);
    await log.close();
    const { tracker } = await openTracker(saved);
    expect(fromOffsets(tracker.batches[0]?.blocks.get(orders))).toEqual([0, 10]);
  });

  test('the same log gives the same books, however often', async () => {
    const disk = new WalDisk();
    const open = await openTracker(disk);
    await addBlocks(open, orders, [0, 10]);
    await open.tracker.allocate(1);
    await addBlocks(open, web, [0]);
    const once = await booksOf(disk);
    expect(await booksOf(disk)).toEqual(once);
    expect(once).toMatchObject({ newestBatchTimeMs: 1 });
  });
});

async function rawEntries(disk: WalDisk): Promise<readonly Buffer[]> {
  const log = await openOn(disk);
  const payloads: Buffer[] = [];
  for await (const { payload } of log.read()) payloads.push(payload);
  return payloads;
}

/** No room for another byte. */
function fill(disk: WalDisk): void {
  disk.capacityBytes = 0;
}
