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
    const values = Array.from({ length: records }, (_, index) => ({ value: `${index}` }));
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
