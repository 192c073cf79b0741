import type { RecycledMemory } from '../../records/index.ts';

/** Why bytes cannot be the answers of a Kafka broker. */
export class NotKafkaError extends Error {
  readonly speaks: 'tls' | 'http' | 'unknown';

  constructor(speaks: NotKafkaError['speaks'], message: string) {
    super(message);
    this.name = 'NotKafkaError';
    this.speaks = speaks;
  }
}

/** The answer that opens a connection is a list of API versions: what claims to be larger is no Kafka broker. */
const firstAnswerBytesMax = 1024 * 1024;
/** Beyond any record batch a broker can hold (its own size field has 31 bits, its requests end at 100 MiB by default). */
const answerBytesMax = 1024 * 1024 * 1024;
/** Less is read into the socket's own buffer, with what comes behind it. */
const roomBytesMin = 32 * 1024;

/**
 * Cuts a connection's byte stream into answers: each a 32-bit size and that many bytes.
 *
 * The body of an answer is one buffer of its size. Small ones are copied out of the socket's own buffer, which is reused
 * for ever; the rest of a large one is read by the socket to where it belongs (`room`). kafkajs collects chunks of
 * 64 KiB and concatenates them: a copy, and as much again in short-lived memory.
 */
export class AnswerFramer {
  readonly #bodies: RecycledMemory;
  readonly #onAnswer: (correlationId: number, payload: Buffer, size: number) => void;
  readonly #size = Buffer.alloc(4);
  #sizeBytes = 0;
  #body: Buffer | undefined;
  #bodyBytes = 0;
  #answers = 0;

  constructor(bodies: RecycledMemory, onAnswer: (correlationId: number, payload: Buffer, size: number) => void) {
    this.#bodies = bodies;
    this.#onAnswer = onAnswer;
  }

  /** Where the next bytes belong, if that is known and worth it: what is read into it is pushed like any other bytes, and not copied. */
  get room(): Buffer | undefined {
    const body = this.#body;
    if (body === undefined || body.length - this.#bodyBytes < roomBytesMin) return undefined;
    return body.subarray(this.#bodyBytes);
  }

  /** Takes the next bytes, copying them unless they lie in `room` already. Throws NotKafkaError where they cannot be answers; the framer is dead then. */
  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#body === undefined) at = this.#readSize(bytes, at);
      if (this.#body !== undefined) at = this.#readBody(this.#body, bytes, at);
    }
  }

  #readSize(bytes: Buffer, at: number): number {
    const taken = bytes.copy(this.#size, this.#sizeBytes, at, at + 4 - this.#sizeBytes);
    this.#sizeBytes += taken;
    if (this.#sizeBytes === 4) {
      this.#body = this.#bodies.take(this.#checkedSize());
      this.#bodyBytes = 0;
    }
    return at + taken;
  }

  #checkedSize(): number {
    const size = this.#size.readInt32BE(0);
    if (size >= 4 && size <= (this.#answers === 0 ? firstAnswerBytesMax : answerBytesMax)) return size;
    const [type, major] = this.#size;
    // A TLS record begins with its type (21 alert, 22 handshake) and the major version 3.
    if ((type === 21 || type === 22) && major === 3) throw new NotKafkaError('tls', 'it answers in TLS');
    if (this.#size.toString('latin1') === 'HTTP') throw new NotKafkaError('http', 'it answers in HTTP');
    throw new NotKafkaError('unknown', `an answer of ${size} bytes is announced`);
  }

  #readBody(body: Buffer, bytes: Buffer, at: number): number {
    // Nothing else can lie where the body's next byte belongs.
    const isInPlace = bytes.buffer === body.buffer && bytes.byteOffset + at === body.byteOffset + this.#bodyBytes;
    const taken = isInPlace ? bytes.length : bytes.copy(body, this.#bodyBytes, at);
    this.#bodyBytes += taken;
    if (this.#bodyBytes === body.length) {
      this.#body = undefined;
      this.#sizeBytes = 0;
      this.#answers += 1;
      this.#onAnswer(body.readInt32BE(0), body.subarray(4), body.length);
    }
    return at + taken;
  }
}
