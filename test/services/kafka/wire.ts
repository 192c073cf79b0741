/**
 * Two requests, spoken directly. kafkajs has no ElectLeaders, and its metadata comes from a broker of its choice, while
 * "the leader has moved" is true for a test only when every broker says so.
 */
import { connect } from 'node:net';

export interface PartitionView {
  readonly partition: number;
  /** -1 while there is none. */
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
}

/** The cluster as one broker sees it. */
export interface ClusterView {
  readonly brokers: readonly { readonly id: number; readonly address: string }[];
  /** Of the topic that was asked for; undefined when this broker does not know it. */
  readonly partitions: readonly PartitionView[] | undefined;
}

const limitMs = 10_000;
const clientId = 'tidemark-test-admin';
const metadata = { key: 3, version: 4 };
/** KIP-460. */
const electLeaders = { key: 43, version: 1 };
const preferredElection = 0;
/** The partition has the wanted leader already. */
const electionNotNeeded = 84;

export async function viewOf(broker: string, topic?: string): Promise<ClusterView> {
  const topics = topic === undefined ? int32(0) : Buffer.concat([int32(1), text(topic)]);
  const noAutoCreation = Buffer.from([0]);
  const reader = new Reader(await exchange(broker, metadata, Buffer.concat([topics, noAutoCreation])));
  reader.int32(); // throttle time
  const brokers = reader.array(() => {
    const id = reader.int32();
    const address = `${reader.text()}:${reader.int32()}`;
    reader.text(); // rack
    return { id, address };
  });
  reader.text(); // cluster id
  reader.int32(); // controller
  const found = reader.array(() => {
    const error = reader.int16();
    reader.text(); // name
    reader.int8(); // internal
    const partitions = reader.array(() => readPartition(reader));
    return error === 0 ? partitions.sort((a, b) => a.partition - b.partition) : undefined;
  });
  return { brokers, partitions: found[0] };
}

function readPartition(reader: Reader): PartitionView {
  reader.int16(); // error: there is a leader, or it is -1
  const partition = reader.int32();
  const leader = reader.int32();
  const ids = () => reader.array(() => reader.int32());
  return { partition, leader, replicas: ids(), isr: ids() };
}

/** Makes the first replica of a partition its leader. */
export async function electPreferredLeader(broker: string, topic: string, partition: number): Promise<void> {
  const partitions = Buffer.concat([int32(1), int32(partition)]);
  const topics = Buffer.concat([int32(1), text(topic), partitions]);
  const body = Buffer.concat([Buffer.from([preferredElection]), topics, int32(limitMs)]);
  const reader = new Reader(await exchange(broker, electLeaders, body));
  reader.int32(); // throttle time
  const errors = [reader.int16()];
  reader.array(() => {
    reader.text();
    reader.array(() => {
      reader.int32();
      errors.push(reader.int16());
      reader.text(); // message
    });
  });
  const error = errors.find((code) => code !== 0 && code !== electionNotNeeded);
  if (error !== undefined) throw new Error(`electing the leader of ${topic}-${partition}: Kafka error ${error}`);
}

/** Sends one request on a connection of its own and gives what follows the correlation id of the answer. */
function exchange(broker: string, api: { key: number; version: number }, body: Buffer): Promise<Buffer> {
  const colon = broker.lastIndexOf(':');
  const message = Buffer.concat([int16(api.key), int16(api.version), int32(1), text(clientId), body]);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: broker.slice(0, colon), port: Number(broker.slice(colon + 1)) });
    let received = Buffer.alloc(0);
    socket.setTimeout(2 * limitMs, () => socket.destroy(new Error(`no answer from ${broker}`)));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`${broker} closed the connection without an answer`)));
    socket.on('data', (data: Buffer) => {
      received = Buffer.concat([received, data]);
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      resolve(received.subarray(8));
      socket.destroy();
    });
    socket.write(Buffer.concat([int32(message.length), message]));
  });
}

class Reader {
  #at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#advance(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#advance(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#advance(4));
  }

  /** Empty for null. */
  text(): string {
    const length = Math.max(0, this.int16());
    const start = this.#advance(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  array<T>(item: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, item);
  }

  #advance(bytes: number): number {
    const start = this.#at;
    this.#at += bytes;
    return start;
  }
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}
