import { setMaxListeners } from 'node:events';
import { TidemarkError } from '../../../errors.ts';
import { partitionName } from '../../../model/index.ts';
import { backoffMs } from '../../../platform/index.ts';
import { addressText, type BrokerAddress } from '../../clientOptions.ts';
import type { Fetcher, FetcherOptions, FollowStart, PartitionStream } from '../../driver.ts';
import {
  endsStream,
  type Failure,
  FollowedPartition,
  fetcherDefaults,
  retryBaseMs,
  retryCapMs,
  type StreamOwner,
  topicRecreated,
} from '../../reading/index.ts';
import { RecycledMemory } from '../../records/index.ts';
import { BrokerReader, failureOf, type ReaderOwner } from './brokerReader.ts';
import type { Cluster } from './cluster.ts';
import { examinePosition } from './positionCheck.ts';

/**
 * Follows partitions: finds their leaders, gives each to the reader of its broker, and decides what becomes of
 * failures. Everything that is retried goes the same way: out of the reader, a wait, fresh metadata, into a reader.
 */
export class KafkajsFetcher implements Fetcher, StreamOwner, ReaderOwner {
  readonly cluster: Cluster;
  readonly limits: FetcherOptions;
  readonly bodies = new RecycledMemory();
  readonly #onClose: () => void;
  readonly #ending = new AbortController();
  readonly #streams = new Set<FollowedPartition>();
  readonly #readers = new Map<string, BrokerReader>();
  readonly #readerOf = new Map<FollowedPartition, BrokerReader>();
  /** Streams that want a leader now; those whose metadata failed them are true. */
  readonly #homeless = new Map<FollowedPartition, boolean>();
  #isPlacing = false;

  constructor(cluster: Cluster, options: Partial<FetcherOptions>, onClose: () => void) {
    this.cluster = cluster;
    this.limits = { ...fetcherDefaults, ...options };
    this.#onClose = onClose;
    setMaxListeners(0, this.#ending.signal); // one for every stream that waits for its next try
  }

  follow(start: FollowStart): PartitionStream {
    if (this.#ending.signal.aborted) throw this.#ending.signal.reason;
    if (!/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(start.topicId)) {
      const text = `${partitionName(start)}: ${JSON.stringify(start.topicId)} is not a topic id in the text form of a UUID`;
      throw new TidemarkError('INVARIANT_BROKEN', text, { topic: start.topic, partition: start.partition });
    }
    const stream = new FollowedPartition(start, this);
    this.#streams.add(stream);
    this.#findLeader(stream, false);
    return stream;
  }

  async close(): Promise<void> {
    this.end(new TidemarkError('KAFKA_CLOSED', 'Kafka: the fetcher was closed'));
  }

  /** Ends every stream with `reason` and closes the connections. Again is a no-op. */
  end(reason: TidemarkError): void {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort(reason);
    for (const reader of this.#readers.values()) reader.close(reason);
    this.#readers.clear();
    this.#readerOf.clear();
    this.#homeless.clear();
    this.#onClose();
    for (const stream of this.#streams) stream.end(reason);
    this.#streams.clear();
  }

  wake(stream: FollowedPartition): void {
    this.#readerOf.get(stream)?.wake();
  }

  closed(stream: FollowedPartition): void {
    this.#streams.delete(stream);
    this.#homeless.delete(stream);
    this.#leaveReader(stream);
    this.#closeEmptyReaders();
  }

  failed(stream: FollowedPartition, failure: Failure): void {
    this.#leaveReader(stream);
    if (stream.isOver) return;
    stream.displaced();
    if (endsStream(stream, failure, this.cluster.clock.monotonic())) this.#finish(stream, failure.error);
    else if (failure.kind === 'outOfRange') void this.#examine(stream, failure.error);
    else this.#retry(stream, failure.error);
  }

  #finish(stream: FollowedPartition, error: Error): void {
    this.#streams.delete(stream);
    stream.end(error);
  }

  #retry(stream: FollowedPartition, error: Error): void {
    stream.failed(error, this.cluster.clock.monotonic());
    const waitMs = backoffMs(stream.attempts, retryBaseMs, retryCapMs);
    // Not `clock.after`: while all brokers are away this timer is all that keeps the process alive.
    this.cluster.clock.sleep(waitMs, this.#ending.signal).then(
      () => this.#findLeader(stream, true),
      () => {}, // the fetcher has ended, and the stream with it
    );
    stream.changed();
  }

  /** The broker does not have the position. Says so, or retries, when it is known what it has. */
  async #examine(stream: FollowedPartition, error: Error): Promise<void> {
    const { generation } = stream;
    let failure: Failure;
    try {
      failure = await examinePosition(this.cluster, stream, error);
    } catch (problem) {
      failure = failureOf(problem);
    }
    // Meanwhile: closed or ended by the fetcher, nothing to do. Sought: the finding is about a position that is no more.
    if (stream.isOver) return;
    if (stream.generation === generation) this.failed(stream, failure);
    else this.#findLeader(stream, true);
  }

  #findLeader(stream: FollowedPartition, fresh: boolean): void {
    if (stream.isOver) return;
    this.#homeless.set(stream, fresh);
    if (this.#isPlacing) return;
    this.#isPlacing = true;
    void this.#placeAll();
  }

  async #placeAll(): Promise<void> {
    await null; // streams that are followed in one go are looked up in one go
    while (this.#homeless.size > 0) {
      const streams = [...this.#homeless];
      this.#homeless.clear();
      const topics = new Set(
        streams.flatMap(([{ topic }, fresh]) => {
          return fresh || (this.cluster.metadata.topic(topic)?.errorCode ?? -1) !== 0 ? [topic] : [];
        }),
      );
      let failure: Failure | undefined;
      try {
        if (topics.size > 0) await this.cluster.refresh([...topics]);
      } catch (error) {
        failure = failureOf(error);
      }
      if (this.#ending.signal.aborted) return;
      for (const [stream] of streams) {
        if (stream.isOver) continue;
        if (failure === undefined) this.#place(stream);
        else this.failed(stream, failure);
      }
      this.#closeEmptyReaders();
    }
    this.#isPlacing = false;
  }

  #place(stream: FollowedPartition): void {
    try {
      const leader = this.cluster.metadata.leader(stream);
      const found = this.cluster.metadata.topic(stream.topic)?.topicId ?? '';
      if (found !== stream.topicId) {
        this.failed(stream, { kind: 'doubtful', error: topicRecreated(stream, stream.topicId, found) });
        return;
      }
      stream.placed(leader.leaderEpoch);
      const reader = this.#reader(leader.nodeId, leader.address);
      this.#readerOf.set(stream, reader);
      reader.attach(stream);
    } catch (error) {
      this.failed(stream, failureOf(error));
    }
  }

  #reader(nodeId: number, address: BrokerAddress): BrokerReader {
    const key = `${nodeId} ${addressText(address)}`;
    const reader = this.#readers.get(key) ?? new BrokerReader(address, this);
    this.#readers.set(key, reader);
    return reader;
  }

  #leaveReader(stream: FollowedPartition): void {
    this.#readerOf.get(stream)?.detach(stream);
    this.#readerOf.delete(stream);
  }

  /** Not when a stream leaves, because most of them come back in a moment. */
  #closeEmptyReaders(): void {
    for (const [key, reader] of this.#readers) {
      if (!reader.isEmpty || this.#homeless.size > 0) continue;
      reader.close(new TidemarkError('KAFKA_CLOSED', 'Kafka: nothing is read from this broker any more'));
      this.#readers.delete(key);
    }
  }
}
