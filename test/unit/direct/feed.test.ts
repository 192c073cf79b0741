import { describe, expect, test } from 'vitest';
import { Feed } from '../../../src/direct/feed.ts';
import type { Fetcher, PartitionStream } from '../../../src/kafka/index.ts';
import { OffsetRange, type RecordChunk } from '../../../src/model/index.ts';
import { type Clock, systemClock } from '../../../src/platform/index.ts';
import { recordChunk } from '../../support/recordChunks.ts';

/** A stream at the port that has what it is given, and a clock moved by hand. */
class Setting implements Fetcher {
  readonly time = { ms: 0 };
  readonly clock: Clock = { ...systemClock, monotonic: () => this.time.ms };
  readonly #chunks: RecordChunk[] = [];
  #onChange = () => {};
  #fetchedUntil = 0n;
  #takenUntil = 0n;

  follow({ onChange }: { readonly onChange: () => void }): PartitionStream {
    this.#onChange = onChange;
    const setting = this;
    return {
      topic: 'orders',
      partition: 0,
      bounds: undefined,
      bufferedBytes: 0,
      error: undefined,
      retrying: undefined,
      get fetchedUntil() {
        return setting.#fetchedUntil;
      },
      get takenUntil() {
        return setting.#takenUntil;
      },
      take: () => {
        const chunk = this.#chunks.shift();
        this.#takenUntil = chunk?.nextOffset ?? this.#takenUntil;
        return chunk;
      },
      seek: () => {},
      close: () => {},
    };
  }

  async close(): Promise<void> {}

  arrive(records: number): void {
    const values = Array.from({ length: records }, (_, index) => {
      const offset = Number(this.#fetchedUntil) + index;
      return { value: `${offset}`, timestamp: 1000 * offset };
    });
    this.#chunks.push(recordChunk(values, { fromOffset: this.#fetchedUntil }));
    this.#fetchedUntil += BigInt(records);
    this.#onChange();
  }
}

function opened() {
  const setting = new Setting();
  const start = { topic: 'orders', partition: 0, topicId: 'id', nextOffset: 0n, leaderEpoch: -1 };
  return { setting, feed: new Feed(setting, start, setting.clock, () => {}) };
}

async function read(feed: Feed, from: bigint, until: bigint): Promise<void> {
  const range = new OffsetRange('orders', 0, from, until);
  for await (const chunk of feed.read(range, new AbortController().signal, undefined)) chunk.release();
}

describe('since when records wait in a feed', () => {
  test('counts from the arrival of the first of them', () => {
    const { setting, feed } = opened();
    expect(feed.waitingSinceMs).toBeUndefined();
    setting.time.ms = 5;
    setting.arrive(10);
    setting.time.ms = 8;
    setting.arrive(10);
    expect(feed.waitingSinceMs).toBe(5);
  });

  test('ends when all of them are read', async () => {
    const { setting, feed } = opened();
    setting.arrive(10);
    await read(feed, 0n, 10n);
    expect(feed.waitingSinceMs).toBeUndefined();
  });

  test('does not begin anew for those that a range left behind in its last chunk', async () => {
    const { setting, feed } = opened();
    setting.time.ms = 5;
    setting.arrive(10);
    setting.time.ms = 12;
    await read(feed, 0n, 4n);
    expect(feed.waitingSinceMs).toBe(5);
    setting.time.ms = 20;
    await read(feed, 4n, 7n);
    expect(feed.waitingSinceMs).toBe(5);
    await read(feed, 7n, 10n);
    expect(feed.waitingSinceMs).toBeUndefined();
  });
});

describe('the timestamp of what comes next', () => {
  test('is that of the first record at or after the position that waits', async () => {
    const { setting, feed } = opened();
    expect(feed.nextTimestampMs(0n)).toBeUndefined();
    setting.arrive(10);
    expect(feed.nextTimestampMs(3n)).toBe(3000);
    setting.arrive(10);
    await read(feed, 0n, 12n);
    expect(feed.nextTimestampMs(12n)).toBe(12_000);
    await read(feed, 12n, 20n);
    expect(feed.nextTimestampMs(20n)).toBeUndefined();
  });

  test('looking at it takes nothing away, before, between and while ranges are read', async () => {
    const { setting, feed } = opened();
    for (let count = 0; count < 4; count += 1) setting.arrive(5);
    expect(feed.nextTimestampMs(0n)).toBe(0);
    const offsets: bigint[] = [];
    for (const [from, until] of [
      [0n, 7n],
      [7n, 20n],
    ] as const) {
      const range = new OffsetRange('orders', 0, from, until);
      for await (const chunk of feed.read(range, new AbortController().signal, undefined)) {
        feed.nextTimestampMs(chunk.nextOffset);
        const cursor = chunk.cursor();
        while (cursor.next()) offsets.push(cursor.offset);
        chunk.release();
      }
      feed.nextTimestampMs(until);
    }
    expect(offsets).toEqual(Array.from({ length: 20 }, (_, offset) => BigInt(offset)));
  });

  test('looking at it does not begin the wait anew', () => {
    const { setting, feed } = opened();
    setting.time.ms = 5;
    setting.arrive(10);
    setting.time.ms = 50;
    feed.nextTimestampMs(0n);
    setting.arrive(10);
    expect(feed.waitingSinceMs).toBe(5);
  });
});
