import { setMaxListeners } from 'node:events';
import { isTidemarkError, messageOf, TidemarkError } from '../../errors.ts';
import type { Fetcher, FetcherOptions, FollowStart, PartitionStream } from '../../kafka/index.ts';
import type { FetchedPartition, FetchPartition } from '../../kafka/protocol/index.ts';
import {
  endsStream,
  type Failure,
  FollowedPartition,
  fetcherDefaults,
  judgeAnswer,
  judgeOutOfRange,
  retryBaseMs,
  retryCapMs,
  type StreamOwner,
  topicRecreated,
} from '../../kafka/reading/index.ts';
import { backoffMs, turnEventLoop } from '../../platform/index.ts';
import { answerFetch } from './fetchAnswer.ts';
import { closedError, type Link } from './link.ts';
import type { Topics } from './topics.ts';

/** Answers without records in spite of readable offsets, before it is told. */
const withheldMax = 3;

/**
 * Follows partitions of the memory cluster. Streams, and what an answer or a refused position means, are those of the
 * driver on a real cluster; only the line is another one. Each stream has a fetch of its own under way: no broker makes
 * the long poll of one hold up another.
 */
export class MemoryFetcher implements Fetcher, StreamOwner {
  readonly limits: FetcherOptions;
  readonly #topics: Topics;
  readonly #link: Link;
  readonly #onEnd: (fetcher: MemoryFetcher) => void;
  readonly #ending = new AbortController();
  /** Streams with what cancels the fetch under way. */
  readonly #streams = new Map<FollowedPartition, AbortController | undefined>();

  constructor(topics: Topics, link: Link, options: Partial<FetcherOptions>, onEnd: (fetcher: MemoryFetcher) => void) {
    this.#topics = topics;
    this.#link = link;
    this.limits = { ...fetcherDefaults, ...options };
    this.#onEnd = onEnd;
    setMaxListeners(0, this.#ending.signal); // one for every stream that waits for its next try
  }

  follow(start: FollowStart): PartitionStream {
    if (this.#ending.signal.aborted) throw this.#ending.signal.reason;
    const stream = new FollowedPartition(start, this);
    this.#streams.set(stream, undefined);
    queueMicrotask(() => this.#place(stream));
    return stream;
  }

  async close(): Promise<void> {
    this.end(closedError('the fetcher was closed'));
  }

  /** Ends every stream with `reason`. Again is a no-op. */
  end(reason: TidemarkError): void {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort(reason);
    this.#onEnd(this);
    const streams = [...this.#streams];
    this.#streams.clear();
    for (const [stream, fetch] of streams) {
      fetch?.abort(reason);
      stream.end(reason);
    }
  }

  wake(stream: FollowedPartition): void {
    if (!stream.wantsFetch || !this.#streams.has(stream)) return;
    // A stream that was sought wants another answer than the one under way.
    this.#cancelFetch(stream);
    void this.#fetch(stream, stream.asked());
  }

  closed(stream: FollowedPartition): void {
    this.#cancelFetch(stream);
    this.#streams.delete(stream);
  }

  #cancelFetch(stream: FollowedPartition): void {
    this.#streams.get(stream)?.abort(closedError('the fetch is of no use any more'));
  }

  /** Finds the leader of a stream that has none. */
  #place(stream: FollowedPartition): void {
    if (stream.isOver) return;
    try {
      const { log } = this.#topics.partition(stream);
      const { topicId } = this.#topics.get(stream.topic);
      if (topicId !== stream.topicId) {
        this.#failed(stream, { kind: 'final', error: topicRecreated(stream, stream.topicId, topicId) });
        return;
      }
      stream.placed(log.leaderEpoch);
    } catch (error) {
      this.#failed(stream, failureOf(error));
      return;
    }
    this.wake(stream);
  }

  async #fetch(stream: FollowedPartition, generation: number): Promise<void> {
    const cancel = new AbortController();
    this.#streams.set(stream, cancel);
    let changed = false;
    try {
      const request = stream.request();
      const waitMs = stream.isUnanswered ? 0 : this.limits.fetchWaitMs;
      const { topic, partition } = stream;
      const poll = (signal: AbortSignal) => this.#poll(topic, request, waitMs, signal);
      const answer = await this.#link.call('fetch', { topic, partition }, poll, cancel.signal);
      if (!stream.answers(generation)) return;
      changed = this.#take(stream, answer);
    } catch (error) {
      if (!stream.answers(generation)) return;
      this.#failed(stream, failureOf(error));
      return;
    }
    this.wake(stream);
    if (changed) stream.changed();
  }

  /** A long poll: answers when there is something to read, when anything about the partition has changed, or after `waitMs`. */
  async #poll(topic: string, request: FetchPartition, waitMs: number, signal: AbortSignal): Promise<FetchedPartition> {
    const answer = answerFetch(this.#topics, topic, request);
    const log = this.#topics.find(topic)?.partitions[request.partition]?.log;
    if (answer.bytes.length > 0) await turnEventLoop(); // as a socket would: much to read must not keep everybody else waiting
    if (answer.errorCode !== 0 || answer.diverging !== undefined || answer.bytes.length > 0) return answer;
    if (waitMs === 0 || log === undefined) return answer;
    await new Promise<void>((resolve) => {
      const done = () => {
        cancelTimer();
        cancelWatch();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const cancelTimer = this.#link.clock.after(waitMs, done);
      const cancelWatch = log.onChange(done);
      signal.addEventListener('abort', done, { once: true });
    });
    return answerFetch(this.#topics, topic, request);
  }

  /** Whether the answer is news for the user of the stream. */
  #take(stream: FollowedPartition, answer: FetchedPartition): boolean {
    const { batchBytesMax } = this.limits;
    const verdict = judgeAnswer(stream, answer, { batchBytesMax, hasRoom: true });
    switch (verdict.kind) {
      case 'records':
        stream.learn(answer);
        stream.append(verdict.chunk);
        return true;
      case 'nothing': {
        const isHeldBack = answer.lastStableOffset > stream.fetchedUntil;
        if (!isHeldBack || stream.withheld() < withheldMax) return stream.learn(answer);
        this.#failed(stream, { kind: 'retry', error: withheld(stream, answer.lastStableOffset) });
        return false;
      }
      case 'tooSmall':
        stream.askForMore(verdict.bytes);
        return false;
      default:
        this.#failed(stream, verdict);
        return false;
    }
  }

  #failed(stream: FollowedPartition, failure: Failure): void {
    if (stream.isOver) return;
    stream.displaced();
    if (endsStream(stream, failure, this.#link.clock.monotonic())) this.#finish(stream, failure.error);
    else if (failure.kind === 'outOfRange') void this.#examine(stream, failure.error);
    else this.#retry(stream, failure.error);
  }

  #finish(stream: FollowedPartition, error: Error): void {
    this.#streams.delete(stream);
    stream.end(error);
  }

  #retry(stream: FollowedPartition, error: Error): void {
    stream.failed(error, this.#link.clock.monotonic());
    const waitMs = backoffMs(stream.attempts, retryBaseMs, retryCapMs, () => 1);
    this.#link.clock.sleep(waitMs, this.#ending.signal).then(
      () => this.#place(stream),
      () => {}, // the fetcher has ended, and the stream with it
    );
    stream.changed();
  }

  async #examine(stream: FollowedPartition, error: Error): Promise<void> {
    const { generation } = stream;
    let failure: Failure;
    try {
      const { log } = this.#topics.partition(stream);
      failure = await judgeOutOfRange(stream, error, log.bounds, async (epoch) => log.endOfEpoch(epoch));
    } catch (problem) {
      failure = failureOf(problem);
    }
    // Sought meanwhile: the finding is about a position that is no more.
    if (stream.generation === generation) this.#failed(stream, failure);
    else this.#place(stream);
  }
}

/** The log cleaner has removed the last batches: readable offsets that there is nothing for, until the next record is written. */
function withheld({ topic, partition, fetchedUntil }: FollowedPartition, lastStableOffset: bigint): TidemarkError {
  const text = `The cluster says ${topic}-${partition} can be read up to offset ${lastStableOffset} and has nothing from ${fetchedUntil} on`;
  return new TidemarkError('KAFKA_REQUEST_FAILED', text, { topic, partition, offset: fetchedUntil, retriable: true });
}

function failureOf(error: unknown): Failure {
  if (!isTidemarkError(error)) {
    return { kind: 'final', error: error instanceof Error ? error : new Error(messageOf(error)) };
  }
  if (error.retriable) return { kind: 'retry', error };
  return { kind: error.code === 'KAFKA_TOPIC_MISSING' ? 'doubtful' : 'final', error };
}
