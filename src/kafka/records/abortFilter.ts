import type { TidemarkError } from '../../errors.ts';
import { type BatchSpan, isControl, isTransactional, producerIdOf } from './batchHeader.ts';
import { BatchCursor } from './cursor.ts';
import { corruptBatch, type FetchedRecords } from './fetchedRecords.ts';

/** Types of control records (`ControlRecordType`); others, such as leader changes, do not concern transactions. */
const abortMarker = 0;

/**
 * Which batches of one response belong to aborted transactions. Batches must be asked in the order of the log.
 *
 * The broker lists the transactions that aborted within the response, each by producer and first offset. One is open
 * from its first offset to the abort marker of its producer; a producer may abort several times in one response.
 */
export class AbortFilter {
  private readonly fetched: FetchedRecords;
  private readonly waiting: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[];
  private waitingIndex = 0;
  private readonly open = new Set<bigint>();

  constructor(fetched: FetchedRecords) {
    this.fetched = fetched;
    this.waiting = fetched.abortedTransactions.toSorted(({ firstOffset: a }, { firstOffset: b }) =>
      a < b ? -1 : a > b ? 1 : 0,
    );
  }

  /** Whether the records of the batch are for readers: false for control batches and for aborted transactions. */
  isReadable(span: BatchSpan): boolean {
    this.openUntil(span.untilOffset);
    if (isControl(span)) {
      this.closeAt(span);
      return false;
    }
    if (this.open.size === 0 || !isTransactional(span)) return true;
    return !this.open.has(producerIdOf(this.fetched.bytes, span));
  }

  private openUntil(untilOffset: bigint): void {
    for (;;) {
      const next = this.waiting[this.waitingIndex];
      if (next === undefined || next.firstOffset >= untilOffset) return;
      this.open.add(next.producerId);
      this.waitingIndex += 1;
    }
  }

  /** A marker is read only when it can matter: its own records are of no use to anyone else. */
  private closeAt(span: BatchSpan): void {
    if (this.open.size === 0) return;
    const producerId = producerIdOf(this.fetched.bytes, span);
    if (this.open.has(producerId) && controlTypeOf(this.fetched, span) === abortMarker) this.open.delete(producerId);
  }
}

/** The type in the key of a control record: version (2 bytes), type (2 bytes). undefined for a control batch emptied by compaction. */
function controlTypeOf(fetched: FetchedRecords, span: BatchSpan): number | undefined {
  const cursor = new BatchCursor(fetched, [span], span.baseOffset, span.untilOffset);
  if (!cursor.next()) return undefined;
  if (cursor.keyEnd - cursor.keyStart < 4 || cursor.keyStart < 0) throw shortKey(fetched, span);
  return cursor.buffer.readInt16BE(cursor.keyStart + 2);
}

function shortKey(fetched: FetchedRecords, span: BatchSpan): TidemarkError {
  return corruptBatch(fetched, span.baseOffset, span.lastOffsetDelta, 'its control record has no type');
}
