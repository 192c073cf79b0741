import type { CommittedOffset } from '../../kafka/index.ts';
import { brokerFailure } from '../../kafka/reading/index.ts';
import { type PartitionKey, partitionKey, type TopicPartition } from '../../model/index.ts';
import type { Clock } from '../../platform/index.ts';
import type { TestCodec } from '../codecPackers.ts';
import type { ProducedRecord } from '../driverConformance/index.ts';
import { encodeRecordBatch, encodeTransactionMarker } from '../recordBatchEncoder.ts';
import type { GroupOffsets } from './groupOffsets.ts';
import type { Topics } from './topics.ts';

const invalidProducerEpoch = 47;
const invalidTxnState = 48;

/** A record as a test writes it. */
export interface MemoryRecord extends ProducedRecord {
  readonly headers?: readonly (readonly [name: string, value: Buffer | null])[];
}

interface TransactionalId {
  readonly producerId: bigint;
  producerEpoch: number;
  current: MemoryTransaction | undefined;
}

/** Writes into the logs of a cluster; producer ids and the transactions that are open. */
export class Producers {
  readonly #topics: Topics;
  readonly #offsets: GroupOffsets;
  readonly #clock: Clock;
  readonly #ids = new Map<string, TransactionalId>();
  #producerIds = 0n;

  constructor(topics: Topics, offsets: GroupOffsets, clock: Clock) {
    this.#topics = topics;
    this.#offsets = offsets;
    this.#clock = clock;
  }

  /** Writes records as one batch; returns the offset of the first. */
  write(
    of: TopicPartition,
    records: readonly MemoryRecord[],
    more: { readonly codec?: TestCodec; readonly producerId?: bigint } = {},
  ): bigint {
    const { log } = this.#topics.partition(of);
    const { producerId } = more;
    const isTransactional = producerId !== undefined;
    const baseTimestamp = records[0]?.timestamp ?? this.#clock.now();
    return log.append(encodeRecordBatch({ baseOffset: 0n, baseTimestamp, records, isTransactional, ...more }));
  }

  /** Begins to use a transactional id: whoever used it before is fenced, and what it left open is aborted (KIP-98). */
  initialise(transactionalId: string): { readonly producerId: bigint; readonly producerEpoch: number } {
    let entry = this.#ids.get(transactionalId);
    if (entry === undefined) {
      this.#producerIds += 1n;
      entry = { producerId: this.#producerIds, producerEpoch: -1, current: undefined };
      this.#ids.set(transactionalId, entry);
    }
    entry.current?.abort();
    entry.producerEpoch += 1;
    return { producerId: entry.producerId, producerEpoch: entry.producerEpoch };
  }

  begin(transactionalId: string, producerEpoch: number): MemoryTransaction {
    const entry = this.#entry(transactionalId, producerEpoch, 'begin a transaction');
    if (entry.current !== undefined) throw brokerFailure(invalidTxnState, { action: 'begin a transaction' });
    const transaction = new MemoryTransaction({
      check: (action) => this.#entry(transactionalId, producerEpoch, action),
      write: (of, records) => this.write(of, records, { producerId: entry.producerId }),
      stage: (groupId, offsets) => this.#offsets.stage(entry.producerId, groupId, offsets),
      end: (type, partitions) => {
        entry.current = undefined;
        this.#offsets.settle(entry.producerId, type === 'commit');
        for (const of of partitions) this.#mark(of, entry.producerId, type);
      },
    });
    entry.current = transaction;
    return transaction;
  }

  #entry(transactionalId: string, producerEpoch: number, action: string): TransactionalId {
    const entry = this.#ids.get(transactionalId);
    if (entry?.producerEpoch !== producerEpoch) throw brokerFailure(invalidProducerEpoch, { action });
    return entry;
  }

  #mark({ topic, partition }: TopicPartition, producerId: bigint, type: 'commit' | 'abort'): void {
    // A topic that was deleted meanwhile needs no marker.
    const log = this.#topics.find(topic)?.partitions[partition]?.log;
    log?.append(encodeTransactionMarker({ baseOffset: 0n, producerId, type, baseTimestamp: this.#clock.now() }));
  }
}

interface TransactionPort {
  /** Throws when the producer is fenced. */
  check(action: string): void;
  write(of: TopicPartition, records: readonly MemoryRecord[]): bigint;
  stage(groupId: string, offsets: readonly CommittedOffset[]): void;
  end(type: 'commit' | 'abort', partitions: readonly TopicPartition[]): void;
}

/** A transactional producer; a second one of the same transactional id fences it. */
export class MemoryProducer {
  readonly transactionalId: string;
  readonly producerId: bigint;
  readonly #producerEpoch: number;
  readonly #producers: Producers;

  constructor(producers: Producers, transactionalId: string) {
    const { producerId, producerEpoch } = producers.initialise(transactionalId);
    this.transactionalId = transactionalId;
    this.producerId = producerId;
    this.#producerEpoch = producerEpoch;
    this.#producers = producers;
  }

  /** Throws KAFKA_REQUEST_FAILED with INVALID_PRODUCER_EPOCH when fenced, INVALID_TXN_STATE while one is open. */
  beginTransaction(): MemoryTransaction {
    return this.#producers.begin(this.transactionalId, this.#producerEpoch);
  }
}

/**
 * A transaction. It holds back the last stable offset of every partition it has written to until it ends. Every method
 * throws KAFKA_REQUEST_FAILED: with INVALID_PRODUCER_EPOCH once the producer is fenced, with INVALID_TXN_STATE after the end.
 */
export class MemoryTransaction {
  readonly #port: TransactionPort;
  readonly #written = new Map<PartitionKey, TopicPartition>();
  #isOpen = true;

  constructor(port: TransactionPort) {
    this.#port = port;
  }

  /** Writes records as one batch and returns the offset of the first. */
  send(topic: string, partition: number, records: readonly MemoryRecord[]): bigint {
    this.#check(`send to ${topic}-${partition}`);
    const offset = this.#port.write({ topic, partition }, records);
    this.#written.set(partitionKey({ topic, partition }), { topic, partition });
    return offset;
  }

  /** Commits offsets of a group with the transaction; until its end, whoever asks the group for them waits. */
  sendOffsets(groupId: string, offsets: readonly CommittedOffset[]): void {
    this.#check(`commit offsets of group ${groupId}`);
    this.#port.stage(groupId, offsets);
  }

  commit(): void {
    this.#end('commit');
  }

  abort(): void {
    this.#end('abort');
  }

  #end(type: 'commit' | 'abort'): void {
    this.#check(`${type} a transaction`);
    this.#isOpen = false;
    this.#port.end(type, [...this.#written.values()]);
  }

  #check(action: string): void {
    this.#port.check(action);
    if (!this.#isOpen) throw brokerFailure(invalidTxnState, { action });
  }
}
