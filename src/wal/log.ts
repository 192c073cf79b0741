import { TidemarkError } from '../errors.ts';
import { type Clock, type DurableFiles, failpoint, newClaimToken } from '../platform/index.ts';
import { fileError, isNoRoom } from './damage.ts';
import { frameHeaderBytes, type SegmentHeader, segmentHeaderBytes } from './format.ts';
import { GroupCommit } from './groupCommit.ts';
import { type Entry, readEntries, readEntryAt } from './reading.ts';
import type { KnownSegment, RecoveredLog, RecoveryReport } from './recovery.ts';
import { type EntryPlace, type FrameBody, SegmentFile } from './segmentFile.ts';
import { openIdsMax } from './state.ts';
import { StateWriter } from './stateWriter.ts';

/** One fsync of entries, for a histogram: a slow disk is seen here first. */
export interface SyncFacts {
  readonly entries: number;
  readonly bytes: number;
  readonly ms: number;
}

/** What a log needs from its opening. */
export interface LogParts {
  readonly files: DurableFiles;
  readonly clock: Clock;
  readonly dir: string;
  readonly recovered: RecoveredLog;
  readonly segmentBytesMax: number;
  readonly entryBytesMax: number;
  readonly release: () => Promise<void>;
  readonly onSync: (facts: SyncFacts) => void;
}

/**
 * A log of opaque entries, open for this process alone.
 *
 * `append`, `advance`, `read` and `readEntry` may be called at any time and at once; entries are in the order of the calls
 * of `append`. States: open → ended, by a failed write or fsync: everything rejects with `WAL_WRITE_FAILED` then, for good;
 * entries that were waiting are in doubt, the next opening tells. Open or ended → closed, by `close`.
 */
export class WriteAheadLog {
  /** What the opening found. */
  readonly recovery: RecoveryReport;
  readonly #parts: LogParts;
  readonly #header: Pick<SegmentHeader, 'logId'>;
  readonly #state: StateWriter;
  readonly #groups: GroupCommit;
  #segments: readonly KnownSegment[];
  #active: SegmentFile;
  /** The highest low watermark anybody asked for: two may be on their way at once. */
  #doneUntil = 0n;
  #ended: TidemarkError | undefined;
  #closed: Promise<void> | undefined;
  #deleting: Promise<void> = Promise.resolve();

  constructor(parts: LogParts) {
    const { recovered, segmentBytesMax } = parts;
    this.#parts = parts;
    this.recovery = recovered.report;
    this.#header = { logId: recovered.state.logId };
    this.#state = new StateWriter(recovered.stateFile, recovered.state);
    this.#groups = new GroupCommit(
      {
        write: (bodies, before) => this.#writeGroup(bodies, before),
        sync: (bodies) => this.#syncGroup(bodies),
      },
      segmentBytesMax,
    );
    this.#segments = recovered.segments;
    this.#active = recovered.active;
  }

  /** UUID of this log, for as long as it exists; copies of its directory have the same. */
  get logId(): string {
    return this.#state.state.logId;
  }

  /** Ids of its openings, the newest first, 8 at most. See `renewOpenId`. */
  get openIds(): readonly string[] {
    return this.#state.state.openIds;
  }

  /** Entries below it are done. */
  get lowWatermark(): bigint {
    return this.#state.state.lowWatermark;
  }

  /** Entries below it are durable; the next one gets this index, or a higher one. */
  get nextIndex(): bigint {
    return this.#active.nextIndex;
  }

  /** Number of segment files. */
  get segmentCount(): number {
    return this.#segments.length;
  }

  /**
   * Resolves with its place when the entry is durable. The payload must not be changed until then. Rejects with
   * - `WAL_FULL` when the disk has no room: nothing of the entry is left, and later ones may succeed;
   * - `WAL_ENTRY_TOO_LARGE`; `WAL_CLOSED`;
   * - `WAL_WRITE_FAILED`, for good: whether the entry is in the log is known after the next opening.
   */
  async append(payload: Uint8Array): Promise<EntryPlace> {
    this.#checkOpen();
    const { entryBytesMax, dir } = this.#parts;
    if (payload.length > entryBytesMax) {
      throw new TidemarkError(
        'WAL_ENTRY_TOO_LARGE',
        `${dir}: an entry of ${payload.length} bytes, the limit is ${entryBytesMax}`,
        { path: dir, hint: 'Raise entryBytesMax, or cut smaller entries.' },
      );
    }
    return this.#groups.append(payload);
  }

  /**
   * Entries from `fromIndex` on (default: the low watermark) to the last one that is durable when the reader gets there, also
   * while others are appended. Rejects with `WAL_ENTRY_GONE` where the first of them was deleted, and for damage.
   */
  read(fromIndex: bigint = this.lowWatermark): AsyncGenerator<Entry, void, undefined> {
    return readEntries(this.#parts.files, this.#view(), fromIndex);
  }

  /** The payload of one entry. `WAL_ENTRY_GONE` when its segment was deleted. */
  readEntry(place: EntryPlace): Promise<Buffer> {
    return readEntryAt(this.#parts.files, this.#parts.dir, this.logId, place);
  }

  /**
   * Says that entries below `lowWatermark` are done: resolves when that is durable and the segments that hold nothing else are
   * deleted. A lower one than before changes nothing. `WAL_FULL` leaves everything as it was.
   */
  async advance(lowWatermark: bigint): Promise<void> {
    this.#checkOpen();
    if (lowWatermark > this.nextIndex) {
      throw new TidemarkError(
        'INVARIANT_BROKEN',
        `the low watermark ${lowWatermark} is beyond the end, ${this.nextIndex}`,
      );
    }
    if (lowWatermark <= this.lowWatermark) return;
    if (lowWatermark > this.#doneUntil) this.#doneUntil = lowWatermark;
    await this.#updateState({ lowWatermark: this.#doneUntil });
    const deleted = this.#deleting.then(() => this.#deleteDone());
    this.#deleting = deleted.catch(() => {});
    await deleted;
  }

  /**
   * Writes a fresh id of this opening, durably, and answers it. A copy of a directory is found out by it: whoever keeps
   * positions of this log elsewhere keeps the id with them, and swaps it with compare-and-set at every opening: it reads the
   * id it has (`known`), refuses the log when that is not among `openIds`, calls this, and swaps `known` for the answer. A
   * crash in between is harmless: `known` stays in the list. Undefined when it has none yet.
   */
  async renewOpenId(known: string | undefined): Promise<string> {
    this.#checkOpen();
    const fresh = newClaimToken();
    // What came after `known` was never taken over; it makes room for older ones, which a restored backup may have.
    const at = known === undefined ? 0 : this.openIds.indexOf(known);
    const older = at < 0 ? this.openIds : this.openIds.slice(at);
    await this.#updateState({ openIds: [fresh, ...older].slice(0, openIdsMax) });
    return fresh;
  }

  /** Waits for what was appended, notes that all of it is durable, and gives the directory back. Can be called again. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const errors: unknown[] = [];
    const attempt = (step: () => Promise<unknown>) => step().catch((error: unknown) => errors.push(error));
    await this.#groups.drained();
    await this.#deleting;
    if (this.#ended === undefined) await attempt(() => this.#updateState({}));
    await attempt(() => this.#active.close());
    await attempt(() => this.#state.close());
    await attempt(() => this.#parts.release());
    if (errors.length > 0) throw fileError('WAL_WRITE_FAILED', this.#parts.dir, errors[0]);
  }

  async #writeGroup(bodies: readonly FrameBody[], before: Promise<void>): Promise<void> {
    await this.#makeRoom(bytesOf(bodies), before);
    if (this.#ended !== undefined) throw this.#ended;
    const segment = this.#active;
    try {
      failpoint('wal.beforeWrite');
      await segment.write(bodies);
    } catch (error) {
      if (isNoRoom(error)) await this.#cutBack(segment, before);
      throw this.#failed(segment.path, error);
    }
  }

  async #syncGroup(bodies: readonly FrameBody[]): Promise<readonly EntryPlace[]> {
    if (this.#ended !== undefined) throw this.#ended;
    const segment = this.#active;
    const { clock, onSync } = this.#parts;
    const startedMs = clock.monotonic();
    failpoint('wal.beforeSync');
    try {
      await segment.sync();
    } catch (error) {
      throw this.#end(segment.path, error);
    }
    failpoint('wal.afterSync');
    onSync({ entries: bodies.length, bytes: bytesOf(bodies), ms: clock.monotonic() - startedMs });
    return segment.accept(bodies);
  }

  /** A failed write may have left whole frames: a crash would bring back entries whose callers were told that they failed. */
  async #cutBack(segment: SegmentFile, before: Promise<void>): Promise<void> {
    // The group before lies in front of it and must not be cut off.
    await before;
    if (this.#ended !== undefined) throw this.#ended;
    try {
      await segment.cutBack();
    } catch (error) {
      throw this.#end(segment.path, error);
    }
  }

  /** Begins the next segment when the group does not fit into this one. */
  async #makeRoom(bytes: number, before: Promise<void>): Promise<void> {
    const { files, dir, segmentBytesMax } = this.#parts;
    const full = this.#active;
    if (full.writtenBytes + bytes > segmentBytesMax && full.writtenBytes > segmentHeaderBytes) {
      // All of a segment is synced before the next one begins.
      await before;
      if (this.#ended !== undefined) throw this.#ended;
      try {
        failpoint('wal.beforeSegment');
        const next = await SegmentFile.create(files, dir, { ...this.#header, firstIndex: full.nextIndex });
        failpoint('wal.beforeSegmentNoted');
        this.#active = next;
        this.#segments = [...this.#segments, { path: next.path, firstIndex: next.firstIndex }];
        await full.close();
      } catch (error) {
        throw this.#failed(dir, error);
      }
    }
    // Before its first entry: were the segment lost, nothing else would tell.
    const { firstIndex } = this.#active;
    if (this.#state.state.newestSegment < firstIndex) {
      await this.#updateState({ newestSegment: firstIndex });
      failpoint('wal.afterSegment');
    }
  }

  async #updateState(changes: Parameters<StateWriter['update']>[0]): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    try {
      await this.#state.update({ ...changes, durableIndex: this.nextIndex });
    } catch (error) {
      throw this.#failed(this.#parts.dir, error);
    }
  }

  /**
   * Segments wholly below the low watermark, the oldest first. The watermark is durable, so whatever of this a crash undoes
   * or keeps, also in another order, is below it: the next opening passes over it.
   */
  async #deleteDone(): Promise<void> {
    const { files, dir } = this.#parts;
    let isChanged = false;
    try {
      for (let second = this.#segments[1]; second !== undefined && second.firstIndex <= this.lowWatermark; ) {
        failpoint('wal.beforeDelete');
        const [first] = this.#segments;
        if (first !== undefined) await files.remove(first.path);
        this.#segments = this.#segments.slice(1);
        isChanged = true;
        failpoint('wal.afterDelete');
        second = this.#segments[1];
      }
      if (isChanged) await files.syncDirectory(dir);
    } catch (error) {
      throw fileError('WAL_WRITE_FAILED', dir, error);
    }
  }

  #view() {
    return {
      dir: this.#parts.dir,
      logId: this.logId,
      segments: () => this.#segments,
      active: () => ({ firstIndex: this.#active.firstIndex, bytes: this.#active.bytes }),
      nextIndex: () => this.nextIndex,
    };
  }

  /** A full disk passes; everything else ends the log. */
  #failed(path: string, error: unknown): TidemarkError {
    return isNoRoom(error) && this.#ended === undefined
      ? fileError('WAL_WRITE_FAILED', path, error)
      : this.#end(path, error);
  }

  /** No retry on the same file: after a failed fsync the system takes for written what is not. */
  #end(path: string, error: unknown): TidemarkError {
    this.#ended ??= new TidemarkError('WAL_WRITE_FAILED', fileError('WAL_WRITE_FAILED', path, error).message, {
      path,
      cause: error,
      hint: 'This writer has ended. Check the disk, then open the log again: what was waiting is in it or not.',
    });
    return this.#ended;
  }

  #checkOpen(): void {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#closed === undefined) return;
    throw new TidemarkError('WAL_CLOSED', `${this.#parts.dir}: the write-ahead log was closed`);
  }
}

function bytesOf(bodies: readonly FrameBody[]): number {
  return bodies.reduce((sum, { payload }) => sum + frameHeaderBytes + payload.length, 0);
}
