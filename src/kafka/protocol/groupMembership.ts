import type { BrokerAnswer, BrokerRequest } from './brokerRequest.ts';
import type { WireReader } from './wireReader.ts';
import { WireWriter } from './wireWriter.ts';

/** The classic group protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup. Kafka 2.4 to 3.2 brought these versions. */
export const joinGroupApi = { apiKey: 11, apiName: 'JoinGroup', apiVersion: 9 } as const;
export const heartbeatApi = { apiKey: 12, apiName: 'Heartbeat', apiVersion: 4 } as const;
export const leaveGroupApi = { apiKey: 13, apiName: 'LeaveGroup', apiVersion: 5 } as const;
export const syncGroupApi = { apiKey: 14, apiName: 'SyncGroup', apiVersion: 5 } as const;

/** What makes a group one of consumers, for its members and for Kafka's own tools. */
const protocolType = 'consumer';

/** Who speaks, and of which generation. */
export interface GroupMember {
  readonly groupId: string;
  readonly memberId: string;
  readonly generation: number;
}

export interface GroupErrorAnswer extends BrokerAnswer {
  readonly errorCode: number;
}

export interface JoinGroupAnswer extends GroupErrorAnswer {
  readonly generation: number;
  readonly protocolName: string | null;
  readonly leaderId: string;
  /** Also comes with MEMBER_ID_REQUIRED: the id to join with. */
  readonly memberId: string;
  /** Everybody, for the leader; empty for the others. */
  readonly members: readonly { readonly memberId: string; readonly metadata: Buffer }[];
}

export interface JoinGroup {
  readonly groupId: string;
  /** Empty for a first join. */
  readonly memberId: string;
  readonly sessionTimeoutMs: number;
  /** How long the group waits for its members to join a rebalance. */
  readonly rebalanceTimeoutMs: number;
  /** Name of the assignment strategy, which all members must share, and what the leader needs to know of us. */
  readonly strategy: { readonly name: string; readonly metadata: Buffer };
}

/** Answered when every member has joined, or `rebalanceTimeoutMs` is over. */
export function joinGroupRequest(join: JoinGroup): BrokerRequest<JoinGroupAnswer> {
  return {
    ...joinGroupApi,
    encode: () =>
      new WireWriter()
        .noTags()
        .string(join.groupId)
        .int32(join.sessionTimeoutMs)
        .int32(join.rebalanceTimeoutMs)
        .string(join.memberId)
        .string(null) // no static member
        .string(protocolType)
        .array([join.strategy], ({ name, metadata }, writer) => writer.string(name).nullableBytes(metadata).noTags())
        .string(null) // no reason
        .noTags()
        .bytes(),
    decode: (reader) => {
      reader.taggedFields();
      const throttleMs = reader.int32();
      const errorCode = reader.int16();
      const generation = reader.int32();
      reader.nullableString(); // protocol type
      const protocolName = reader.nullableString();
      const leaderId = reader.string();
      reader.boolean(); // skip assignment: of static members
      const memberId = reader.string();
      const members = reader.array((element) => {
        const id = element.string();
        element.nullableString(); // static member
        const metadata = bytesOf(element);
        element.taggedFields();
        return { memberId: id, metadata };
      });
      return { throttleMs, errorCode, generation, protocolName, leaderId, memberId, members };
    },
  };
}

export interface SyncGroupAnswer extends GroupErrorAnswer {
  readonly assignment: Buffer;
}

/** Hands in the assignment of all (the leader; the others hand in nothing) and gets one's own. */
export function syncGroupRequest(
  member: GroupMember & { readonly protocolName: string | null },
  assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
): BrokerRequest<SyncGroupAnswer> {
  return {
    ...syncGroupApi,
    encode: () =>
      withMember(member)
        .string(protocolType)
        .string(member.protocolName)
        .array(assignments, ({ memberId, assignment }, writer) =>
          writer.string(memberId).nullableBytes(assignment).noTags(),
        )
        .noTags()
        .bytes(),
    decode: (reader) => {
      const answer = errorAnswer(reader);
      reader.nullableString(); // protocol type
      reader.nullableString(); // strategy
      return { ...answer, assignment: bytesOf(reader) };
    },
  };
}

export function heartbeatRequest(member: GroupMember): BrokerRequest<GroupErrorAnswer> {
  return { ...heartbeatApi, encode: () => withMember(member).noTags().bytes(), decode: errorAnswer };
}

/** Leaves the group. The answer's error is the group's, or else that of the member. */
export function leaveGroupRequest(groupId: string, memberId: string): BrokerRequest<GroupErrorAnswer> {
  return {
    ...leaveGroupApi,
    encode: () =>
      new WireWriter()
        .noTags()
        .string(groupId)
        .array([memberId], (id, writer) => writer.string(id).string(null).string(null).noTags())
        .noTags()
        .bytes(),
    decode: (reader) => {
      const { throttleMs, errorCode } = errorAnswer(reader);
      const codes = reader.array((element) => {
        element.string(); // member
        element.nullableString(); // static member
        const code = element.int16();
        element.taggedFields();
        return code;
      });
      return { throttleMs, errorCode: errorCode === 0 ? (codes[0] ?? 0) : errorCode };
    },
  };
}

function withMember({ groupId, generation, memberId }: GroupMember): WireWriter {
  return new WireWriter().noTags().string(groupId).int32(generation).string(memberId).string(null);
}

function errorAnswer(reader: WireReader): GroupErrorAnswer {
  reader.taggedFields();
  return { throttleMs: reader.int32(), errorCode: reader.int16() };
}

function bytesOf(reader: WireReader): Buffer {
  return reader.nullableBytes() ?? Buffer.alloc(0);
}
