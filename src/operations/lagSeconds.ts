import type { Fetcher, KafkaDriver } from '../kafka/index.ts';
import { readRange } from '../kafka/index.ts';
import { OffsetRange, type PartitionKey, partitionKey } from '../model/index.ts';
import { type Clock, systemClock } from '../platform/index.ts';
import type { PartitionPosition } from './positions.ts';

/** How old the first unread record of each partition is. */
export interface LagSeconds {
  /** 0 where nothing is unread; absent = unknown: the record has no timestamp, cannot be read, or did not come in time. */
  readonly seconds: ReadonlyMap<PartitionKey, number>;
  /** Partitions whose record had not come by the deadline. */
  readonly late: number;
}

export interface LagSecondsOptions {
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
  /** For all partitions together, in ms. Default 1000. */
  readonly deadlineMs?: number | undefined;
}

/** One record batch of usual size. A larger one still comes whole. */
const fetchBytesMax = 65_536;
/** Partitions read at the same time: with the bytes above, what is in memory at most. */
const readAtOnce = 128;
const fetchWaitMs = 100;

/**
 * Seconds of lag: from the timestamp of the first record at or after the position until now. Reads one record batch of each
 * partition that lags, through one fetcher. Never rejects for what cannot be read: that is unknown.
 */
export async function readLagSeconds(
  driver: KafkaDriver | undefined,
  positions: readonly PartitionPosition[],
  { clock = systemClock, deadlineMs = 1000 }: LagSecondsOptions = {},
): Promise<LagSeconds> {
  const seconds = new Map<PartitionKey, number>();
  for (const position of positions) if (position.lag === 0n) seconds.set(partitionKey(position), 0);
  // Should the time not be enough for all, those that have most to do come first.
  const due = positions.flatMap((position) => unread(position) ?? []).sort((a, b) => compareLag(b, a));
  if (driver === undefined || due.length === 0) return { seconds, late: 0 };
  const fetcher = driver.openFetcher({ fetchBytesMax, bufferedBytesMax: 1, fetchWaitMs });
  let isLate = false;
  const cancel = clock.after(deadlineMs, () => {
    isLate = true;
    // Ends every stream: what is being waited for is given up.
    void fetcher.close();
  });
  let begun = 0;
  let answered = 0;
  const readOneByOne = async () => {
    for (let head = due[begun]; head !== undefined && !isLate; head = due[begun]) {
      begun += 1;
      const age = await ageOf(head, fetcher, clock);
      if (!isLate) answered += 1;
      if (age !== undefined) seconds.set(partitionKey(head.range), age);
    }
  };
  await Promise.all(due.slice(0, readAtOnce).map(readOneByOne));
  cancel();
  await fetcher.close();
  return { seconds, late: due.length - answered };
}

interface Unread {
  readonly topicId: string;
  readonly range: OffsetRange;
}

function unread({ topic, partition, row, log, lag }: PartitionPosition): Unread | undefined {
  if (row === undefined || log === undefined || lag === undefined || lag === 0n) return undefined;
  const { logStartOffset, lastStableOffset } = log.bounds;
  const from = row.nextOffset > logStartOffset ? row.nextOffset : logStartOffset;
  return { topicId: log.topicId, range: new OffsetRange(topic, partition, from, lastStableOffset) };
}

function compareLag({ range: a }: Unread, { range: b }: Unread): number {
  return Number(a.offsetCount - b.offsetCount);
}

/** In seconds; undefined = unknown. Offsets without a record (markers, compaction) leave nothing to wait for: 0. */
async function ageOf({ topicId, range }: Unread, fetcher: Fetcher, clock: Clock): Promise<number | undefined> {
  try {
    for await (const chunk of readRange(fetcher, { topicId, range })) {
      const cursor = chunk.cursor();
      if (cursor.next()) return cursor.timestamp < 0 ? undefined : Math.max(0, clock.now() - cursor.timestamp) / 1000;
    }
    return 0;
  } catch {
    // Why it cannot be read is for who reads it: `peek`, and the pipeline itself.
    return undefined;
  }
}
