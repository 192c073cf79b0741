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

interface HeartbeatAnswer extends BrokerAnswer {
  readonly errorCode: number;
  readonly message: string | null;
}

/**
 * Brings a live member into a group of the new protocol (KIP-848), by its one request, spoken directly: it stays for the
 * broker's session, 45 s. The broker is the only one of its cluster.
 */
export async function joinAsConsumerGroup(broker: string, groupId: string, topic: string): Promise<void> {
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
  try {
    // Looking for the coordinator of the first group is what makes the topic that groups are kept in.
    await waitUntil(`a member of the new protocol in ${groupId}`, async () => {
      await connection.send(findCoordinatorRequest(groupId), 5_000);
      const { errorCode, message } = await connection.send(heartbeat(groupId, topic), 5_000);
      if (errorCode !== 0) throw new Error(`${errorCode} ${message}`);
      return true;
    });
  } finally {
    connection.close(closedError('the member of the new protocol has joined'));
  }
}

function heartbeat(groupId: string, topic: string): BrokerRequest<HeartbeatAnswer> {
  return {
    apiKey: 68,
    apiName: 'ConsumerGroupHeartbeat',
    apiVersion: 0,
    encode: () =>
      new WireWriter()
        .noTags()
        .string(groupId)
        .string('') // the broker gives us an id
        .int32(0) // joining
        .string(null)
        .string(null)
        .int32(30_000) // rebalance timeout
        .array([topic], (name, writer) => writer.string(name))
        .string(null) // the broker's assignor
        .array([], () => {}) // nothing owned
        .noTags()
        .bytes(),
    decode: (reader) => {
      reader.taggedFields();
      const throttleMs = reader.int32();
      const errorCode = reader.int16();
      return { throttleMs, errorCode, message: reader.nullableString() };
    },
  };
}
