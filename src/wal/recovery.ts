import { join } from 'node:path';
import { TidemarkError } from '../errors.ts';
import { type DurableFile, type DurableFiles, makeFile, newClaimToken, temporarySuffix } from '../platform/index.ts';
import { damageError, fileError } from './damage.ts';
import { segmentHeaderBytes, segmentName } from './format.ts';
import { readBytes } from './frameScan.ts';
import { isLeftover } from './lock.ts';
import { SegmentFile } from './segmentFile.ts';
import type { TornTail } from './segmentWalk.ts';
import { encodeSlot, type LogState, stateFileOf, stateName, writeSlot } from './state.ts';
import { type Survey, stateIn, surveyLog } from './survey.ts';

/** What an opening found and did. */
export interface RecoveryReport {
  /** The directory held no log: one was made. */
  readonly isNew: boolean;
  /** Entries that are not done: from the low watermark on. */
  readonly entriesWaiting: number;
  /** What a crash left behind the last durable entry. It was cut off, and is kept in the file `keptIn`. */
  readonly tornTail: (TornTail & { readonly keptIn: string }) | undefined;
  /** A write of the state was torn; the one before it counts. */
  readonly tornState: { readonly path: string; readonly byteOffset: number; readonly what: string } | undefined;
  /** Entries that an earlier repair could not save. */
  readonly gaps: Survey['gaps'];
}

/** A segment that is not written to any more, or the active one. */
export interface KnownSegment {
  readonly path: string;
  readonly firstIndex: bigint;
}

export interface RecoveredLog {
  readonly state: LogState;
  readonly stateFile: DurableFile;
  readonly active: SegmentFile;
  /** All of them, the active one last. */
  readonly segments: readonly KnownSegment[];
  readonly report: RecoveryReport;
}

/**
 * Makes what the directory holds a log that can be appended to. Everything in it is checked first, in bounded memory.
 * Rejects with the system's error, or with the first damage that is more than a torn tail; then nothing was changed.
 */
export async function recoverLog(files: DurableFiles, dir: string): Promise<RecoveredLog> {
  const isNew = await makeLogWhereNone(files, dir);
  const survey = await surveyLog(files, dir).catch((error: unknown) => {
    throw fileError('WAL_READ_FAILED', dir, error);
  });
  const [damage] = survey.damages;
  if (damage !== undefined) throw damageError(damage);
  const { state } = survey;
  const last = survey.segments.at(-1);
  if (state === undefined || last === undefined) {
    throw new TidemarkError('INVARIANT_BROKEN', `${dir}: a log without damage has a state and a segment`);
  }
  for (const name of survey.leftovers) await files.remove(join(dir, name));
  const keptIn = survey.tornTail === undefined ? '' : await keepAside(files, dir, survey.tornTail);
  const file = await files.open(join(dir, last.name), 'write');
  try {
    if (survey.tornTail !== undefined) await file.truncate(last.endByte);
    await makeDurable(file, last.provenByte, last.endByte);
    const stateFile = await files.open(stateFileOf(dir), 'write');
    const header = { logId: state.logId, firstIndex: last.firstIndex };
    const opened: LogState = {
      ...state,
      generation: state.generation + 1n,
      newestSegment: last.firstIndex,
      durableIndex: last.nextIndex,
    };
    await writeSlot(stateFile, opened);
    // The crash came between the low watermark and their deletion.
    const segments = survey.segments.filter(({ isDone }) => !isDone);
    for (const { name, isDone } of survey.segments) if (isDone) await files.remove(join(dir, name));
    return {
      state: opened,
      stateFile,
      active: new SegmentFile(file, join(dir, last.name), header, last.endByte, last.nextIndex),
      segments: segments.map(({ name, firstIndex }) => ({ path: join(dir, name), firstIndex })),
      report: reportOf(survey, dir, isNew, keptIn),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function reportOf(survey: Survey, dir: string, isNew: boolean, keptIn: string): RecoveryReport {
  const { tornTail, tornSlot, gaps, nextIndex, lowWatermark } = survey;
  return {
    isNew,
    entriesWaiting: Number(nextIndex - lowWatermark),
    tornTail: tornTail === undefined ? undefined : { ...tornTail, keptIn },
    tornState:
      tornSlot === undefined
        ? undefined
        : { path: stateFileOf(dir), byteOffset: tornSlot.byteOffset, what: tornSlot.what },
    gaps,
  };
}

/**
 * The segment first, then the state: a log that has a state had a segment once, so its absence is a loss. What a crash in
 * between leaves is a segment 0 without entries, and nobody can have appended to it.
 */
async function makeLogWhereNone(files: DurableFiles, dir: string): Promise<boolean> {
  if ((await stateIn(files, dir)) !== undefined) return false;
  const segments = (await files.list(dir)).filter((name) => name.endsWith('.wal'));
  const first = segmentName(0n);
  if (segments.some((name) => name !== first)) return false;
  if (segments.length > 0 && (await sizeOf(files, join(dir, first))) > segmentHeaderBytes) return false;
  for (const name of await files.list(dir)) {
    if (name === first || isLeftover(name)) await files.remove(join(dir, name));
  }
  const logId = newClaimToken();
  await (await SegmentFile.create(files, dir, { logId, firstIndex: 0n })).close();
  await makeState(files, dir, { logId, newestSegment: 0n, durableIndex: 0n, lowWatermark: 0n, openIds: [] });
  return true;
}

/** Makes the file of the state, with both of its slots good. */
export function makeState(files: DurableFiles, dir: string, state: Omit<LogState, 'generation'>): Promise<void> {
  const slots = [0n, 1n].map((generation) => encodeSlot({ ...state, generation }));
  return makeFile(files, dir, stateName, slots);
}

async function sizeOf(files: DurableFiles, path: string): Promise<number> {
  const file = await files.open(path, 'read');
  try {
    return await file.size();
  } finally {
    await file.close();
  }
}

/** Copies the tail to a file of its own, durably, before it is cut off: it is evidence. Answers the file. */
async function keepAside(files: DurableFiles, dir: string, tail: TornTail): Promise<string> {
  const names = await files.list(dir);
  const stem = `torn-${tail.path.slice(dir.length + 1, -4)}-${tail.byteOffset}`;
  let name = stem;
  for (let again = 2; names.includes(name); again += 1) name = `${stem}-${again}`;
  const from = await files.open(tail.path, 'read');
  try {
    const to = await files.open(join(dir, `${name}${temporarySuffix}`), 'create');
    try {
      await copyBytes(from, tail.byteOffset, tail.untilByte, to, 0);
      await to.sync();
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
  await files.rename(join(dir, `${name}${temporarySuffix}`), join(dir, name));
  await files.syncDirectory(dir);
  return join(dir, name);
}

/**
 * Good entries are not yet durable ones: a process that was killed between write and fsync leaves them in the memory of the
 * system, and after a failed fsync the system takes pages for clean that never reached the disk. What is not known to be
 * durable is therefore written once more, with the same bytes, and synced.
 */
async function makeDurable(file: DurableFile, fromByte: number, untilByte: number): Promise<void> {
  await copyBytes(file, fromByte, untilByte, file, fromByte);
  await file.sync();
}

async function copyBytes(
  from: DurableFile,
  fromByte: number,
  untilByte: number,
  to: DurableFile,
  toByte: number,
): Promise<void> {
  const window = Buffer.alloc(Math.min(readBytes, Math.max(0, untilByte - fromByte)));
  for (let at = fromByte; at < untilByte; ) {
    const read = await from.read(window.subarray(0, Math.min(window.length, untilByte - at)), at);
    if (read === 0) return;
    await to.write([window.subarray(0, read)], toByte + at - fromByte);
    at += read;
  }
}
