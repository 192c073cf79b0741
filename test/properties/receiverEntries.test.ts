import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTidemarkError } from '../../src/errors.ts';
import type { Block, LoggedBlock } from '../../src/receiver/block.ts';
import { BlockTracker } from '../../src/receiver/blockTracker.ts';
import {
  type BookEntry,
  decodeEntry,
  type EntryRange,
  encodeBlock,
  encodeEntry,
  headerOf,
  payloadOf,
} from '../../src/receiver/entries.ts';
import { ManualClock } from '../../src/testkit/memory/index.ts';
import { openWal, type WriteAheadLog } from '../../src/wal/index.ts';
import { nothingSurvives, processNumber, WalDisk } from '../support/walDisk.ts';
import { blockOf, orders, web } from '../unit/receiver/trackerSetting.ts';

const text = fc.string({ unit: 'binary', maxLength: 12 });
const offset = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
const time = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const partition = fc.record({ topic: text, partition: fc.nat() });

const block: fc.Arbitrary<Block> = fc
  .record({
    ...{ topic: text, partition: fc.nat(), blockId: text, offsets: fc.tuple(offset, offset), recordCount: fc.nat() },
    ...{ topicId: text, leaderEpoch: fc.integer({ min: -1 }), claim: text, receivedAtMs: time },
    payload: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  })
  .map(({ offsets: [a, b], ...facts }) => ({ ...facts, fromOffset: a < b ? a : b, untilOffset: a < b ? b : a }));

const ranges: fc.Arbitrary<readonly EntryRange[]> = fc
  .uniqueArray(offset, { maxLength: 6 })
  .map((ends) => ends.sort((a, b) => (a < b ? -1 : 1)))
  .map((ends) =>
    ends.flatMap((fromIndex, at) => {
      const untilIndex = ends[at + 1];
      return at % 2 === 0 && untilIndex !== undefined ? [{ fromIndex, untilIndex }] : [];
    }),
  );
const streams = fc.array(fc.record({ topic: text, partition: fc.nat(), blocks: ranges }), { maxLength: 3 });

const bookEntry: fc.Arbitrary<BookEntry> = fc.oneof(
  fc.record({ kind: fc.constant('allocation' as const), batchTimeMs: time, streams }),
  fc.record({
    kind: fc.constant('cleanup' as const),
    batchTimesMs: fc.array(time, { maxLength: 3 }),
    newestBatchTimeMs: fc.option(time, { nil: undefined }),
    next: fc.array(fc.record({ topic: text, partition: fc.nat(), nextOffset: offset }), { maxLength: 3 }),
    coveredUntil: offset,
  }),
  fc.record({
    kind: fc.constant('discard' as const),
    reason: text,
    streams: streams.map((list) => list.map((stream) => ({ ...stream, recordCount: 3 }))),
  }),
  fc
    .tuple(partition, text, text)
    .map(([of, fromClaim, toClaim]) => ({ kind: 'adoption' as const, ...of, fromClaim, toClaim })),
);
const encoded = fc.oneof(block.map(encodeBlock), bookEntry.map(encodeEntry));

const decoded = (payload: Buffer) => decodeEntry({ index: 1n, payload }, 'log');
const headerBytesOf = (entry: Buffer) => 6 + entry.readUInt32BE(2);

/** What a decoding gives: an entry, or an error that says so; anything else fails the test. */
function outcome(payload: Buffer): 'entry' | 'error' {
  try {
    decoded(payload);
    return 'entry';
  } catch (error) {
    if (isTidemarkError(error, 'WAL_CORRUPT') || isTidemarkError(error, 'WAL_VERSION_UNSUPPORTED')) return 'error';
    throw error;
  }
}

describe('entries', () => {
  test('come back as they were written', () => {
    fc.assert(
      fc.property(block, (written) => {
        const entry = encodeBlock(written);
        expect(decoded(entry)).toEqual({
          kind: 'block',
          header: headerOf(written),
          payloadBytes: written.payload.length,
        });
        expect(payloadOf(entry)).toEqual(written.payload);
      }),
    );
    fc.assert(
      fc.property(bookEntry, (written) => {
        expect(decoded(encodeEntry(written))).toEqual(written);
      }),
    );
  });

  test('cut anywhere in the header are an error', () => {
    fc.assert(
      fc.property(encoded, (entry) => {
        for (let bytes = 0; bytes < headerBytesOf(entry); bytes += 1) {
          expect(outcome(entry.subarray(0, bytes)), `${bytes} bytes`).toBe('error');
        }
      }),
      { numRuns: 30 },
    );
  });

  test('with a flipped bit are an error, or another entry that was written like it: never a crash', () => {
    fc.assert(
      fc.property(encoded, (entry) => {
        for (let bit = 0; bit < headerBytesOf(entry) * 8; bit += 1) {
          const flipped = Buffer.from(entry);
          flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          const isPrefix = bit < 48;
          if (outcome(flipped) === 'entry') expect(isPrefix, `bit ${bit}`).toBe(false);
        }
      }),
      { numRuns: 10 },
    );
  });

  test('random bytes are an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(outcome(Buffer.from(bytes))).toBe('error');
      }),
    );
  });

  test('every flipped bit on the disk stops the opening or the recovery', async () => {
    const disk = new WalDisk();
    const log = await openWal({ dir }, { files: disk, processes: processNumber(1) });
    await log.append(encodeBlock(blockOf(orders, 0)));
    await log.close();
    const path = `${dir}/00000000000000000000.wal`;
    const good = Buffer.from(disk.bytes(path));
    for (let byte = 40; byte < good.length; byte += 1) {
      const bad = Buffer.from(good);
      bad[byte] = (bad[byte] ?? 0) ^ (1 << (byte & 7));
      disk.change(path, bad);
      const opening = openWal({ dir }, { files: disk, processes: processNumber(2 + byte) });
      await expect(
        opening.then((opened) => BlockTracker.recover(opened, new ManualClock())),
        `byte ${byte}`,
      ).rejects.toThrow(/byte \d+/);
    }
  });
});

const dir = '/wal';
const keys = [orders, 'orders:1', web] as const;
type Key = (typeof keys)[number];

/** What a block went through, as callers know it. */
interface Known {
  readonly key: Key;
  /** By a batch, since the last restart or before it. */
  isTaken: boolean;
  isFinished: boolean;
  finishedAtMs: number;
  isDiscarded: boolean;
}

/** The tracker on a disk that forgets, and beside it a plain account of what was asked and answered. */
class World {
  readonly disk = new WalDisk();
  readonly clock = new ManualClock();
  readonly known = new Map<bigint, Known>();
  readonly next = new Map<Key, bigint>();
  newestBatchTimeMs: number | undefined;
  #log: WriteAheadLog | undefined;
  #tracker: BlockTracker | undefined;
  #processes = 0;

  get tracker(): BlockTracker {
    if (this.#tracker === undefined) throw new Error('not open');
    return this.#tracker;
  }

  async open(): Promise<void> {
    this.#processes += 1;
    this.#log = await openWal(
      { dir, segmentBytesMax: 1_500, entryBytesMax: 1_200 },
      { files: this.disk, processes: processNumber(this.#processes) },
    );
    this.#tracker = await BlockTracker.recover(this.#log, this.clock);
    // Nobody told the log which blocks are finished: those it still has are there again.
    const inBatches = new Set(
      this.tracker.batches.flatMap(({ blocks }) => [...blocks.values()].flat().map(({ place }) => place.index)),
    );
    for (const [index, block] of this.known) {
      block.isFinished = false;
      block.isTaken = inBatches.has(index);
      if (index >= this.#log.lowWatermark) this.#wasGone.delete(index);
    }
  }

  async restart(): Promise<void> {
    const heldBefore = this.#held();
    const batchesBefore = this.tracker.batches;
    this.disk.restart(nothingSurvives);
    await this.open();
    const held = new Set(this.#held().map(({ place }) => place.index));
    for (const { place } of heldBefore) expect(held, `block ${place.index} is held`).toContain(place.index);
    expect(this.tracker.batches).toEqual(batchesBefore);
    this.check();
  }

  async add(key: Key): Promise<void> {
    const fromOffset = this.next.get(key) ?? 0n;
    const { place } = await this.tracker.add(blockOf(key, Number(fromOffset)));
    this.next.set(key, fromOffset + 10n);
    expect(this.known.has(place.index)).toBe(false);
    this.known.set(place.index, { key, isTaken: false, isFinished: false, finishedAtMs: 0, isDiscarded: false });
  }

  async allocate(timeStep: number, wanted: readonly Key[]): Promise<void> {
    const expected = wanted.flatMap((key) => this.#unallocated(key));
    const batchTimeMs = (this.newestBatchTimeMs ?? 0) + timeStep;
    const isNew = this.newestBatchTimeMs === undefined || batchTimeMs > this.newestBatchTimeMs;
    const before = this.tracker.batches;
    const batch = await this.tracker.allocate(batchTimeMs, wanted);
    if (!isNew) {
      expect(this.tracker.batches).toEqual(before);
      return;
    }
    this.newestBatchTimeMs = batchTimeMs;
    const taken = [...batch.blocks.values()].flat().map(({ place }) => place.index);
    expect([...taken].sort()).toEqual([...expected].sort());
    for (const index of taken) {
      const known = this.known.get(index);
      expect(known?.isTaken, `block ${index} was in a batch`).toBe(false);
      if (known !== undefined) known.isTaken = true;
    }
  }

  finish(choice: number): void {
    const held = this.#held();
    const chosen = held[choice % Math.max(1, held.length)];
    const known = chosen === undefined ? undefined : this.known.get(chosen.place.index);
    if (chosen === undefined || known === undefined) return;
    this.tracker.finish(chosen);
    if (!known.isFinished) known.finishedAtMs = this.clock.monotonic();
    known.isFinished = true;
  }

  async discard(choice: number): Promise<void> {
    const held = this.#held();
    const chosen = held[choice % Math.max(1, held.length)];
    if (chosen === undefined) return;
    await this.tracker.discard([chosen], 'by chance');
    const known = this.known.get(chosen.place.index);
    if (known !== undefined) known.isDiscarded = true;
  }

  async sweep(retainMs: number): Promise<void> {
    await this.tracker.sweep(retainMs);
    const held = new Set(this.#held().map(({ place }) => place.index));
    for (const [index, { isFinished, finishedAtMs, isDiscarded }] of this.known) {
      const isDue = isFinished && this.clock.monotonic() - finishedAtMs >= retainMs;
      // Who is not held any more was finished long enough, or discarded.
      if (!held.has(index) && !isDiscarded) expect(isDue || this.#wasGone.has(index), `block ${index}`).toBe(true);
      if (!held.has(index)) this.#wasGone.add(index);
    }
  }

  /** After every step. */
  check(): void {
    const held = new Map(this.#held().map((one) => [one.place.index, one]));
    const inBatches = this.tracker.batches.flatMap(({ blocks }) => [...blocks.values()].flat());
    const unallocated = keys.flatMap((key) => this.tracker.unallocated(key));
    const everywhere = [...inBatches, ...unallocated].map(({ place }) => place.index);
    expect(new Set(everywhere).size, 'no block twice').toBe(everywhere.length);
    let waiting = 0;
    for (const [index, { isFinished, isDiscarded }] of this.known) {
      if (isDiscarded) expect(held.has(index), `discarded block ${index}`).toBe(false);
      if (isDiscarded || isFinished || this.#wasGone.has(index)) continue;
      waiting += 1;
      expect(everywhere, `block ${index} is lost`).toContain(index);
    }
    expect(this.tracker.waiting.blocks).toBe(waiting);
    expect(this.tracker.hasUnallocated).toBe(unallocated.length > 0);
    expect(this.tracker.nextOffset(web)).toBe(this.next.get(web) ?? 0n);
    expect(this.tracker.newestBatchTimeMs).toBe(this.newestBatchTimeMs);
    const lowWatermark = this.#log?.lowWatermark ?? 0n;
    for (const { place } of held.values()) expect(place.index).toBeGreaterThanOrEqual(lowWatermark);
  }

  /** Blocks that the tracker has forgotten because it may. */
  readonly #wasGone = new Set<bigint>();

  #held(): readonly LoggedBlock[] {
    return keys.flatMap((key) => this.tracker.held(key));
  }

  #unallocated(key: Key): readonly bigint[] {
    return this.tracker.unallocated(key).map(({ place }) => place.index);
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...keys).map((key) => (world: World) => world.add(key)) },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.subarray([...keys])).map(
      ([timeStep, wanted]) =>
        (world: World) =>
          world.allocate(timeStep, wanted),
    ),
  },
  { weight: 8, arbitrary: fc.nat().map((choice) => (world: World) => world.finish(choice)) },
  { weight: 1, arbitrary: fc.nat().map((choice) => (world: World) => world.discard(choice)) },
  { weight: 4, arbitrary: fc.constantFrom(0, 1_000).map((retainMs) => (world: World) => world.sweep(retainMs)) },
  { weight: 2, arbitrary: fc.constantFrom(100, 1_000).map((ms) => (world: World) => world.clock.advance(ms)) },
  { weight: 1, arbitrary: fc.constant((world: World) => world.restart()) },
);

test('nothing is lost and nothing is in two batches, whatever is added, allocated, finished, discarded, swept and restarted', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
      const world = new World();
      await world.open();
      for (const act of steps) {
        await act(world);
        world.check();
      }
      await world.restart();
    }),
    { numRuns: 150 },
  );
});
