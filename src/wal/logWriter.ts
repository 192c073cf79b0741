import { TidemarkError } from '../errors.ts';
import { type Clock, type DurableFiles, failpoint, isNoRoom } from '../platform/index.ts';
import { fileError } from './damage.ts';
import { frameHeaderBytes, segmentHeaderBytes } from './format.ts';
import type { GroupWriter } from './groupCommit.ts';
import type { KnownSegment, RecoveredLog } from './recovery.ts';
import { type EntryPlace, type FrameBody, SegmentFile } from './segmentFile.ts';
import type { LogState } from './state.ts';
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
 * What is written of a log: the active segment, the ones before it, the state. The first failure that is not a full disk
 * ends it for good.
 */
export class LogWriter implements GroupWriter {
  readonly #parts: LogParts;
  readonly #state: StateWriter;
  #segments: readonly KnownSegment[];
  #active: SegmentFile;
  #ended: TidemarkError | undefined;

  constructor(parts: LogParts) {
    this.#parts = parts;
    this.#state = new StateWriter(parts.recovered.stateFile, parts.recovered.state);
    this.#segments = parts.recovered.segments;
    this.#active = parts.recovered.active;
  }

  /** As it was last written. */
  get state(): LogState {
    return this.#state.state;
  }

  get active(): SegmentFile {
    return this.#active;
  }

  get segments(): readonly KnownSegment[] {
    return this.#segments;
  }

  /** Why nothing is written any more. */
  get ended(): TidemarkError | undefined {
    return this.#ended;
  }

  async write(bodies: readonly FrameBody[], before: Promise<void>): Promise<void> {
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

  async sync(bodies: readonly FrameBody[]): Promise<readonly EntryPlace[]> {
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
    const places = segment.accept(bodies);
    onSync({ entries: bodies.length, bytes: bytesOf(bodies), ms: clock.monotonic() - startedMs });
    return places;
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
        const next = await SegmentFile.create(files, dir, { logId: this.state.logId, firstIndex: full.nextIndex });
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
    if (this.state.newestSegment < firstIndex) {
      await this.updateState({ newestSegment: firstIndex });
      failpoint('wal.afterSegment');
    }
  }

  /** Resolves when the changes are durable, and with them how far the entries are. */
  async updateState(changes: Parameters<StateWriter['update']>[0]): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    try {
      await this.#state.update({ ...changes, durableIndex: this.#active.nextIndex });
    } catch (error) {
      throw this.#failed(this.#parts.dir, error);
    }
  }

  /**
   * Segments wholly below the low watermark, the oldest first. The watermark is durable, so whatever of this a crash undoes
   * or keeps, also in another order, is below it: the next opening passes over it.
   */
  async deleteDone(): Promise<void> {
    const { files, dir } = this.#parts;
    let isChanged = false;
    try {
      for (let second = this.#segments[1]; second !== undefined && second.firstIndex <= this.state.lowWatermark; ) {
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

  async close(): Promise<void> {
    const errors: unknown[] = [];
    const attempt = (step: () => Promise<unknown>) => step().catch((error: unknown) => errors.push(error));
    if (this.#ended === undefined) await attempt(() => this.updateState({}));
    await attempt(() => this.#active.close());
    await attempt(() => this.#state.close());
    await attempt(() => this.#parts.release());
    if (errors.length > 0) throw fileError('WAL_WRITE_FAILED', this.#parts.dir, errors[0]);
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
}

function bytesOf(bodies: readonly FrameBody[]): number {
  return bodies.reduce((sum, { payload }) => sum + frameHeaderBytes + payload.length, 0);
}
