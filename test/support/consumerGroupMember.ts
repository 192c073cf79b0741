import type { ResolvedClientOptions } from '../../src/kafka/clientOptions.ts';
import { BrokerConnection } from '../../src/kafka/drivers/kafkajs/brokerConnection.ts';
import { closedError } from '../../src/kafka/drivers/kafkajs/membership/coordinatorLink.ts';
import {
  type BrokerAnswer,
  type BrokerRequest,
  findCoordinatorRequest,
  WireWriter,
} from '../../src/kafka/protocol/index.ts';
import { systemClock } from '../../src/platform/index.ts';
import { waitUntil } from '../services/index.ts';

const heartbeatMs = 200;

interface Assigned {
  readonly topicId: string;
  readonly partitions: readonly number[];
}

interface HeartbeatAnswer extends BrokerAnswer {
  readonly errorCode: number;
  readonly message: string | null;
  readonly memberId: string;
  readonly memberEpoch: number;
  /** Undefined: as it was. */
  readonly assigned: readonly Assigned[] | undefined;
}

interface Member {
  readonly groupId: string;
  readonly topic: string;
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly owned: readonly Assigned[];
}

/**
 * Brings a live member into a group of the new protocol (KIP-848), by its one request, spoken directly: it takes what it is
 * given and stays until `leave`. The broker is the only one of its cluster.
 */
export async function joinAsConsumerGroup(
  broker: string,
  groupId: string,
  topic: string,
): Promise<{ leave(): Promise<void> }> {
  const [host = '', port = ''] = broker.split(':');
  const options: ResolvedClientOptions = {
    brokers: [{ host, port: Number(port) }],
    clientId: 'tidemark-test',
    ssl: undefined,
    sasl: undefined,
    connectTimeoutMs: 5_000,
    requestTimeoutMs: 5_000,
  };
  const connection = new BrokerConnection({ host, port: Number(port) }, options, systemClock);
  await connection.open();
  let member: Member = { groupId, topic, memberId: '', memberEpoch: joining, owned: [] };
  const beat = async () => {
    const { errorCode, message, memberId, memberEpoch, assigned } = await connection.send(heartbeat(member), 5_000);
    if (errorCode !== 0) throw new Error(`${errorCode} ${message}`);
    member = { ...member, memberId, memberEpoch, owned: assigned ?? member.owned };
  };
  // Looking for the coordinator of the first group is what makes the topic that groups are kept in.
  await waitUntil(`a member of the new protocol in ${groupId}`, async () => {
    await connection.send(findCoordinatorRequest(groupId), 5_000);
    await beat();
    return true;
  });
  let last: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    last = last.then(beat);
    last.catch(() => clearInterval(timer));
  }, heartbeatMs);
  return {
    leave: async () => {
      clearInterval(timer);
      await last;
      member = { ...member, memberEpoch: leaving };
      await beat();
      connection.close(closedError('the member of the new protocol has left'));
    },
  };
}

const joining = 0;
const leaving = -1;

function heartbeat({ groupId, topic, memberId, memberEpoch, owned }: Member): BrokerRequest<HeartbeatAnswer> {
  return {
    apiKey: 68,
    apiName: 'ConsumerGroupHeartbeat',
    apiVersion: 0,
    encode: () =>
      new WireWriter()
        .noTags()
        .string(groupId)
        .string(memberId) // empty: the broker gives us one
        .int32(memberEpoch)
        .string(null)
        .string(null)
        .int32(30_000) // rebalance timeout
        .array([topic], (name, writer) => writer.string(name))
        .string(null) // the broker's assignor
        .array(owned, ({ topicId, partitions }, writer) =>
          writer
            .uuid(topicId)
            .array(partitions, (partition, inner) => inner.int32(partition))
            .noTags(),
        )
        .noTags()
        .bytes(),
    decode: (reader) => {
      reader.taggedFields();
      const throttleMs = reader.int32();
      const errorCode = reader.int16();
      const message = reader.nullableString();
      const answered = reader.nullableString() ?? memberId;
      const epoch = reader.int32();
      reader.int32(); // heartbeat interval
      const isGiven = reader.int8() >= 0;
      const assigned = isGiven
        ? reader.array((element) => {
            const topicId = element.uuid();
            const partitions = element.array((number) => number.int32());
            element.taggedFields();
            return { topicId, partitions };
          })
        : undefined;
      return { throttleMs, errorCode, message, memberId: answered, memberEpoch: epoch, assigned };
    },
  };
}
