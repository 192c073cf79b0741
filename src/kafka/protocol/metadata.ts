import type { BrokerAnswer, BrokerRequest } from './brokerRequest.ts';
import type { WireReader } from './wireReader.ts';
import { WireWriter } from './wireWriter.ts';

/** Version 12 carries topic ids and leader epochs. */
export const metadataApi = { apiKey: 3, apiName: 'Metadata', apiVersion: 12 } as const;

export interface BrokerNode {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

export interface PartitionMetadata {
  readonly errorCode: number;
  readonly partition: number;
  /** -1 where no leader is elected. */
  readonly leader: number;
  readonly leaderEpoch: number;
}

export interface TopicMetadata {
  readonly errorCode: number;
  readonly topic: string;
  readonly topicId: string;
  readonly isInternal: boolean;
  readonly partitions: readonly PartitionMetadata[];
}

export interface MetadataAnswer extends BrokerAnswer {
  readonly brokers: readonly BrokerNode[];
  readonly topics: readonly TopicMetadata[];
}

const noTopicId = '00000000-0000-0000-0000-000000000000';

/** Metadata of the named topics, of all topics for null. Never creates a topic. */
export function metadataRequest(topics: readonly string[] | null): BrokerRequest<MetadataAnswer> {
  return {
    ...metadataApi,
    encode: () =>
      new WireWriter()
        .noTags()
        .array(topics, (topic, writer) => writer.uuid(noTopicId).string(topic).noTags())
        .boolean(false)
        .boolean(false)
        .noTags()
        .bytes(),
    decode: decodeMetadata,
  };
}

function decodeMetadata(reader: WireReader): MetadataAnswer {
  reader.taggedFields();
  const throttleMs = reader.int32();
  const brokers = reader.array(brokerNode);
  reader.nullableString(); // cluster id
  reader.int32(); // controller
  return { throttleMs, brokers, topics: reader.array(topicMetadata) };
}

function brokerNode(reader: WireReader): BrokerNode {
  const node = { nodeId: reader.int32(), host: reader.string(), port: reader.int32() };
  reader.nullableString(); // rack
  reader.taggedFields();
  return node;
}

function topicMetadata(reader: WireReader): TopicMetadata {
  const metadata = {
    errorCode: reader.int16(),
    topic: reader.nullableString() ?? '',
    topicId: reader.uuid(),
    isInternal: reader.boolean(),
    partitions: reader.array(partitionMetadata),
  };
  reader.int32(); // authorized operations
  reader.taggedFields();
  return metadata;
}

function partitionMetadata(reader: WireReader): PartitionMetadata {
  const metadata = {
    errorCode: reader.int16(),
    partition: reader.int32(),
    leader: reader.int32(),
    leaderEpoch: reader.int32(),
  };
  for (let list = 0; list < 3; list += 1) reader.array((element) => element.int32()); // replicas, in sync, offline
  reader.taggedFields();
  return metadata;
}
