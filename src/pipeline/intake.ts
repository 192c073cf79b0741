import { isReceiverTopic, type PartitionBounds } from '../model/index.ts';
import type { FirstPosition, OffsetStore } from '../offsets/index.ts';
import type { OpenReceivers, ReceiverStatus } from '../receiver/index.ts';
import type { BatchSource } from '../scheduler/index.ts';
import type { KafkaPartitions } from './kafkaPartitions.ts';
import type { PipelineStatus } from './publicTypes.ts';
import type { SelectedPartition } from './selection.ts';

/** Where the records of a pipeline come from, wired: partitions of Kafka, receivers that number their records themselves, or both. */
export class Intake {
  readonly source: BatchSource;
  readonly #kafka: KafkaPartitions | undefined;
  readonly #receivers: OpenReceivers | undefined;
  readonly #close: () => Promise<void>;

  constructor(
    source: BatchSource,
    close: () => Promise<void>,
    kafka: KafkaPartitions | undefined,
    receivers?: OpenReceivers,
  ) {
    this.source = source;
    this.#close = close;
    this.#kafka = kafka;
    this.#receivers = receivers;
  }

  get receivers(): readonly ReceiverStatus[] {
    return this.#receivers?.statuses ?? [];
  }

  /** What is durable and not committed, and how much may be taken in; undefined in direct mode. */
  get waiting(): PipelineStatus['waiting'] {
    return this.#receivers?.waiting;
  }

  get receiveRateMax(): number | undefined {
    return this.#receivers?.rateLimit;
  }

  /** The partitions there are now. Rejects with KAFKA_TOPIC_MISSING. */
  async select(): Promise<readonly SelectedPartition[]> {
    return [...((await this.#kafka?.select()) ?? []), ...(this.#receivers?.partitions ?? [])];
  }

  /** Inserts the rows of selected partitions that the ledger does not know yet. Two processes may do so at once: the first one's rows stay. */
  async insertFirstPositions(selected: readonly SelectedPartition[], store: OffsetStore): Promise<void> {
    await this.#kafka?.insertFirstPositions(
      selected.filter(({ topic }) => !isReceiverTopic(topic)),
      store,
    );
    const own = this.#receivers?.partitions ?? [];
    const known = own.length === 0 ? [] : await store.read(own.map(({ topic }) => topic));
    const missing = own.filter(({ topic }) => !known.some((row) => row.topic === topic));
    if (missing.length > 0) await store.initialise(missing.map(firstOfLog));
  }

  async bounds(selected: readonly SelectedPartition[]): Promise<readonly (PartitionBounds | undefined)[]> {
    const own = new Map(this.#receivers?.partitions.map(({ topic, bounds }) => [topic, bounds]));
    const asked = selected.filter(({ topic }) => !isReceiverTopic(topic));
    const found = new Map((await this.#kafka?.bounds(asked))?.map((bounds, index) => [asked[index], bounds]));
    return selected.map((partition) => own.get(partition.topic) ?? found.get(partition));
  }

  close(): Promise<void> {
    return this.#close();
  }
}

/** A ledger that does not know the log yet gets everything that the log still has. */
function firstOfLog({ topic, partition, topicId, bounds }: OpenReceivers['partitions'][number]): FirstPosition {
  return { topic, partition, topicId, nextOffset: bounds.logStartOffset };
}
