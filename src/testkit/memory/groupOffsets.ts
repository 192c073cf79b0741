import type { CommittedOffset } from '../../kafka/index.ts';
import { brokerFailure } from '../../kafka/reading/index.ts';
import { comparePartitions, type PartitionKey, partitionKey, type TopicPartition } from '../../model/index.ts';
import type { Topics } from './topics.ts';

const unstableOffsetCommit = 88;

interface Staged {
  readonly producerId: bigint;
  readonly groupId: string;
  readonly offsets: readonly CommittedOffset[];
}

/** Offsets that consumer groups have committed, and those that open transactions are about to. */
export class GroupOffsets {
  readonly #topics: Topics;
  readonly #groups = new Map<string, Map<PartitionKey, CommittedOffset>>();
  #staged: Staged[] = [];

  constructor(topics: Topics) {
    this.#topics = topics;
  }

  /** Groups that offsets were ever committed or staged for, those that have none left included. */
  get groupIds(): readonly string[] {
    return [...new Set([...this.#groups.keys(), ...this.#staged.map(({ groupId }) => groupId)])];
  }

  /** Throws UNSTABLE_OFFSET_COMMIT, retriable, while a transaction is about to change one of them (KIP-447). */
  read(groupId: string, topics?: readonly string[]): readonly CommittedOffset[] {
    const isAsked = ({ topic }: TopicPartition) => topics?.includes(topic) !== false;
    const isPending = this.#staged.some((staged) => staged.groupId === groupId && staged.offsets.some(isAsked));
    if (isPending)
      throw brokerFailure(unstableOffsetCommit, { action: `read the offsets of group ${groupId}`, groupId });
    return [...(this.#groups.get(groupId)?.values() ?? [])].filter(isAsked).sort(comparePartitions);
  }

  /** Throws KAFKA_TOPIC_MISSING; then nothing was written. */
  commit(groupId: string, offsets: readonly CommittedOffset[]): void {
    for (const of of offsets) this.#topics.partition(of);
    const group = this.#groups.get(groupId) ?? new Map();
    this.#groups.set(groupId, group);
    for (const { topic, partition, offset, metadata } of offsets) {
      group.set(partitionKey({ topic, partition }), { topic, partition, offset, metadata });
    }
  }

  delete(groupId: string, of: TopicPartition): void {
    this.#groups.get(groupId)?.delete(partitionKey(of));
  }

  stage(producerId: bigint, groupId: string, offsets: readonly CommittedOffset[]): void {
    for (const of of offsets) this.#topics.partition(of);
    this.#staged.push({ producerId, groupId, offsets });
  }

  /** The transaction of a producer ended. */
  settle(producerId: bigint, isCommitted: boolean): void {
    const ended = this.#staged.filter((staged) => staged.producerId === producerId);
    this.#staged = this.#staged.filter((staged) => staged.producerId !== producerId);
    if (isCommitted) for (const { groupId, offsets } of ended) this.commit(groupId, offsets);
  }

  /** Offsets of a topic that is gone are gone with it. */
  forget(topic: string): void {
    for (const group of this.#groups.values()) {
      for (const [key, committed] of group) if (committed.topic === topic) group.delete(key);
    }
  }
}
