/**
 * Where user code is now, in memory another thread can read: a watchdog names the record that blocks the event loop,
 * when the blocked thread itself cannot say anything any more.
 *
 * Plain writes, no Atomics: the reader only trusts what has stayed the same for seconds. Between `enter` and `leave` the
 * record is the one being worked on, afterwards it is the last one that was handed out.
 */
export interface ProgressBeacon {
  /** For the watching thread; see `readProgress`. */
  readonly buffer: SharedArrayBuffer;
  /**
   * User code is called for the record at `baseOffset + offsetDelta`. With a cursor's `baseOffset` and `offsetDelta`
   * nothing is allocated.
   */
  enter(topic: string, partition: number, baseOffset: bigint, offsetDelta?: number): void;
  /** The call returned, or threw. */
  leave(): void;
}

/** What a watching thread reads. */
export interface Progress {
  /** User code is being called right now. */
  readonly active: boolean;
  /** Counts calls, wraps at 2^31: the same number while active means the same call. */
  readonly calls: number;
  /** The record of this call, or of the last one; undefined before the first. */
  readonly record: { readonly topic: string; readonly partition: number; readonly offset: bigint } | undefined;
}

// Int32 words 0 to 4, one Int64 at byte 24, then the name of the topic as ASCII.
const activeWord = 0;
const callsWord = 1;
const partitionWord = 2;
const deltaWord = 3;
const nameLengthWord = 4;
const baseOffsetByte = 24;
const nameByte = 32;
/** Kafka's own limit, and its names are ASCII. */
const nameLengthMax = 249;

class SharedBeacon implements ProgressBeacon {
  readonly buffer = new SharedArrayBuffer(nameByte + 256);
  readonly #words = new Int32Array(this.buffer, 0, 6);
  readonly #baseOffset = new BigInt64Array(this.buffer, baseOffsetByte, 1);
  readonly #name = new Uint8Array(this.buffer, nameByte);
  #topic = '';

  enter(topic: string, partition: number, baseOffset: bigint, offsetDelta = 0): void {
    const words = this.#words;
    if (topic !== this.#topic) this.#writeTopic(topic);
    words[partitionWord] = partition;
    words[deltaWord] = offsetDelta;
    this.#baseOffset[0] = baseOffset;
    words[callsWord] = ((words[callsWord] as number) + 1) & 0x7fffffff;
    words[activeWord] = 1;
  }

  leave(): void {
    this.#words[activeWord] = 0;
  }

  /** Ranges of one topic follow each other, so this is rare. */
  #writeTopic(topic: string): void {
    this.#topic = topic;
    const length = Math.min(topic.length, nameLengthMax);
    for (let index = 0; index < length; index += 1) this.#name[index] = topic.charCodeAt(index);
    this.#words[nameLengthWord] = length;
  }
}

export function createProgressBeacon(): ProgressBeacon {
  return new SharedBeacon();
}

/** Reads a beacon's buffer, usually from another thread. */
export function readProgress(buffer: SharedArrayBuffer): Progress {
  const words = new Int32Array(buffer, 0, 6);
  const nameLength = words[nameLengthWord] ?? 0;
  const active = words[activeWord] === 1;
  const calls = words[callsWord] ?? 0;
  if (nameLength === 0) return { active, calls, record: undefined };
  const topic = Buffer.from(new Uint8Array(buffer, nameByte, nameLength)).toString('latin1');
  const base = new BigInt64Array(buffer, baseOffsetByte, 1)[0] ?? 0n;
  const offset = base + BigInt(words[deltaWord] ?? 0);
  return { active, calls, record: { topic, partition: words[partitionWord] ?? 0, offset } };
}
