import { describe, expect, test } from 'vitest';
import { OffsetRange } from '../../../src/model/index.ts';
import type { LaneSurroundings } from '../../../src/receiver/lane.ts';
import { RecordLane } from '../../../src/receiver/recordLane.ts';
import { WalDisk } from '../../support/walDisk.ts';
import { failure } from '../wal/walSetting.ts';
import { type LaneSetting, laneSetting } from './laneSetting.ts';

const topic = 'receiver:web@6f1c2a4e';

function openLane(on: LaneSurroundings, nextOffset = 0n): RecordLane {
  const lane = new RecordLane(topic, 50_000, on);
  lane.open(nextOffset);
  return lane;
}

/** Each in a block of its own; behind two that wait a block is cut at the interval only. */
async function storeEach({ clock }: LaneSetting, lane: RecordLane, values: readonly string[]): Promise<void> {
  for (const value of values) {
    const storing = lane.storeBatch(records([value]));
    await clock.advance(100);
    await storing;
  }
}

const records = (values: readonly string[]) => values.map((value) => ({ value }));

/** Values of the records in `[fromOffset, untilOffset)`, with their offsets. */
async function valuesOf(lane: RecordLane, fromOffset: bigint, untilOffset: bigint): Promise<readonly string[]> {
  const found: string[] = [];
  const range = new OffsetRange(topic, 0, fromOffset, untilOffset);
  for await (const chunk of lane.queue.read(range, new AbortController().signal)) {
    const cursor = chunk.cursor();
    while (cursor.next()) found.push(`${cursor.offset}=${cursor.record().text()}`);
  }
  return found;
}

describe('records are numbered', () => {
  test('as they are written: callers of one turn share a block, each keeps its order', async () => {
    const setting = await laneSetting(new WalDisk());
    const { on, logged, clock } = setting;
    const lane = openLane(on);
    await Promise.all([lane.storeBatch(records(['a1', 'a2'])), lane.storeBatch(records(['b1']))]);
    await lane.store({ value: 's1' });
    await clock.advance(100);
    await storeEach(setting, lane, ['c1']);
    expect(logged.map(({ fromOffset, untilOffset }) => [fromOffset, untilOffset])).toEqual([
      [0n, 3n],
      [3n, 4n],
      [4n, 5n],
    ]);
    expect(await valuesOf(lane, 0n, 5n)).toEqual(['0=a1', '1=a2', '2=b1', '3=s1', '4=c1']);
  });

  test('on, over a restart: from the last durable one, and what is committed is not queued again', async () => {
    const disk = new WalDisk();
    const first = await laneSetting(disk);
    const before = openLane(first.on);
    await storeEach(first, before, ['a', 'b', 'c']);
    disk.kill();
    const second = await laneSetting(disk);
    const lane = openLane(second.on, 2n);
    expect(lane.bounds).toEqual({ logStartOffset: 0n, lastStableOffset: 3n, highWatermark: 3n });
    await storeEach(second, lane, ['d']);
    expect(await valuesOf(lane, 2n, 4n)).toEqual(['2=c', '3=d']);
    expect(second.tracker.waiting.blocks).toBe(2);
  });
});

describe('a ledger that went back in time', () => {
  test('has its blocks committed again, as long as the log has them: they wait for a batch once more', async () => {
    const setting = await laneSetting(new WalDisk());
    const { on, tracker, clock } = setting;
    const lane = openLane(on);
    await storeEach(setting, lane, ['a', 'b', 'c']);
    await tracker.allocate(1);
    lane.committed(3n);
    await tracker.sweep(60_000);
    expect(tracker.waiting.blocks).toBe(0);
    lane.seek(1n);
    expect(lane.queue.next(1n, undefined).ranges).toHaveLength(2);
    expect(tracker.unallocated(lane.key).map(({ fromOffset }) => fromOffset)).toEqual([1n, 2n]);
    expect(tracker.waiting.blocks).toBe(2);
    // Longer than the retention: what waits again must not go.
    await clock.advance(120_000);
    await tracker.sweep(60_000);
    expect(await valuesOf(lane, 1n, 3n)).toEqual(['1=b', '2=c']);
  });
});

describe('the waiting limit', () => {
  test('holds storers of single records until something is committed', async () => {
    const setting = await laneSetting(new WalDisk(), { blocks: 2, bytes: 1_000_000 });
    const { on, clock } = setting;
    const lane = openLane(on);
    await storeEach(setting, lane, ['a', 'b']);
    expect(lane.hasRoom).toBe(false);
    let isStored = false;
    const storing = lane.store({ value: 'c' }).then(() => {
      isStored = true;
    });
    await clock.settle();
    expect(isStored).toBe(false);
    lane.committed(1n);
    await storing;
  });

  test('holds for a partition that is parked as well: what it takes in goes on filling the log', async () => {
    const setting = await laneSetting(new WalDisk(), { blocks: 3, bytes: 1_000_000 });
    const lane = openLane(setting.on);
    await storeEach(setting, lane, ['a']);
    lane.close();
    expect(lane.hasRoom).toBe(true);
    await storeEach(setting, lane, ['b', 'c']);
    expect(lane.hasRoom).toBe(false);
    lane.open(0n);
    expect(await valuesOf(lane, 0n, 3n)).toEqual(['0=a', '1=b', '2=c']);
  });
});

describe('when the intake is over', () => {
  test('whoever still stores is told that the receiver is stopped, and nothing is stored', async () => {
    const { on, tracker } = await laneSetting(new WalDisk());
    const lane = openLane(on);
    await lane.endIntake();
    await failure(lane.store({ value: 'late' }), 'RECEIVER_STOPPED');
    await failure(lane.storeBatch(records(['late'])), 'RECEIVER_STOPPED');
    expect(tracker.waiting.blocks).toBe(0);
  });

  test('a tail that nobody waited for is durable before it ends', async () => {
    const { on, logged } = await laneSetting(new WalDisk());
    const lane = openLane(on);
    await lane.store({ value: 'tail' });
    expect(logged).toEqual([]);
    await lane.endIntake();
    expect(logged.map(({ records: count }) => count)).toEqual([1]);
  });

  test('by force: whoever waits for room or for the disk is told that the receiver is stopped', async () => {
    const disk = new WalDisk();
    const { on } = await laneSetting(disk, { blocks: 1, bytes: 1_000_000 });
    const lane = openLane(on);
    await lane.storeBatch(records(['a']));
    disk.syncTurns = 50;
    const outcomes = Promise.all([
      failure(lane.storeBatch(records(['b'])), 'RECEIVER_STOPPED'),
      failure(lane.store({ value: 'c' }), 'RECEIVER_STOPPED'),
    ]);
    await new Promise((resolve) => setImmediate(resolve));
    lane.abandon();
    await outcomes;
  });
});

test('a receiver that stores without waiting for anything else leaves timers and sockets their turn', async () => {
  const { on } = await laneSetting(new WalDisk(), { blocks: 100, bytes: 10_000_000 });
  const lane = openLane(on);
  let turns = 0;
  let isStoring = true;
  const count = () => {
    turns += 1;
    if (isStoring) setImmediate(count);
  };
  setImmediate(count);
  for (let record = 0; record < 5000; record++) await lane.store({ value: 'x' });
  isStoring = false;
  expect(turns).toBeGreaterThanOrEqual(4);
});
