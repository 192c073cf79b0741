import { TidemarkError } from '../errors.ts';
import { newClaimToken } from '../platform/index.ts';
import { GroupCommit } from './groupCommit.ts';
import { type LogParts, LogWriter } from './logWriter.ts';
import { type Entry, readEntries, readEntryAt } from './reading.ts';
import type { RecoveryReport } from './recovery.ts';
import type { EntryPlace } from './segmentFile.ts';
import { openIdsMax } from './state.ts';

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
  readonly #writer: LogWriter;
  readonly #groups: GroupCommit;
  /** The highest low watermark anybody asked for: two may be on their way at once. */
  #doneUntil = 0n;
  #advancing: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(parts: LogParts) {
    this.#parts = parts;
    this.recovery = parts.recovered.report;
    this.#writer = new LogWriter(parts);
    this.#groups = new GroupCommit(this.#writer, parts.segmentBytesMax);
  }

  /** UUID of this log, for as long as it exists; copies of its directory have the same. */
  get logId(): string {
    return this.#writer.state.logId;
  }

  /** Ids of its openings, the newest first, 8 at most. See `renewOpenId`. */
  get openIds(): readonly string[] {
    return this.#writer.state.openIds;
  }

  /** Entries below it are done. */
  get lowWatermark(): bigint {
    return this.#writer.state.lowWatermark;
  }

  /** Entries below it are durable; the next one gets this index, or a higher one. */
  get nextIndex(): bigint {
    return this.#writer.active.nextIndex;
  }

  /** Number of segment files. */
  get segmentCount(): number {
    return this.#writer.segments.length;
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
    const done = this.#advanceTo(this.#doneUntil);
    // One after the other: two must not delete the same segment.
    this.#advancing = Promise.allSettled([this.#advancing, done]).then(() => {});
    await done;
  }

  async #advanceTo(lowWatermark: bigint): Promise<void> {
    const before = this.#advancing;
    await this.#writer.updateState({ lowWatermark });
    await before;
    await this.#writer.deleteDone();
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
    await this.#writer.updateState({ openIds: [fresh, ...older].slice(0, openIdsMax) });
    return fresh;
  }

  /** Waits for what was appended, notes that all of it is durable, and gives the directory back. Can be called again. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#groups.drained();
    await this.#advancing;
    await this.#writer.close();
  }

  #view() {
    return {
      dir: this.#parts.dir,
      logId: this.logId,
      segments: () => this.#writer.segments,
      active: () => this.#writer.active,
      nextIndex: () => this.nextIndex,
    };
  }

  #checkOpen(): void {
    if (this.#writer.ended !== undefined) throw this.#writer.ended;
    if (this.#closed === undefined) return;
    throw new TidemarkError('WAL_CLOSED', `${this.#parts.dir}: the write-ahead log was closed`);
  }
}
