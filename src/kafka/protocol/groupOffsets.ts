import { byTopic, type TopicPartition } from '../../model/index.ts';
import type { BrokerAnswer, BrokerRequest } from './brokerRequest.ts';
import type { GroupMember } from './groupMembership.ts';
import type { WireReader } from './wireReader.ts';
import { WireWriter } from './wireWriter.ts';

export const findCoordinatorApi = { apiKey: 10, apiName: 'FindCoordinator', apiVersion: 4 } as const;
export const offsetFetchApi = { apiKey: 9, apiName: 'OffsetFetch', apiVersion: 8 } as const;
export const offsetCommitApi = { apiKey: 8, apiName: 'OffsetCommit', apiVersion: 8 } as const;

export interface CoordinatorAnswer extends BrokerAnswer {
  readonly errorCode: number;
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

/** Asks any broker which one coordinates a consumer group. */
export function findCoordinatorRequest(groupId: string): BrokerRequest<CoordinatorAnswer> {
  return {
    ...findCoordinatorApi,
    encode: () =>
      new WireWriter()
        .noTags()
        .int8(0) // a consumer group
        .array([groupId], (key, writer) => writer.string(key))
        .noTags()
        .bytes(),
    decode: (reader) => {
      reader.taggedFields();
      const throttleMs = reader.int32();
      const [coordinator] = reader.array((element) => {
        element.string(); // key
        const node = { nodeId: element.int32(), host: element.string(), port: element.int32() };
        const errorCode = element.int16();
        element.nullableString(); // error message
        element.taggedFields();
        return { ...node, errorCode };
      });
      return { throttleMs, ...(coordinator ?? { errorCode: -1, nodeId: -1, host: '', port: -1 }) };
    },
  };
}

export interface FetchedGroupOffset extends TopicPartition {
  readonly errorCode: number;
  /** -1 where the group has committed none. */
  readonly offset: bigint;
  readonly metadata: string;
}

export interface OffsetFetchAnswer extends BrokerAnswer {
  readonly errorCode: number;
  readonly offsets: readonly FetchedGroupOffset[];
}

/**
 * Offsets of a group, of the partitions named or all that it has. `requireStable`: an offset that a transaction is about to
 * change is a retriable error, not an old value. Of all of them, one that would be the first of its partition is just left out.
 */
export function offsetFetchRequest(
  groupId: string,
  partitions?: readonly TopicPartition[],
): BrokerRequest<OffsetFetchAnswer> {
  return {
    ...offsetFetchApi,
    encode: () =>
      new WireWriter()
        .noTags()
        .array([groupId], (group, writer) =>
          writer
            .string(group)
            .array(partitions === undefined ? null : byTopic(partitions), ([topic, members], inner) =>
              inner
                .string(topic)
                .array(members, ({ partition }, innermost) => innermost.int32(partition))
                .noTags(),
            )
            .noTags(),
        )
        .boolean(true)
        .noTags()
        .bytes(),
    decode: (reader) => {
      reader.taggedFields();
      const throttleMs = reader.int32();
      const [group] = reader.array(decodeGroup);
      return { throttleMs, ...(group ?? { errorCode: -1, offsets: [] }) };
    },
  };
}

function decodeGroup(reader: WireReader): { errorCode: number; offsets: FetchedGroupOffset[] } {
  reader.string(); // group
  const offsets: FetchedGroupOffset[] = [];
  reader.array((entry) => {
    const topic = entry.string();
    entry.array((element) => {
      const partition = element.int32();
      const offset = element.int64();
      element.int32(); // leader epoch
      const metadata = element.nullableString() ?? '';
      offsets.push({ topic, partition, offset, metadata, errorCode: element.int16() });
      element.taggedFields();
    });
    entry.taggedFields();
  });
  const errorCode = reader.int16();
  reader.taggedFields();
  return { errorCode, offsets };
}

export interface OffsetCommitAnswer extends BrokerAnswer {
  readonly results: readonly (TopicPartition & { readonly errorCode: number })[];
}

/** Who commits from outside of a group. */
const stranger: Omit<GroupMember, 'groupId'> = { memberId: '', generation: -1 };

/** Commits offsets of a group: as its member, or from outside of it, which is refused while the group has members. */
export function offsetCommitRequest(
  groupId: string,
  offsets: readonly (TopicPartition & { readonly offset: bigint; readonly metadata: string })[],
  { memberId, generation } = stranger,
): BrokerRequest<OffsetCommitAnswer> {
  return {
    ...offsetCommitApi,
    encode: () =>
      new WireWriter()
        .noTags()
        .string(groupId)
        .int32(generation)
        .string(memberId)
        .string(null) // no static member
        .array(byTopic(offsets), ([topic, members], writer) => {
          writer
            .string(topic)
            .array(members, (member, inner) =>
              inner.int32(member.partition).int64(member.offset).int32(-1).string(member.metadata).noTags(),
            )
            .noTags();
        })
        .noTags()
        .bytes(),
    decode: (reader) => {
      reader.taggedFields();
      const throttleMs = reader.int32();
      const results: { topic: string; partition: number; errorCode: number }[] = [];
      reader.array((entry) => {
        const topic = entry.string();
        entry.array((element) => {
          results.push({ topic, partition: element.int32(), errorCode: element.int16() });
          element.taggedFields();
        });
        entry.taggedFields();
      });
      return { throttleMs, results };
    },
  };
}
