import { TidemarkError } from '../../../errors.ts';
import { type PartitionBounds, partitionName } from '../../../model/index.ts';
import type { FetcherOptions } from '../../driver.ts';
import type { FollowedPartition } from '../../reading/index.ts';
import { type DecodedRecord, decodedChunk } from '../../records/index.ts';
import type { NativeMessage } from './nativeTypes.ts';

/** Bytes of a record beside key, value and headers. */
const recordOverheadBytes = 8;

/**
 * One stream on its way through the consumer: what it is assigned for, and what was delivered and is not yet known to
 * belong to the topic that was asked for.
 */
export class Reading {
  readonly stream: FollowedPartition;
  /** The stream's generation that the consumer reads for; undefined while it is not assigned. */
  assignedFor: number | undefined;
  isPaused = false;
  /** To be assigned anew: something got lost on the way. */
  needsRestart = false;
  /** The position nothing came for, and how often in a row. */
  stalledAt: bigint | undefined;
  stalls = 0;
  /** Whether the log could be another one below the position: its leader epoch is to be looked at. */
  isEpochInDoubt: boolean;
  /** When something was heard of it last, monotonic ms. */
  heardAtMs = 0;
  /** Bytes of `#waiting`. */
  waitingBytes = 0;
  #waiting: DecodedRecord[] = [];
  #waitingUntil: bigint;
  /** Counts `reset`: what waits after one is not what waited before. */
  #resets = 0;

  constructor(stream: FollowedPartition) {
    this.stream = stream;
    this.#waitingUntil = stream.fetchedUntil;
    this.isEpochInDoubt = stream.lastFetchedEpoch >= 0;
  }

  /** Up to where everything was delivered: where the next record is expected, or one behind a hole. */
  get deliveredUntil(): bigint {
    return this.#waitingUntil;
  }

  holdsAsMuchAs(limits: FetcherOptions): boolean {
    return this.stream.bufferedBytes + this.waitingBytes >= limits.bufferedBytesMax;
  }

  get hasWaiting(): boolean {
    return this.#waitingUntil > this.stream.fetchedUntil;
  }

  /** Begins again where the stream is. What was delivered and not handed out will be delivered again. */
  reset(): void {
    this.#resets += 1;
    this.#waiting = [];
    this.waitingBytes = 0;
    this.#waitingUntil = this.stream.fetchedUntil;
  }

  /** Whether what the consumer delivers now is for the stream as it is now: a seek may have come while it was polled. */
  get isCurrent(): boolean {
    return this.assignedFor === this.stream.generation;
  }

  /** Takes a record. The library delivers in order, so whatever lies between the last one and this is a hole. */
  deliver(message: NativeMessage): void {
    if (BigInt(message.offset) < this.#waitingUntil) return;
    const record = decoded(message);
    this.#waiting.push(record);
    this.waitingBytes += bytesOf(record);
    this.#waitingUntil = BigInt(message.offset) + 1n;
  }

  /** The end of what can be read now: what lies before it and was not delivered holds no record. */
  deliverEnd(offset: number): void {
    if (BigInt(offset) < this.#waitingUntil) return;
    this.#waitingUntil = BigInt(offset);
  }

  /** What waits now, to be handed out when the identity of the topic has been looked at after this call. */
  mark(): Delivery {
    return {
      generation: this.stream.generation,
      resets: this.#resets,
      count: this.#waiting.length,
      until: this.#waitingUntil,
    };
  }

  /** Hands out what waited when `mark` was called; false when it is not there any more. */
  handOut({ generation, resets, count, until }: Delivery, watermarks: Watermarks | undefined): boolean {
    const { stream } = this;
    if (generation !== stream.generation || !this.isCurrent || stream.state !== 'reading') return false;
    if (resets !== this.#resets || until <= stream.fetchedUntil) return false;
    const records = this.#waiting.splice(0, count);
    for (const record of records) this.waitingBytes -= bytesOf(record);
    stream.learn(boundsAfter(stream.bounds, until, watermarks));
    stream.append(decodedChunk(stream, stream.fetchedUntil, until, records));
    stream.changed();
    return true;
  }
}

export interface Delivery {
  readonly generation: number;
  readonly resets: number;
  readonly count: number;
  readonly until: bigint;
}

/** Log start and high watermark as of the last fetch. */
export interface Watermarks {
  readonly lowOffset: number;
  readonly highOffset: number;
}

/** The bounds, given that everything below `until` could be read. */
function boundsAfter(
  before: PartitionBounds | undefined,
  until: bigint,
  watermarks: Watermarks | undefined,
): PartitionBounds {
  const known = before ?? { logStartOffset: 0n, highWatermark: 0n, lastStableOffset: 0n };
  const lastStableOffset = max(known.lastStableOffset, until);
  const low = BigInt(Math.max(0, watermarks?.lowOffset ?? 0));
  const high = BigInt(Math.max(0, watermarks?.highOffset ?? 0));
  return {
    logStartOffset: max(known.logStartOffset, low),
    lastStableOffset,
    highWatermark: max(max(known.highWatermark, high), lastStableOffset),
  };
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function decoded({ offset, timestamp, key, value, leaderEpoch, headers }: NativeMessage): DecodedRecord {
  return {
    offset,
    timestamp,
    key,
    value,
    leaderEpoch: leaderEpoch ?? -1,
    // An assignment to `__proto__`, as the library makes it, does not make a property.
    headers: headers?.map((header) => Object.entries(header)[0] ?? ['__proto__', Object.getPrototypeOf(header)]) ?? [],
  };
}

function bytesOf({ key, value, headers }: DecodedRecord): number {
  let bytes = recordOverheadBytes + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, content] of headers) bytes += name.length + (content?.length ?? 0);
  return bytes;
}

/** The error of a stream for which nothing comes although there is something. */
export function nothingComes(reading: Reading, ms: number): TidemarkError {
  const { topic, partition } = reading.stream;
  const text = `Nothing came of ${partitionName(reading.stream)} for ${ms} ms, from offset ${reading.deliveredUntil} on, though there is more in the log`;
  return new TidemarkError('KAFKA_REQUEST_FAILED', text, { topic, partition, retriable: true });
}
