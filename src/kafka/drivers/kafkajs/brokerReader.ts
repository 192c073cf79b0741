import { isTidemarkError, messageOf, TidemarkError } from '../../../errors.ts';
import { partitionName } from '../../../model/index.ts';
import type { BrokerAddress } from '../../clientOptions.ts';
import type { FetcherOptions } from '../../driver.ts';
import { type FetchAnswer, type FetchedPartition, fetchRequest } from '../../protocol/index.ts';
import type { FollowedPartition } from '../../reading/index.ts';
import { brokerFailure, type Failure, judgeAnswer } from '../../reading/index.ts';
import type { ByteLease, RecycledMemory } from '../../records/index.ts';
import type { BrokerConnection } from './brokerConnection.ts';
import type { Cluster } from './cluster.ts';

/** One answer brings at most this much, whatever the number of partitions, unless a single batch is larger. */
const answerBytesMax = 4 * 1024 * 1024;
/** Wait of a fetch that runs beside a long poll: the sooner it ends, the sooner all partitions share one request again. */
const expressWaitMs = 10;
/** A long poll that is about to end by itself is given this long before a second connection is used. */
const expressAfterMs = 5;
/** Answers without records, in spite of readable offsets and room for them, before the broker is given a rest. */
const withheldMax = 3;
const noBytes = Buffer.alloc(0);

export interface ReaderOwner {
  readonly cluster: Cluster;
  readonly limits: FetcherOptions;
  readonly bodies: RecycledMemory;
  /** The stream could not be read here; it has left the reader. */
  failed(stream: FollowedPartition, failure: Failure): void;
}

interface Lane {
  connection: BrokerConnection | undefined;
  busy: boolean;
  /** How long the broker may keep the fetch that is under way. */
  waitMs: number;
  /** The last answer brought records. */
  hot: boolean;
}

interface Asked {
  readonly stream: FollowedPartition;
  readonly generation: number;
}

/**
 * Reads all streams of one broker.
 *
 * One fetch at a time carries every stream that has room (`main`). The next one is sent as soon as the headers of an
 * answer are scanned, before anybody consumes it. At the end of the log it is a long poll, which a broker cannot be
 * told to end: a stream that wants a fetch then (it was drained, sought, or came from another broker) would wait for up
 * to `fetchWaitMs`. It is fetched on a second connection (`express`) that waits only a moment, until `main` comes back
 * and takes it in. So a stream waits for `expressAfterMs` at most, and an idle reader makes one request per long poll.
 */
export class BrokerReader {
  readonly #owner: ReaderOwner;
  readonly #address: BrokerAddress;
  /** In the order in which they are asked for: those that got records go to the end. */
  readonly #streams = new Set<FollowedPartition>();
  readonly #main: Lane = { connection: undefined, busy: false, waitMs: 0, hot: false };
  readonly #express: Lane = { connection: undefined, busy: false, waitMs: 0, hot: false };
  #cancelExpress: (() => void) | undefined;
  #pumpIsDue = false;
  #closed = false;

  constructor(address: BrokerAddress, owner: ReaderOwner) {
    this.#address = address;
    this.#owner = owner;
  }

  get isEmpty(): boolean {
    return this.#streams.size === 0;
  }

  attach(stream: FollowedPartition): void {
    this.#streams.add(stream);
    this.wake();
  }

  detach(stream: FollowedPartition): void {
    this.#streams.delete(stream);
  }

  /** Looks for streams to fetch once the present call is done: streams that come together go into one request. */
  wake(): void {
    if (this.#pumpIsDue) return;
    this.#pumpIsDue = true;
    queueMicrotask(() => {
      this.#pumpIsDue = false;
      this.#pump();
    });
  }

  close(reason: TidemarkError): void {
    this.#closed = true;
    this.#cancelExpress?.();
    this.#main.connection?.close(reason);
    this.#express.connection?.close(reason);
  }

  #pump(): void {
    if (this.#closed) return;
    const wanting = [...this.#streams].filter((stream) => stream.wantsFetch);
    if (wanting.length === 0) return;
    if (this.#main.busy) {
      if (this.#main.waitMs > 0) this.#planExpress();
      return;
    }
    // An express fetch that finds nothing ends in a moment: waiting for it brings all streams back into one request.
    // One that does find records goes on beside the long poll of the others.
    if (this.#express.busy && !this.#express.hot) return;
    this.#cancelExpress?.();
    const waitMs = wanting.some((stream) => stream.isUnanswered) ? 0 : this.#owner.limits.fetchWaitMs;
    void this.#fetch(this.#main, wanting, waitMs);
  }

  #planExpress(): void {
    if (this.#express.busy || this.#cancelExpress !== undefined) return;
    if (this.#express.hot) {
      this.#fetchExpress();
      return;
    }
    const cancel = this.#owner.cluster.clock.after(expressAfterMs, () => {
      this.#cancelExpress = undefined;
      this.#fetchExpress();
    });
    this.#cancelExpress = () => {
      this.#cancelExpress = undefined;
      cancel();
    };
  }

  #fetchExpress(): void {
    if (this.#closed) return;
    const wanting = [...this.#streams].filter((stream) => stream.wantsFetch);
    if (wanting.length > 0) void this.#fetch(this.#express, wanting, expressWaitMs);
  }

  async #fetch(lane: Lane, streams: readonly FollowedPartition[], waitMs: number): Promise<void> {
    lane.busy = true;
    lane.waitMs = waitMs;
    const asked = streams.map((stream) => ({ stream, generation: stream.asked() }));
    let changed: FollowedPartition[] = [];
    try {
      const answer = await this.#exchange(lane, asked, waitMs);
      lane.busy = false;
      changed = this.#distribute(lane, asked, answer);
    } catch (error) {
      lane.busy = false;
      lane.hot = false;
      this.#giveUp(asked, error);
    }
    this.#pump();
    for (const stream of changed) stream.changed();
  }

  async #exchange(lane: Lane, asked: readonly Asked[], waitMs: number): Promise<FetchAnswer> {
    const { cluster } = this.#owner;
    if (lane.connection?.isOpen !== true) {
      lane.connection = await cluster.connections.open(this.#address, this.#owner.bodies);
      if (this.#closed) lane.connection.close(new TidemarkError('KAFKA_CLOSED', 'Kafka: the fetcher was closed'));
    }
    const partitions = asked.map(({ stream }) => stream.request());
    const bytesMax = Math.max(answerBytesMax, ...partitions.map(({ partitionBytesMax }) => partitionBytesMax));
    const request = fetchRequest(partitions, { waitMs, bytesMax });
    const answer = await lane.connection.send(request, waitMs + cluster.options.requestTimeoutMs);
    if (answer.errorCode !== 0) throw brokerFailure(answer.errorCode, { action: 'fetch' });
    return answer;
  }

  /** Hands the parts of an answer to their streams and returns those that have news. */
  #distribute(lane: Lane, asked: readonly Asked[], answer: FetchAnswer): FollowedPartition[] {
    const parts = new Map(answer.partitions.map((part) => [`${part.topicId}:${part.partition}`, part]));
    const changed: FollowedPartition[] = [];
    const lease = this.#owner.bodies.leaseOf(answer.partitions.find(({ bytes }) => bytes.length > 0)?.bytes ?? noBytes);
    let hasRoom = true;
    lane.hot = false;
    for (const { stream, generation } of asked) {
      const part = parts.get(`${stream.topicId}:${stream.partition}`);
      if (stream.answers(generation)) {
        if (part === undefined) this.#leftOut(stream, answer);
        else if (this.#take(stream, part, { hasRoom, lease })) changed.push(stream);
      }
      if (part !== undefined && part.bytes.length > 0) {
        hasRoom = false;
        lane.hot = true;
      }
    }
    lease?.release();
    return changed;
  }

  /** `hasRoom`: no partition before this one has used up room of the answer, so an empty part means there is nothing. */
  #take(
    stream: FollowedPartition,
    part: FetchedPartition,
    { hasRoom, lease }: { readonly hasRoom: boolean; readonly lease: ByteLease | undefined },
  ): boolean {
    const { batchBytesMax } = this.#owner.limits;
    const verdict = judgeAnswer(stream, part, { batchBytesMax, hasRoom, lease });
    switch (verdict.kind) {
      case 'records':
        stream.learn(part);
        stream.append(verdict.chunk);
        this.#streams.delete(stream);
        this.#streams.add(stream);
        return true;
      case 'nothing': {
        const isHeldBack = hasRoom && part.lastStableOffset > stream.fetchedUntil;
        if (!isHeldBack || stream.withheld() < withheldMax) return stream.learn(part);
        this.#fail(stream, { kind: 'retry', error: withheld(stream, part.lastStableOffset) });
        return false;
      }
      case 'tooSmall':
        stream.askForMore(verdict.bytes);
        return false;
      default:
        this.#fail(stream, verdict);
        return false;
    }
  }

  /** A broker that throttles us answers at once and with nothing; the connection waits before it sends again. */
  #leftOut(stream: FollowedPartition, answer: FetchAnswer): void {
    if (answer.throttleMs > 0) return;
    const text = `The broker's answer leaves out ${partitionName(stream)}`;
    this.#fail(stream, { kind: 'retry', error: new TidemarkError('KAFKA_REQUEST_FAILED', text, { retriable: true }) });
  }

  #giveUp(asked: readonly Asked[], error: unknown): void {
    if (this.#closed) return;
    const failure = failureOf(error);
    for (const { stream, generation } of asked) if (stream.answers(generation)) this.#fail(stream, failure);
  }

  #fail(stream: FollowedPartition, failure: Failure): void {
    this.#streams.delete(stream);
    this.#owner.failed(stream, failure);
  }
}

/** What a failed request means for its streams. */
export function failureOf(error: unknown): Failure {
  if (!isTidemarkError(error))
    return { kind: 'final', error: error instanceof Error ? error : new Error(messageOf(error)) };
  if (error.retriable) return { kind: 'retry', error };
  // Credentials that were good before: a broker that has just started may not have read its users yet.
  const mayPass = error.code === 'KAFKA_AUTHENTICATION_FAILED' || error.code === 'KAFKA_TOPIC_MISSING';
  return { kind: mayPass ? 'doubtful' : 'final', error };
}

/**
 * The log cleaner can remove the last batches below an empty active segment. The broker then reports readable offsets
 * that it has nothing for, until the next record is written. Skipping them would be a guess, and a guess may lose records.
 */
function withheld(stream: FollowedPartition, lastStableOffset: bigint): TidemarkError {
  const { topic, partition, fetchedUntil } = stream;
  return new TidemarkError(
    'KAFKA_REQUEST_FAILED',
    `The broker says ${partitionName(stream)} can be read up to offset ${lastStableOffset} and sends nothing from ${fetchedUntil} on`,
    { topic, partition, offset: fetchedUntil, untilOffset: lastStableOffset, retriable: true },
  );
}
