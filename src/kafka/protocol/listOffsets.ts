import { byTopic, type TopicPartition } from '../../model/index.ts';
import type { BrokerAnswer, BrokerRequest } from './brokerRequest.ts';
import type { WireReader } from './wireReader.ts';
import { WireWriter } from './wireWriter.ts';

export const listOffsetsApi = { apiKey: 2, apiName: 'ListOffsets', apiVersion: 8 } as const;

/** What the readable end is: high watermark (`readUncommitted`) or last stable offset (`readCommitted`). */
export const isolationLevels = { readUncommitted: 0, readCommitted: 1 } as const;
export type IsolationLevel = (typeof isolationLevels)[keyof typeof isolationLevels];

/** Timestamps with a meaning of their own. */
export const earliestTimestamp = -2n;
export const latestTimestamp = -1n;

export interface ListedOffset extends TopicPartition {
  readonly errorCode: number;
  /** -1 where nothing matches. */
  readonly offset: bigint;
}

export interface ListOffsetsAnswer extends BrokerAnswer {
  readonly offsets: readonly ListedOffset[];
}

/** Asks a leader for the first offset at or after a timestamp, or for an end of its partitions. */
export function listOffsetsRequest(
  partitions: readonly (TopicPartition & { readonly currentLeaderEpoch: number })[],
  timestamp: bigint,
  isolation: IsolationLevel,
): BrokerRequest<ListOffsetsAnswer> {
  return {
    ...listOffsetsApi,
    encode: () =>
      new WireWriter()
        .noTags()
        .int32(-1) // a consumer, not a replica
        .int8(isolation)
        .array(byTopic(partitions), ([topic, members], writer) => {
          writer
            .string(topic)
            .array(members, (member, inner) =>
              inner.int32(member.partition).int32(member.currentLeaderEpoch).int64(timestamp).noTags(),
            )
            .noTags();
        })
        .noTags()
        .bytes(),
    decode: decodeListOffsets,
  };
}

function decodeListOffsets(reader: WireReader): ListOffsetsAnswer {
  reader.taggedFields();
  const throttleMs = reader.int32();
  const offsets: ListedOffset[] = [];
  reader.array((entry) => {
    const topic = entry.string();
    entry.array((element) => {
      const partition = element.int32();
      const errorCode = element.int16();
      element.int64(); // timestamp
      offsets.push({ topic, partition, errorCode, offset: element.int64() });
      element.int32(); // leader epoch
      element.taggedFields();
    });
    entry.taggedFields();
  });
  return { throttleMs, offsets };
}
