import type { BrokerAnswer, BrokerRequest } from './brokerRequest.ts';
import { WireWriter } from './wireWriter.ts';

export const describeGroupsApi = { apiKey: 15, apiName: 'DescribeGroups', apiVersion: 5 } as const;

export interface DescribeGroupAnswer extends BrokerAnswer {
  readonly errorCode: number;
  /** `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty` or `Dead`; a group of KIP-848 is `Dead` here. */
  readonly state: string;
  /** `consumer`, `connect`, …; empty where nobody has ever joined. */
  readonly protocolType: string;
  /** The assignment is empty while the group is not stable. */
  readonly members: readonly {
    readonly memberId: string;
    readonly instanceId: string | null;
    readonly clientId: string;
    readonly clientHost: string;
    readonly assignment: Buffer;
  }[];
}

/** A group of the classic protocol as its coordinator has it. */
export function describeGroupRequest(groupId: string): BrokerRequest<DescribeGroupAnswer> {
  return {
    ...describeGroupsApi,
    encode: () => groupToDescribe(groupId),
    decode: (reader) => {
      reader.taggedFields();
      const throttleMs = reader.int32();
      const [group] = reader.array((element) => {
        const errorCode = element.int16();
        element.string(); // group
        const state = element.string();
        const protocolType = element.string();
        element.string(); // assignment strategy
        const members = element.array((member) => {
          const memberId = member.string();
          const instanceId = member.nullableString();
          const clientId = member.string();
          const clientHost = member.string();
          member.nullableBytes(); // metadata
          const assignment = member.nullableBytes() ?? Buffer.alloc(0);
          member.taggedFields();
          return { memberId, instanceId, clientId, clientHost, assignment };
        });
        element.int32(); // authorized operations
        element.taggedFields();
        return { errorCode, state, protocolType, members };
      });
      return { throttleMs, ...(group ?? { errorCode: -1, state: '', protocolType: '', members: [] }) };
    },
  };
}

/** The body that both kinds of description ask with. */
export function groupToDescribe(groupId: string): Buffer {
  return new WireWriter()
    .noTags()
    .array([groupId], (id, writer) => writer.string(id))
    .boolean(false) // authorized operations
    .noTags()
    .bytes();
}
