import { byTopic, type TopicPartition } from '../../model/index.ts';

/**
 * What the members of a group of consumers tell each other through the coordinator, which only passes it on: the
 * "consumer" protocol embedded in JoinGroup and SyncGroup (ConsumerProtocolSubscription and -Assignment, version 0; a
 * later version adds fields behind these). Encoded as before KIP-482.
 */
export interface ConsumerSubscription {
  readonly topics: readonly string[];
  /** What the assignment strategy wants to know of a member. */
  readonly userData: Buffer;
}

const version = 0;

export function encodeConsumerSubscription({ topics, userData }: ConsumerSubscription): Buffer {
  return Buffer.concat([int16(version), array(topics, text), sized(userData)]);
}

/** Throws a RangeError for bytes that end too early. */
export function decodeConsumerSubscription(bytes: Buffer): ConsumerSubscription {
  const reader = new PlainReader(bytes);
  reader.int16(); // version
  return { topics: reader.array(() => reader.text()), userData: reader.bytes() };
}

export function encodeConsumerAssignment(partitions: readonly TopicPartition[]): Buffer {
  const topics = array(byTopic(partitions), ([topic, members]) =>
    Buffer.concat([text(topic), array(members, ({ partition }) => int32(partition))]),
  );
  return Buffer.concat([int16(version), topics, sized(Buffer.alloc(0))]);
}

/** No bytes at all are an empty assignment. Throws a RangeError for bytes that end too early. */
export function decodeConsumerAssignment(bytes: Buffer): TopicPartition[] {
  if (bytes.length === 0) return [];
  const reader = new PlainReader(bytes);
  reader.int16(); // version
  return reader
    .array(() => {
      const topic = reader.text();
      return reader.array(() => ({ topic, partition: reader.int32() }));
    })
    .flat();
}

/** Reads past the end throw Node's RangeError. */
class PlainReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  text(): string {
    return this.#take(this.int16()).toString('utf8');
  }

  bytes(): Buffer {
    return this.#take(Math.max(0, this.int32()));
  }

  array<T>(element: () => T): T[] {
    const count = this.int32();
    if (count > this.#bytes.length)
      throw new RangeError(`an array of ${count} elements in ${this.#bytes.length} bytes`);
    const elements: T[] = [];
    for (let index = 0; index < count; index += 1) elements.push(element());
    return elements;
  }

  #take(length: number): Buffer {
    const start = this.#at;
    this.#at += length;
    if (length < 0 || this.#at > this.#bytes.length) throw new RangeError(`${length} bytes at byte ${start}`);
    return this.#bytes.subarray(start, this.#at);
  }
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([int16(bytes.length), bytes]);
}

function sized(bytes: Buffer): Buffer {
  return Buffer.concat([int32(bytes.length), bytes]);
}

function array<T>(values: readonly T[], element: (value: T) => Buffer): Buffer {
  return Buffer.concat([int32(values.length), ...values.map(element)]);
}
