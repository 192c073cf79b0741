import { TidemarkError } from '../../errors.ts';
import { brokerFailure, topicsMissing } from '../../kafka/reading/index.ts';
import type { TopicPartition } from '../../model/index.ts';
import type { Clock } from '../../platform/index.ts';
import { PartitionLog } from './partitionLog.ts';

const unknownTopicOrPartition = 3;

/** A topic of the cluster. */
export interface MemoryTopic {
  readonly topic: string;
  readonly topicId: string;
  readonly config: Readonly<Record<string, string>>;
  readonly partitions: MemoryPartition[];
}

/** A partition with its log and the broker that leads it. */
export interface MemoryPartition {
  readonly log: PartitionLog;
  leader: number;
}

/** The topics of a cluster by name, and who leads their partitions. */
export class Topics {
  readonly #clock: Clock;
  readonly #brokers: number;
  readonly #topics = new Map<string, MemoryTopic>();
  readonly #onChange = new Set<() => void>();
  #ids = 0;

  constructor(clock: Clock, brokers: number) {
    this.#clock = clock;
    this.#brokers = brokers;
  }

  get names(): readonly string[] {
    return [...this.#topics.keys()].sort();
  }

  find(topic: string): MemoryTopic | undefined {
    return this.#topics.get(topic);
  }

  /** Rejects with KAFKA_TOPIC_MISSING. */
  get(topic: string): MemoryTopic {
    const found = this.#topics.get(topic);
    if (found === undefined) throw topicsMissing([topic]);
    return found;
  }

  /** A partition as it is now: what retention allows has expired. Throws KAFKA_TOPIC_MISSING. */
  partition({ topic, partition }: TopicPartition): MemoryPartition {
    const found = this.get(topic);
    const entry = found.partitions[partition];
    if (entry === undefined) {
      throw brokerFailure(unknownTopicOrPartition, { action: `look up ${topic}-${partition}`, topic, partition });
    }
    this.#expire(found, entry.log);
    return entry;
  }

  create(topic: string, partitions: number, config: Readonly<Record<string, string>>): MemoryTopic {
    if (this.#topics.has(topic)) throw refused(`Topic ${topic} exists already`, 'TOPIC_ALREADY_EXISTS', topic);
    this.#ids += 1;
    const topicId = `00000000-0000-4000-8000-${this.#ids.toString(16).padStart(12, '0')}`;
    const made: MemoryTopic = { topic, topicId, config, partitions: [] };
    this.#topics.set(topic, made);
    this.#grow(made, partitions);
    return made;
  }

  delete(topic: string): void {
    const { partitions } = this.get(topic);
    this.#topics.delete(topic);
    for (const { log } of partitions) log.changed();
    this.#changed();
  }

  addPartitions(topic: string, total: number): void {
    const found = this.get(topic);
    if (total <= found.partitions.length) {
      const text = `Topic ${topic} has ${found.partitions.length} partitions, it cannot get ${total}`;
      throw refused(text, 'INVALID_PARTITIONS', topic);
    }
    this.#grow(found, total);
  }

  moveLeader(of: TopicPartition, to: number | undefined): void {
    const entry = this.partition(of);
    entry.leader = to ?? (entry.leader % this.#brokers) + 1;
    entry.log.beginEpoch();
  }

  /** Calls back whenever topics or partitions come or go; the returned function cancels. */
  onChange(callback: () => void): () => void {
    this.#onChange.add(callback);
    return () => this.#onChange.delete(callback);
  }

  #grow(topic: MemoryTopic, total: number): void {
    for (let partition = topic.partitions.length; partition < total; partition += 1) {
      topic.partitions.push({ log: new PartitionLog(topic.topic, partition), leader: (partition % this.#brokers) + 1 });
    }
    this.#changed();
  }

  #changed(): void {
    for (const callback of [...this.#onChange]) callback();
  }

  /** Retention by time: batches go from the start of the log on, as long as their newest record is too old. */
  #expire({ config }: MemoryTopic, log: PartitionLog): void {
    const retentionMs = Number(config['retention.ms'] ?? -1);
    if (retentionMs < 0) return;
    const horizonMs = this.#clock.now() - retentionMs;
    const { lastStableOffset } = log.bounds;
    const first = log.batches.find(({ maxTimestamp }) => maxTimestamp >= horizonMs);
    const before = first === undefined ? log.endOffset : first.baseOffset;
    log.deleteBefore(before < lastStableOffset ? before : lastStableOffset);
  }
}

function refused(text: string, foreignCode: string, topic: string): TidemarkError {
  return new TidemarkError('KAFKA_REQUEST_FAILED', text, { topic, foreignCode });
}
