import { TidemarkError } from '../../errors.ts';

/** `foreignCode` of an answer that does not follow the protocol. */
export const malformedAnswer = 'MALFORMED_ANSWER';

/**
 * Reads the values of a Kafka answer in the flexible encoding (KIP-482): compact lengths and tagged fields.
 *
 * Every read is checked against the end of the answer, and every announced count against the bytes that are left, so
 * that a cut or hostile answer ends in an error and never in a read outside of it or in a large allocation.
 */
export class WireReader {
  readonly #bytes: Buffer;
  readonly #source: string;
  #at = 0;

  /** `source` says whose answer it is, for the error: `Fetch answer of host:port`. */
  constructor(bytes: Buffer, source: string) {
    this.#bytes = bytes;
    this.#source = source;
  }

  get bytesLeft(): number {
    return this.#bytes.length - this.#at;
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

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#advance(8));
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  /** An unsigned varint of at most 32 bits. */
  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#advance(1)] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw this.#malformed(`a varint before byte ${this.#at} is longer than 32 bits`);
  }

  /** A UUID in its text form. */
  uuid(): string {
    const start = this.#advance(16);
    const hex = this.#bytes.toString('hex', start, start + 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  string(): string {
    const value = this.nullableString();
    if (value === null) throw this.#malformed(`a string before byte ${this.#at} is null where it must not be`);
    return value;
  }

  nullableString(): string | null {
    return this.nullableBytes()?.toString('utf8') ?? null;
  }

  /** Bytes as a view into the answer: nothing is copied. */
  nullableBytes(): Buffer | null {
    const length = this.uvarint() - 1;
    if (length < 0) return null;
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** A string with the 16-bit length of the encoding before KIP-482. */
  plainString(): string {
    const length = this.int16();
    if (length < 0) throw this.#malformed(`a string before byte ${this.#at} is null where it must not be`);
    const start = this.#advance(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  /** An array; null counts as empty. */
  array<T>(element: (reader: WireReader) => T): T[] {
    return this.#elements(this.uvarint() - 1, element);
  }

  /** An array with the 32-bit count of the encoding before KIP-482; null counts as empty. */
  plainArray<T>(element: (reader: WireReader) => T): T[] {
    return this.#elements(this.int32(), element);
  }

  /** The tagged fields at the end of a structure; those without a reader in `known` are passed over. */
  taggedFields(known?: (tag: number, value: WireReader) => void): void {
    const count = this.uvarint();
    for (let index = 0; index < count; index += 1) {
      const tag = this.uvarint();
      const length = this.uvarint();
      const start = this.#advance(length);
      known?.(tag, new WireReader(this.#bytes.subarray(start, start + length), this.#source));
    }
  }

  #elements<T>(count: number, element: (reader: WireReader) => T): T[] {
    const elements: T[] = [];
    // Every element takes a byte at least; without this check a count of 2^31 would be believed until memory ends.
    if (count > this.bytesLeft)
      throw this.#malformed(`an array of ${count} elements is announced in ${this.bytesLeft} bytes`);
    for (let index = 0; index < count; index += 1) elements.push(element(this));
    return elements;
  }

  #advance(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) {
      throw this.#malformed(`it ends at byte ${this.#bytes.length}, ${length} more are announced at byte ${start}`);
    }
    this.#at = start + length;
    return start;
  }

  #malformed(what: string): TidemarkError {
    return new TidemarkError('KAFKA_REQUEST_FAILED', `The ${this.#source} cannot be read: ${what}`, {
      retriable: true,
      foreignCode: malformedAnswer,
      hint: 'Check that the address is that of a Kafka broker and that nothing between here and there changes the bytes.',
    });
  }
}
