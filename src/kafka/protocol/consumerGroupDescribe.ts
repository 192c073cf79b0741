import type { TopicPartition } from '../../model/index.ts';
import type { BrokerAnswer, BrokerRequest } from './brokerRequest.ts';
import { groupToDescribe } from './describeGroups.ts';
import type { WireReader } from './wireReader.ts';

export interface ConsumerGroupAnswer extends BrokerAnswer {
  readonly errorCode: number;
  /** `Empty`, `Assigning`, `Reconciling` or `Stable`. */
  readonly state: string;
  readonly members: readonly {
    readonly memberId: string;
    readonly instanceId: string | null;
    readonly clientId: string;
    readonly clientHost: string;
    readonly epoch: number;
    /** What it has, and what the coordinator is on the way to. */
    readonly partitions: readonly TopicPartition[];
    readonly target: readonly TopicPartition[];
  }[];
}

/** A group of the new protocol (KIP-848) as its coordinator has it. Not among the APIs that every broker must have. */
export function consumerGroupDescribeRequest(groupId: string): BrokerRequest<ConsumerGroupAnswer> {
  return {
    apiKey: 69,
    apiName: 'ConsumerGroupDescribe',
    apiVersion: 0,
    encode: () => groupToDescribe(groupId),
    decode: (reader) => {
      reader.taggedFields();
      const throttleMs = reader.int32();
      const [group] = reader.array(readGroup);
      return { throttleMs, ...(group ?? { errorCode: -1, state: '', members: [] }) };
    },
  };
}

function readGroup(reader: WireReader): Pick<ConsumerGroupAnswer, 'errorCode' | 'state' | 'members'> {
  const errorCode = reader.int16();
  reader.nullableString(); // error message
  reader.string(); // group
  const state = reader.string();
  reader.int32(); // group epoch
  reader.int32(); // assignment epoch
  reader.string(); // assignor
  const members = reader.array((member) => {
    const memberId = member.string();
    const instanceId = member.nullableString();
    member.nullableString(); // rack
    const epoch = member.int32();
    const clientId = member.string();
    const clientHost = member.string();
    member.array((topic) => topic.string()); // subscription
    member.nullableString(); // subscription by a pattern
    const partitions = readAssignment(member);
    const target = readAssignment(member);
    member.taggedFields();
    return { memberId, instanceId, clientId, clientHost, epoch, partitions, target };
  });
  reader.int32(); // authorized operations
  reader.taggedFields();
  return { errorCode, state, members };
}

function readAssignment(reader: WireReader): TopicPartition[] {
  const partitions = reader
    .array((element) => {
      element.uuid(); // topic id
      const topic = element.string();
      const numbers = element.array((number) => number.int32());
      element.taggedFields();
      return numbers.map((partition) => ({ topic, partition }));
    })
    .flat();
  reader.taggedFields();
  return partitions;
}
