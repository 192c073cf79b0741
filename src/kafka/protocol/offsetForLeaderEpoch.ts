import { byTopic, type TopicPartition } from '../../model/index.ts';
import type { BrokerAnswer, BrokerRequest } from './brokerRequest.ts';
import type { WireReader } from './wireReader.ts';
import { WireWriter } from './wireWriter.ts';

export const offsetForLeaderEpochApi = { apiKey: 23, apiName: 'OffsetForLeaderEpoch', apiVersion: 4 } as const;

export interface EpochQuery extends TopicPartition {
  readonly currentLeaderEpoch: number;
  readonly leaderEpoch: number;
}

export interface EpochEnd extends TopicPartition {
  readonly errorCode: number;
  /** The largest epoch at or before the one asked for; -1 where the leader knows none. */
  readonly leaderEpoch: number;
  /** Where that epoch ends in the leader's log; -1 where it is not known. */
  readonly endOffset: bigint;
}

export interface OffsetForLeaderEpochAnswer extends BrokerAnswer {
  readonly ends: readonly EpochEnd[];
}

/** Asks a leader where an epoch ends in its log (KIP-320). */
export function offsetForLeaderEpochRequest(queries: readonly EpochQuery[]): BrokerRequest<OffsetForLeaderEpochAnswer> {
  return {
    ...offsetForLeaderEpochApi,
    encode: () =>
      new WireWriter()
        .noTags()
        .int32(-1) // a consumer, not a replica
        .array(byTopic(queries), ([topic, members], writer) => {
          writer
            .string(topic)
            .array(members, (member, inner) =>
              inner.int32(member.partition).int32(member.currentLeaderEpoch).int32(member.leaderEpoch).noTags(),
            )
            .noTags();
        })
        .noTags()
        .bytes(),
    decode: decodeOffsetForLeaderEpoch,
  };
}

function decodeOffsetForLeaderEpoch(reader: WireReader): OffsetForLeaderEpochAnswer {
  reader.taggedFields();
  const throttleMs = reader.int32();
  const ends: EpochEnd[] = [];
  reader.array((entry) => {
    const topic = entry.string();
    entry.array((element) => {
      const errorCode = element.int16();
      const partition = element.int32();
      ends.push({ topic, partition, errorCode, leaderEpoch: element.int32(), endOffset: element.int64() });
      element.taggedFields();
    });
    entry.taggedFields();
  });
  return { throttleMs, ends };
}
