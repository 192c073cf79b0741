import { TidemarkError } from '../errors.ts';
import { type DurableFiles, nodeFiles } from '../platform/index.ts';
import { fileError } from './damage.ts';
import { encodeGap, frameHeaderBytes, frameKinds, segmentHeaderBytes } from './format.ts';
import type { Frame } from './frameScan.ts';
import { type Inspection, inspectWal } from './inspection.ts';
import { acquireLock, type LockProcesses, systemProcesses } from './lock.ts';
import { walDefaults } from './open.ts';
import { makeState } from './recovery.ts';
import { type FrameBody, frameBody, SegmentFile } from './segmentFile.ts';

/** What a repair did. */
export interface RepairReport {
  readonly from: Inspection;
  readonly entriesSaved: number;
  /** Entries that were in the log and could not be saved; in the new log a gap stands for each of them. */
  readonly lost: readonly { readonly fromIndex: bigint; readonly untilIndex: bigint }[];
}

/**
 * Writes what is good of the log in `dir` to a log in the directory `to`, which must be empty or missing. Entries keep
 * their indices, the log its id, its low watermark and its open ids. Changes nothing in `dir`, which nobody may have open.
 */
export async function repairWal(
  dir: string,
  to: string,
  {
    files = nodeFiles,
    processes = systemProcesses(),
  }: { readonly files?: DurableFiles; readonly processes?: LockProcesses } = {},
): Promise<RepairReport> {
  const from = await inspectWal(dir, undefined, { files, processes });
  if (from.holder !== undefined) {
    const { pid, host } = from.holder;
    throw new TidemarkError('WAL_LOCKED', `${dir}: the write-ahead log is held by process ${pid} on ${host}`, {
      path: dir,
      hint: 'Stop that process first.',
    });
  }
  try {
    await files.makeDirectory(to);
  } catch (error) {
    throw fileError('WAL_WRITE_FAILED', to, error);
  }
  if ((await files.list(to)).length > 0) {
    throw new TidemarkError('WAL_WRITE_FAILED', `${to}: the directory is not empty`, {
      path: to,
      hint: 'Name a directory that is empty or not there.',
    });
  }
  const release = await acquireLock(files, to, processes);
  try {
    return await copyLog(files, dir, to, from, processes);
  } catch (error) {
    throw fileError('WAL_WRITE_FAILED', to, error);
  } finally {
    await release();
  }
}

async function copyLog(
  files: DurableFiles,
  dir: string,
  to: string,
  from: Inspection,
  processes: LockProcesses,
): Promise<RepairReport> {
  const { logId, lowWatermark, state } = from;
  if (logId === undefined) {
    throw new TidemarkError('WAL_CORRUPT', `${dir}: neither the state nor a segment says which log this is`, {
      path: dir,
      hint: 'Nothing can be saved without a segment whose header is intact.',
    });
  }
  const copy = new LogCopy(files, to, logId);
  const firstIndex = from.segments.find(({ isDone }) => !isDone)?.firstIndex ?? lowWatermark;
  // Nothing below the low watermark is missed.
  await copy.begin(firstIndex < lowWatermark ? firstIndex : lowWatermark);
  await inspectWal(dir, (frame) => copy.add(frame, lowWatermark), { files, processes });
  await copy.end(state?.durableIndex ?? 0n);
  const { newestSegment, nextIndex: durableIndex } = copy;
  const openIds = state?.openIds ?? [];
  await makeState(files, to, { logId, newestSegment, durableIndex, lowWatermark, openIds });
  return { from, entriesSaved: copy.entries, lost: copy.lost };
}

/** The log that is written. One frame at a time, one fsync per segment: nobody waits for single entries. */
class LogCopy {
  readonly lost: { fromIndex: bigint; untilIndex: bigint }[] = [];
  entries = 0;
  readonly #files: DurableFiles;
  readonly #dir: string;
  readonly #logId: string;
  #segment: SegmentFile | undefined;

  constructor(files: DurableFiles, dir: string, logId: string) {
    this.#files = files;
    this.#dir = dir;
    this.#logId = logId;
  }

  get newestSegment(): bigint {
    return this.#open.firstIndex;
  }

  get nextIndex(): bigint {
    return this.#open.nextIndex;
  }

  async begin(firstIndex: bigint): Promise<void> {
    this.#segment = await SegmentFile.create(this.#files, this.#dir, { logId: this.#logId, firstIndex });
  }

  async add(frame: Frame, lowWatermark: bigint): Promise<void> {
    if (frame.index > this.nextIndex) await this.#gap(frame.index, lowWatermark);
    await this.#write(frameBody(frame.kind, frame.payload));
    if (frame.kind === frameKinds.entry) this.entries += 1;
  }

  /** Entries that were durable and of which nothing is left at the end are lost as well. */
  async end(durableIndex: bigint): Promise<void> {
    if (durableIndex > this.nextIndex) await this.#gap(durableIndex, 0n);
    await this.#open.sync();
    await this.#open.close();
  }

  async #gap(untilIndex: bigint, lowWatermark: bigint): Promise<void> {
    const fromIndex = this.nextIndex;
    // What was done already is no loss.
    const firstLost = fromIndex < lowWatermark ? lowWatermark : fromIndex;
    if (firstLost < untilIndex) this.lost.push({ fromIndex: firstLost, untilIndex });
    await this.#write(frameBody(frameKinds.gap, encodeGap(untilIndex)));
  }

  async #write(body: FrameBody): Promise<void> {
    const bytes = frameHeaderBytes + body.payload.length;
    const full = this.#open;
    if (full.bytes + bytes > walDefaults.segmentBytesMax && full.bytes > segmentHeaderBytes) {
      await full.sync();
      await full.close();
      await this.begin(full.nextIndex);
    }
    await this.#open.write([body]);
    this.#open.accept([body]);
  }

  get #open(): SegmentFile {
    if (this.#segment === undefined)
      throw new TidemarkError('INVARIANT_BROKEN', 'a copy has begun before it is written');
    return this.#segment;
  }
}
