/**
 * Looks at all of a log without changing it, whatever its condition: what opening, inspection and repair have in common.
 *
 * A torn tail is told from damage by what is known to have been durable. From the first bad frame of the last segment
 * on, everything may be what a crash left of writes that nobody was told about. It is not, and counts as damage, when
 * - the state says that the entry was durable: it is written whenever a segment is begun, the low watermark moves, and the
 *   log is opened or closed; or
 * - a frame further on says that it was durable: each frame tells how many before it were not when it was written; or
 * - its header has the right checksum and says what no write of ours would.
 * Good frames further on that do not say so prove nothing: a disk may keep the pages of unsynced writes in any order.
 */
import { join } from 'node:path';
import { type DurableFile, type DurableFiles, errnoOf } from '../platform/index.ts';
import { type Damage, damageOf } from './damage.ts';
import {
  decodeSegmentHeader,
  type FormatProblem,
  firstIndexOf,
  frameSeed,
  segmentHeaderBytes,
  segmentName,
} from './format.ts';
import { isLeftover } from './lock.ts';
import { type FrameVisitor, type IndexRange, type SegmentTask, SegmentWalk, type TornTail } from './segmentWalk.ts';
import { type LogState, type ReadState, readState, stateFileOf } from './state.ts';

/** What a segment holds. */
export interface SurveyedSegment {
  readonly name: string;
  readonly firstIndex: bigint;
  /** After its last good entry. */
  readonly nextIndex: bigint;
  readonly entries: number;
  /** Of these, those that are not done, and the bytes of their payloads. */
  readonly entriesWaiting: number;
  readonly bytesWaiting: number;
  readonly fileBytes: number;
  /** End of its last good frame. */
  readonly endByte: number;
  /** End of its last frame that the state knows to have been durable. */
  readonly provenByte: number;
  /** Wholly below the low watermark, about to be deleted: it was not read. */
  readonly isDone: boolean;
}

export interface Survey {
  readonly state: LogState | undefined;
  /** A slot of the state that was torn; the other one counts. */
  readonly tornSlot: FormatProblem | undefined;
  readonly logId: string | undefined;
  readonly lowWatermark: bigint;
  /** After the last good entry. */
  readonly nextIndex: bigint;
  readonly segments: readonly SurveyedSegment[];
  readonly damages: readonly Damage[];
  readonly tornTail: TornTail | undefined;
  /** Entries that an earlier repair could not save. */
  readonly gaps: readonly IndexRange[];
  /** Files that were being made when a process ended. */
  readonly leftovers: readonly string[];
}

/** Rejects with the system's error when a file cannot be read. */
export async function surveyLog(files: DurableFiles, dir: string, visit: FrameVisitor = () => {}): Promise<Survey> {
  // The log may be in use. First what grows, then what there is, then what shrinks: the other way round a segment that was
  // just begun or just deleted would look like a missing one.
  const before = await stateIn(files, dir);
  const names = await files.list(dir);
  const after = await stateIn(files, dir);
  const survey = new Surveyor(files, dir, before, after?.state?.lowWatermark, visit);
  await survey.run(names);
  return survey.result(names);
}

/** Undefined when there is none. */
export async function stateIn(files: DurableFiles, dir: string): Promise<ReadState | undefined> {
  try {
    return await readState(files, stateFileOf(dir));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

class Surveyor {
  readonly #files: DurableFiles;
  readonly #dir: string;
  readonly #read: ReadState | undefined;
  readonly #visit: FrameVisitor;
  readonly #segments: SurveyedSegment[] = [];
  readonly #damages: Damage[] = [];
  readonly #gaps: IndexRange[] = [];
  #logId: string | undefined;
  #lowWatermark: bigint;
  #tornTail: TornTail | undefined;
  /** Index of the next entry; undefined before the first segment. */
  #expected: bigint | undefined;

  constructor(
    files: DurableFiles,
    dir: string,
    read: ReadState | undefined,
    lowWatermark: bigint | undefined,
    visit: FrameVisitor,
  ) {
    this.#files = files;
    this.#dir = dir;
    this.#read = read;
    this.#logId = read?.state?.logId;
    this.#lowWatermark = lowWatermark ?? read?.state?.lowWatermark ?? 0n;
    this.#visit = visit;
  }

  async run(names: readonly string[]): Promise<void> {
    const firsts = names.flatMap((name) => firstIndexOf(name) ?? []).sort((a, b) => (a < b ? -1 : 1));
    this.#judgeState(firsts);
    for (const [at, first] of firsts.entries()) {
      const following = firsts[at + 1];
      if (following !== undefined && following <= this.#lowWatermark) await this.#passOver(first, following);
      else await this.#surveySegment(first, following === undefined);
    }
    this.#judgeEnd(firsts.at(-1));
  }

  result(names: readonly string[]): Survey {
    const state = this.#read?.state;
    return {
      state,
      tornSlot: state === undefined ? undefined : this.#read?.problems[0],
      logId: this.#logId,
      lowWatermark: this.#lowWatermark,
      nextIndex: this.#expected ?? 0n,
      segments: this.#segments,
      damages: this.#damages,
      tornTail: this.#tornTail,
      gaps: this.#gaps,
      leftovers: names.filter(isLeftover),
    };
  }

  #judgeState(firsts: readonly bigint[]): void {
    const path = stateFileOf(this.#dir);
    if (this.#read === undefined) this.#damage('WAL_SEGMENT_MISSING', path, 0, 'the file is missing');
    for (const problem of this.#read?.problems ?? []) {
      // One bad slot is a write that was torn, unless another version wrote it.
      if (this.#read?.state === undefined || problem.problem === 'version') this.#damages.push(damageOf(path, problem));
    }
    const [first] = firsts;
    if (this.#read?.state === undefined) this.#lowWatermark = first ?? 0n;
    if (first === undefined || first > this.#lowWatermark) this.#missing(this.#lowWatermark, first);
  }

  /** The crash came between the watermark and the deletion, or the deletion comes now. */
  async #passOver(firstIndex: bigint, nextIndex: bigint): Promise<void> {
    const name = segmentName(firstIndex);
    const fileBytes = await this.#sizeOf(name);
    if (fileBytes === undefined) return;
    const counts = { entries: Number(nextIndex - firstIndex), entriesWaiting: 0, bytesWaiting: 0 };
    const ends = { fileBytes, endByte: fileBytes, provenByte: fileBytes };
    this.#segments.push({ name, firstIndex, nextIndex, ...counts, ...ends, isDone: true });
  }

  /** Undefined when it is not there any more. */
  async #sizeOf(name: string): Promise<number | undefined> {
    try {
      return await this.#withFile(name, (file) => file.size());
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #withFile<T>(name: string, use: (file: DurableFile) => Promise<T>): Promise<T> {
    const file = await this.#files.open(join(this.#dir, name), 'read');
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  }

  async #surveySegment(firstIndex: bigint, isLast: boolean): Promise<void> {
    const name = segmentName(firstIndex);
    const path = join(this.#dir, name);
    const expected = this.#expected ?? firstIndex;
    if (expected < firstIndex) this.#missing(expected, firstIndex);
    if (expected > firstIndex) {
      this.#damage('WAL_CORRUPT', path, 28, `begins at ${firstIndex}, but the segment before ends at ${expected}`);
    }
    await this.#withFile(name, async (file) => {
      const fileBytes = await file.size();
      const seed = await this.#judgeHeader(file, path, firstIndex);
      const durableIndex = this.#read?.state?.durableIndex ?? 0n;
      const walk = new SegmentWalk({
        ...{ file, path, firstIndex, fileBytes, isLast, durableIndex },
        ...{ seed: seed ?? 0, lowWatermark: this.#lowWatermark, visit: this.#visit },
      } satisfies SegmentTask);
      if (seed !== undefined) await walk.run();
      this.#expected = walk.nextIndex;
      this.#tornTail = walk.tornTail;
      this.#damages.push(...walk.damages);
      this.#gaps.push(...walk.gaps);
      const { nextIndex, entries, entriesWaiting, bytesWaiting, endByte, provenByte } = walk;
      const counts = { nextIndex, entries, entriesWaiting, bytesWaiting };
      this.#segments.push({ name, firstIndex, ...counts, fileBytes, endByte, provenByte, isDone: false });
    });
  }

  /** What the checksums of the frames begin with; undefined when the segment cannot be read as one of this log. */
  async #judgeHeader(file: DurableFile, path: string, firstIndex: bigint): Promise<number | undefined> {
    const bytes = Buffer.alloc(segmentHeaderBytes);
    const header = decodeSegmentHeader(bytes.subarray(0, await file.read(bytes, 0)));
    if ('problem' in header) {
      this.#damages.push(damageOf(path, header));
      if (header.problem === 'version' || this.#logId === undefined) return undefined;
      return frameSeed({ logId: this.#logId, firstIndex });
    }
    this.#logId ??= header.logId;
    if (header.logId !== this.#logId) {
      this.#damage('WAL_SEGMENT_FOREIGN', path, 12, `belongs to log ${header.logId}, this one is ${this.#logId}`);
      return undefined;
    }
    if (header.firstIndex !== firstIndex) {
      this.#damage('WAL_CORRUPT', path, 28, `says that it begins at ${header.firstIndex}: the file was renamed`);
      return undefined;
    }
    return frameSeed(header);
  }

  /** The state may know of more than there is. */
  #judgeEnd(last: bigint | undefined): void {
    const state = this.#read?.state;
    if (state === undefined || last === undefined) return;
    const end = this.#expected ?? last;
    const path = join(this.#dir, segmentName(last));
    if (state.newestSegment > last) this.#missing(end, undefined);
    else if (end < state.durableIndex && !this.#damages.some((damage) => damage.path === path)) {
      const what = `the log ends at ${end}, but entries up to ${state.durableIndex} were durable`;
      this.#damage('WAL_SEGMENT_MISSING', path, this.#segments.at(-1)?.endByte ?? 0, what);
    }
  }

  #missing(from: bigint, until: bigint | undefined): void {
    const what =
      until === undefined
        ? `the segment with entry ${from} is missing`
        : `entries ${from} to ${until - 1n} are missing`;
    this.#damage('WAL_SEGMENT_MISSING', join(this.#dir, segmentName(from)), 0, what);
  }

  #damage(code: Damage['code'], path: string, byteOffset: number, what: string): void {
    this.#damages.push({ code, path, byteOffset, what });
  }
}
