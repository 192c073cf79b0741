import type { DurableFile } from '../platform/index.ts';
import type { Damage } from './damage.ts';
import { frameHeaderBytes, frameKinds, indexAfter, segmentHeaderBytes } from './format.ts';
import { type BadFrame, type Frame, FrameScan, findFrameHeader } from './frameScan.ts';

/** Gets every good frame in order, gaps as well. Below the low watermark only those that share a segment with others. */
export type FrameVisitor = (frame: Frame, segment: bigint) => Promise<void> | void;

/** What a crash left behind the last durable entry. */
export interface TornTail {
  readonly path: string;
  readonly byteOffset: number;
  readonly untilByte: number;
  readonly what: string;
}

/** Indices that no entry has, from one included to one excluded. */
export interface IndexRange {
  readonly fromIndex: bigint;
  readonly untilIndex: bigint;
}

/** One segment as it is to be read. */
export interface SegmentTask {
  readonly file: DurableFile;
  readonly path: string;
  readonly firstIndex: bigint;
  readonly fileBytes: number;
  readonly seed: number;
  readonly isLast: boolean;
  /** Entries below it are known to have been durable. */
  readonly durableIndex: bigint;
  readonly lowWatermark: bigint;
  readonly visit: FrameVisitor;
}

/** Reads a segment to its end, over whatever damage there is; how a torn tail is told from damage stands in survey.ts. */
export class SegmentWalk {
  /** Index of the next entry. */
  nextIndex: bigint;
  /** End of the last good frame. */
  endByte = segmentHeaderBytes;
  /** End of the last frame that is known to have been durable. */
  provenByte = segmentHeaderBytes;
  entries = 0;
  entriesWaiting = 0;
  bytesWaiting = 0;
  tornTail: TornTail | undefined;
  readonly gaps: IndexRange[] = [];
  readonly damages: Damage[] = [];
  readonly #task: SegmentTask;
  /** What is missing behind damage is the damage. */
  #isAfterDamage = false;

  constructor(task: SegmentTask) {
    this.#task = task;
    this.nextIndex = task.firstIndex;
  }

  async run(): Promise<void> {
    const { file, path, seed, fileBytes, isLast } = this.#task;
    let scan = new FrameScan(file, seed, this.endByte, fileBytes);
    for (;;) {
      for (let frames = await scan.next(); frames !== undefined; frames = await scan.next()) {
        for (const frame of frames) {
          const visited = this.#accept(frame);
          if (visited !== undefined) await visited;
        }
      }
      const { bad } = scan;
      if (bad === undefined) return;
      if (isLast && !(await this.#wasDurable(bad))) {
        this.tornTail = { path, byteOffset: bad.byteOffset, untilByte: fileBytes, what: bad.what };
        return;
      }
      this.#damage(bad.byteOffset, bad.what);
      const next = await findFrameHeader(file, seed, bad.byteOffset + 1, fileBytes);
      if (next === undefined) return;
      this.#isAfterDamage = true;
      scan = new FrameScan(file, seed, next.byteOffset, fileBytes);
    }
  }

  #accept(frame: Frame): Promise<void> | void {
    const { durableIndex, lowWatermark, firstIndex, visit } = this.#task;
    const isForward = frame.index >= this.nextIndex;
    if (frame.index !== this.nextIndex && !(this.#isAfterDamage && isForward)) {
      this.#damage(frame.byteOffset, `entry ${frame.index} stands where ${this.nextIndex} belongs`);
    }
    if (!isForward) return undefined;
    this.#isAfterDamage = false;
    this.nextIndex = indexAfter(frame.kind, frame.index, frame.payload);
    this.endByte = frame.byteOffset + frameHeaderBytes + frame.payload.length;
    if (frame.index < durableIndex) this.provenByte = this.endByte;
    if (frame.kind === frameKinds.gap) this.gaps.push({ fromIndex: frame.index, untilIndex: this.nextIndex });
    else this.#count(frame, frame.index >= lowWatermark);
    return visit(frame, firstIndex);
  }

  #count({ payload }: Frame, isWaiting: boolean): void {
    this.entries += 1;
    if (!isWaiting) return;
    this.entriesWaiting += 1;
    this.bytesWaiting += payload.length;
  }

  async #wasDurable(bad: BadFrame): Promise<boolean> {
    const { file, seed, fileBytes, durableIndex } = this.#task;
    if (bad.isCertain || this.nextIndex < durableIndex) return true;
    for (let from = bad.byteOffset + 1; ; ) {
      const found = await findFrameHeader(file, seed, from, fileBytes);
      if (found === undefined) return false;
      if (found.index - BigInt(found.unsyncedBefore) > this.nextIndex) return true;
      from = found.byteOffset + frameHeaderBytes;
    }
  }

  #damage(byteOffset: number, what: string): void {
    this.damages.push({ code: 'WAL_CORRUPT', path: this.#task.path, byteOffset, what });
  }
}
