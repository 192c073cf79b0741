import { crc32c, type DurableFile } from '../platform/index.ts';
import {
  decodeFrameHeader,
  entryBytesLimit,
  type FrameHeader,
  type FrameKind,
  frameHeaderBytes,
  frameKinds,
  frameMagic,
} from './format.ts';

/** How much is read at once; an entry that is longer is read whole. */
export const readBytes = 4 * 1_048_576;

/** A frame whose checksums are right. */
export interface Frame {
  readonly index: bigint;
  readonly kind: FrameKind;
  readonly unsyncedBefore: number;
  /** Where its header begins in the file. */
  readonly byteOffset: number;
  /** A view of memory that nobody writes to again. */
  readonly payload: Buffer;
}

/** Where a scan ended before the end, and why. */
export interface BadFrame {
  readonly byteOffset: number;
  readonly what: string;
  /** The bytes were written as they are: no write that was torn looks like that. */
  readonly isCertain: boolean;
}

/**
 * Reads the frames of a segment from `fromByte` to `untilByte`, checks them, and ends at the first bad one. Holds
 * `readBytes` or the longest entry in memory, whatever the size of the segment.
 */
export class FrameScan {
  readonly #file: DurableFile;
  readonly #seed: number;
  #untilByte: number;
  /** Bytes of the file that are not worked off, from `#byteOffset` on. */
  #window: Buffer = Buffer.alloc(0);
  #byteOffset: number;
  #bad: BadFrame | undefined;

  constructor(file: DurableFile, seed: number, fromByte: number, untilByte: number) {
    this.#file = file;
    this.#seed = seed;
    this.#byteOffset = fromByte;
    this.#untilByte = untilByte;
  }

  /** End of the last good frame. */
  get byteOffset(): number {
    return this.#byteOffset;
  }

  /** Set when `next` has answered undefined before the end. */
  get bad(): BadFrame | undefined {
    return this.#bad;
  }

  /** The next frames, at least one; undefined at the end and in front of a bad frame. */
  async next(): Promise<readonly Frame[] | undefined> {
    let wanted = readBytes;
    while (this.#bad === undefined && this.#byteOffset < this.#untilByte) {
      await this.#fill(wanted);
      const { frames, missing } = this.#frames();
      if (frames.length > 0) return frames;
      wanted = missing;
    }
    return undefined;
  }

  /** A new buffer each time: payloads that were handed out point into the old one. */
  async #fill(wanted: number): Promise<void> {
    const held = this.#window.length;
    const length = Math.min(Math.max(wanted, readBytes), this.#untilByte - this.#byteOffset);
    if (length <= held) return;
    const window = Buffer.allocUnsafeSlow(length);
    this.#window.copy(window);
    const read = await this.#file.read(window.subarray(held), this.#byteOffset + held);
    this.#window = window.subarray(0, held + read);
    // The file became shorter while it was read.
    if (held + read < length) this.#untilByte = this.#byteOffset + held + read;
  }

  /** All frames that lie in the window, and how long it must be for one when there is none. */
  #frames(): { readonly frames: readonly Frame[]; readonly missing: number } {
    const frames: Frame[] = [];
    const window = this.#window;
    let at = 0;
    let missing = 0;
    while (at < window.length) {
      const header = decodeFrameHeader(window, at, this.#seed);
      const needed = frameHeaderBytes + (header?.payloadBytes ?? 0);
      const what = this.#problemOf(header, at, needed);
      if (what !== undefined) {
        // Those before it first.
        if (frames.length === 0) this.#bad = what;
        break;
      }
      missing = needed;
      if (header === undefined || window.length - at < needed) break;
      const payload = window.subarray(at + frameHeaderBytes, at + needed);
      if (crc32c(payload) !== header.payloadChecksum) {
        if (frames.length === 0)
          this.#bad = { ...this.#at(at), what: `the payload of ${header.index} fails its checksum` };
        break;
      }
      frames.push({
        index: header.index,
        kind: header.kind,
        unsyncedBefore: header.unsyncedBefore,
        byteOffset: this.#byteOffset + at,
        payload,
      });
      at += needed;
    }
    this.#window = window.subarray(at);
    this.#byteOffset += at;
    return { frames, missing };
  }

  #problemOf(header: FrameHeader | undefined, at: number, needed: number): BadFrame | undefined {
    const left = this.#untilByte - this.#byteOffset - at;
    if (header === undefined) {
      if (left >= frameHeaderBytes && this.#window.length - at < frameHeaderBytes) return undefined;
      const what = left < frameHeaderBytes ? 'the header of an entry is cut short' : 'no entry begins here';
      return { ...this.#at(at), what };
    }
    if (header.payloadBytes > entryBytesLimit) {
      const what = `entry ${header.index} has a length of ${header.payloadBytes}, beyond the limit of ${entryBytesLimit}`;
      return { ...this.#at(at), what, isCertain: true };
    }
    const isGap = header.kind === frameKinds.gap;
    if (isGap ? header.payloadBytes !== 8 : header.kind !== frameKinds.entry) {
      return { ...this.#at(at), what: `frame ${header.index} is of an unknown kind, ${header.kind}`, isCertain: true };
    }
    return needed > left ? { ...this.#at(at), what: `entry ${header.index} is cut short` } : undefined;
  }

  #at(at: number): { readonly byteOffset: number; readonly isCertain: boolean } {
    return { byteOffset: this.#byteOffset + at, isCertain: false };
  }
}

export interface FoundHeader extends FrameHeader {
  readonly byteOffset: number;
}

/** The first place from `fromByte` on where a frame's header with a right checksum begins, whatever lies before it. */
export async function findFrameHeader(
  file: DurableFile,
  seed: number,
  fromByte: number,
  untilByte: number,
): Promise<FoundHeader | undefined> {
  // Windows overlap, so that a header on their border is seen.
  const overlap = frameHeaderBytes - 1;
  const window = Buffer.alloc(readBytes + overlap);
  for (let base = fromByte; base < untilByte; base += readBytes) {
    const length = await file.read(window.subarray(0, Math.min(window.length, untilByte - base)), base);
    const bytes = window.subarray(0, length);
    for (let at = bytes.indexOf(frameMagic); at >= 0; at = bytes.indexOf(frameMagic, at + 1)) {
      const header = decodeFrameHeader(bytes, at, seed);
      if (header !== undefined) return { ...header, byteOffset: base + at };
    }
  }
  return undefined;
}
