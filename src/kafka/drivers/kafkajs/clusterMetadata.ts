import { partitionName, type TopicPartition } from '../../../model/index.ts';
import type { BrokerAddress } from '../../clientOptions.ts';
import {
  type BrokerNode,
  brokerErrorCodes,
  type MetadataAnswer,
  type PartitionMetadata,
  type TopicMetadata,
} from '../../protocol/index.ts';
import { brokerFailure, topicsMissing } from '../../reading/index.ts';

export interface LeaderOf {
  readonly nodeId: number;
  readonly address: BrokerAddress;
  readonly leaderEpoch: number;
}

/**
 * What is known of brokers, topics and leaders. Brokers learn of changes one after the other, so an answer can be
 * older than one seen before: of one topic id, the leader with the higher epoch stays (KIP-320).
 */
export class ClusterMetadata {
  #nodes = new Map<number, BrokerNode>();
  readonly #topics = new Map<string, TopicMetadata>();

  /** Takes an answer in. Topics it does not speak of stay as they were. */
  update(answer: MetadataAnswer): void {
    // An answer without brokers comes from one that is just starting: what is known is worth more.
    if (answer.brokers.length > 0) this.#nodes = new Map(answer.brokers.map((node) => [node.nodeId, node]));
    for (const topic of answer.topics) this.#topics.set(topic.topic, newest(this.#topics.get(topic.topic), topic));
  }

  get addresses(): readonly BrokerAddress[] {
    return [...this.#nodes.values()];
  }

  topic(name: string): TopicMetadata | undefined {
    return this.#topics.get(name);
  }

  /** Makes the next look at a topic ask the brokers. */
  forget(topic: string): void {
    this.#topics.delete(topic);
  }

  /** The leader of a partition. Throws KAFKA_TOPIC_MISSING, KAFKA_AUTHORIZATION_FAILED, or a retriable error while there is none. */
  leader(of: TopicPartition): LeaderOf {
    const topic = this.#topics.get(of.topic);
    if (topic === undefined) throw topicsMissing([of.topic]);
    const action = `look up ${partitionName(of)}`;
    if (topic.errorCode !== 0) throw brokerFailure(topic.errorCode, { action, topic: of.topic });
    const partition = topic.partitions.find((candidate) => candidate.partition === of.partition);
    if (partition === undefined) {
      throw brokerFailure(brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION, { action, ...of });
    }
    const node = this.#nodes.get(partition.leader);
    // The partition's own error code only says what is missing of its replicas: the leader is what counts.
    if (node === undefined) throw brokerFailure(brokerErrorCodes.LEADER_NOT_AVAILABLE, { action, ...of });
    return { nodeId: node.nodeId, address: node, leaderEpoch: partition.leaderEpoch };
  }
}

function newest(known: TopicMetadata | undefined, answer: TopicMetadata): TopicMetadata {
  if (known === undefined || known.errorCode !== 0 || known.topicId !== answer.topicId) return answer;
  const knownPartitions = new Map(known.partitions.map((partition) => [partition.partition, partition]));
  const newer = (partition: PartitionMetadata): PartitionMetadata => {
    const before = knownPartitions.get(partition.partition);
    return before !== undefined && before.leaderEpoch > partition.leaderEpoch ? before : partition;
  };
  return { ...answer, partitions: answer.partitions.map(newer) };
}
