/**
 * Writes a Kafka request in the flexible encoding (KIP-482). Grows as needed; `bytes()` is a view, valid until the
 * next write.
 */
export class WireWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(sizeHint = 256) {
    this.#bytes = Buffer.allocUnsafe(sizeHint);
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  int8(value: number): this {
    const start = this.#advance(1);
    this.#bytes.writeInt8(value, start);
    return this;
  }

  int16(value: number): this {
    const start = this.#advance(2);
    this.#bytes.writeInt16BE(value, start);
    return this;
  }

  int32(value: number): this {
    const start = this.#advance(4);
    this.#bytes.writeInt32BE(value, start);
    return this;
  }

  int64(value: bigint): this {
    const start = this.#advance(8);
    this.#bytes.writeBigInt64BE(value, start);
    return this;
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  uvarint(value: number): this {
    let rest = value;
    while (rest >= 0x80) {
      this.#byte((rest & 0x7f) | 0x80);
      rest = Math.floor(rest / 128);
    }
    this.#byte(rest);
    return this;
  }

  /** A UUID given in its text form. */
  uuid(text: string): this {
    const start = this.#advance(16);
    if (this.#bytes.write(text.replaceAll('-', ''), start, 'hex') !== 16) throw new RangeError(`not a UUID: ${text}`);
    return this;
  }

  string(value: string | null): this {
    return this.nullableBytes(value === null ? null : Buffer.from(value, 'utf8'));
  }

  nullableBytes(value: Buffer | null): this {
    if (value === null) return this.uvarint(0);
    this.uvarint(value.length + 1);
    const start = this.#advance(value.length);
    value.copy(this.#bytes, start);
    return this;
  }

  array<T>(values: readonly T[] | null, element: (value: T, writer: this) => void): this {
    if (values === null) return this.uvarint(0);
    this.uvarint(values.length + 1);
    for (const value of values) element(value, this);
    return this;
  }

  /** A string with the 16-bit length of the encoding before KIP-482. */
  plainString(value: string): this {
    const bytes = Buffer.from(value, 'utf8');
    this.int16(bytes.length);
    const start = this.#advance(bytes.length);
    bytes.copy(this.#bytes, start);
    return this;
  }

  /** An array with the 32-bit count of that encoding. */
  plainArray<T>(values: readonly T[], element: (value: T, writer: this) => void): this {
    this.int32(values.length);
    for (const value of values) element(value, this);
    return this;
  }

  /** Ends a structure that carries no tagged fields. */
  noTags(): this {
    return this.uvarint(0);
  }

  #byte(value: number): void {
    const start = this.#advance(1);
    this.#bytes[start] = value;
  }

  // The start is taken before the buffer is used: growing replaces it.
  #advance(length: number): number {
    const start = this.#at;
    const end = start + length;
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, start);
      this.#bytes = grown;
    }
    this.#at = end;
    return start;
  }
}
