import { join } from 'node:path';
import { crc32c, type DurableFile, type DurableFiles, makeFile } from '../platform/index.ts';
import {
  encodeFrameHeader,
  encodeSegmentHeader,
  type FrameKind,
  frameHeaderBytes,
  frameSeed,
  indexAfter,
  type SegmentHeader,
  segmentHeaderBytes,
  segmentName,
} from './format.ts';

/** What is to be written as a frame. */
export interface FrameBody {
  readonly kind: FrameKind;
  readonly payload: Uint8Array;
  readonly payloadChecksum: number;
}

export function frameBody(kind: FrameKind, payload: Uint8Array): FrameBody {
  return { kind, payload, payloadChecksum: crc32c(payload) };
}

/** Where an entry lies. Good for reading it for as long as its segment is there. */
export interface EntryPlace {
  readonly index: bigint;
  /** First index of its segment. */
  readonly segment: bigint;
  /** Where its frame begins in the segment. */
  readonly byteOffset: number;
  readonly payloadBytes: number;
}

/** The segment that is written to. `bytes` and `nextIndex` are those of what was synced; more may have been written. */
export class SegmentFile {
  readonly path: string;
  readonly firstIndex: bigint;
  readonly #file: DurableFile;
  readonly #seed: number;
  #bytes: number;
  #nextIndex: bigint;
  #writtenBytes: number;
  #writtenIndex: bigint;

  constructor(file: DurableFile, path: string, header: SegmentHeader, bytes: number, nextIndex: bigint) {
    this.#file = file;
    this.path = path;
    this.firstIndex = header.firstIndex;
    this.#seed = frameSeed(header);
    this.#bytes = bytes;
    this.#nextIndex = nextIndex;
    this.#writtenBytes = bytes;
    this.#writtenIndex = nextIndex;
  }

  /** Makes a segment without entries, durably. Rejects with the system's error; then it is not there. */
  static async create(files: DurableFiles, dir: string, header: SegmentHeader): Promise<SegmentFile> {
    const name = segmentName(header.firstIndex);
    await makeFile(files, dir, name, [encodeSegmentHeader(header)]);
    const path = join(dir, name);
    return new SegmentFile(await files.open(path, 'write'), path, header, segmentHeaderBytes, header.firstIndex);
  }

  get bytes(): number {
    return this.#bytes;
  }

  get nextIndex(): bigint {
    return this.#nextIndex;
  }

  /** Where the next write begins. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Writes the frames behind the last ones, in one write, without syncing; `accept` makes them count. */
  async write(bodies: readonly FrameBody[]): Promise<void> {
    const headers = Buffer.allocUnsafe(bodies.length * frameHeaderBytes);
    const parts: Uint8Array[] = [];
    let index = this.#writtenIndex;
    let bytes = this.#writtenBytes;
    for (const [at, { kind, payload, payloadChecksum }] of bodies.entries()) {
      const header = headers.subarray(at * frameHeaderBytes, (at + 1) * frameHeaderBytes);
      const unsyncedBefore = Number(index - this.#nextIndex);
      encodeFrameHeader(
        { index, kind, unsyncedBefore, payloadBytes: payload.length, payloadChecksum },
        this.#seed,
        header,
      );
      parts.push(header, payload);
      index = indexAfter(kind, index, payload);
      bytes += frameHeaderBytes + payload.length;
    }
    await this.#file.write(parts, this.#writtenBytes);
    this.#writtenIndex = index;
    this.#writtenBytes = bytes;
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  /** The frames, which are the next ones in order, are durable: answers where they lie. */
  accept(bodies: readonly FrameBody[]): readonly EntryPlace[] {
    return bodies.map(({ kind, payload }) => {
      const place = {
        index: this.#nextIndex,
        segment: this.firstIndex,
        byteOffset: this.#bytes,
        payloadBytes: payload.length,
      };
      this.#nextIndex = indexAfter(kind, this.#nextIndex, payload);
      this.#bytes += frameHeaderBytes + payload.length;
      return place;
    });
  }

  /** Takes away, durably, what a failed write has left behind the last synced frame. */
  async cutBack(): Promise<void> {
    this.#writtenBytes = this.#bytes;
    this.#writtenIndex = this.#nextIndex;
    await this.#file.truncate(this.#bytes);
    await this.#file.sync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
