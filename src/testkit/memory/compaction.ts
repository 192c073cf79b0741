import { encodeRecordBatch, type RecordSpec } from '../recordBatchEncoder.ts';
import { type LogBatch, recordsOf, storedBatch } from './logBatch.ts';
import type { PartitionLog } from './partitionLog.ts';

export interface CompactionOptions {
  /** First offset of the active segment, which is never compacted. Default: the last batch of the log. */
  readonly before?: bigint;
  /** Keep batches that have lost all their records, as brokers do for the last one of a producer. Default false: they leave a hole. */
  readonly keepEmptyBatches?: boolean;
}

/**
 * What the log cleaner does: of each key the newest record stays, the others and those of aborted transactions go, and so do
 * records without a key. Offsets stay what they were, so holes appear in batches, at their end, and between them.
 * Nothing from the last stable offset on is touched.
 */
export function compact(log: PartitionLog, { before, keepEmptyBatches = false }: CompactionOptions): void {
  const { lastStableOffset } = log.bounds;
  const active = before ?? log.batches.at(-1)?.baseOffset ?? 0n;
  const until = active < lastStableOffset ? active : lastStableOffset;
  const isClean = (batch: LogBatch) => batch.lastOffset < until && !batch.isControl;
  const isAborted = (batch: LogBatch) =>
    batch.isTransactional &&
    log
      .abortedWithin(batch.baseOffset, batch.lastOffset + 1n)
      .some(({ producerId, firstOffset }) => producerId === batch.producerId && firstOffset <= batch.baseOffset);
  const newest = new Map<string, bigint>();
  for (const batch of log.batches.filter((each) => isClean(each) && !isAborted(each))) {
    for (const { key, offset } of recordsOf(log, batch)) if (key !== null) newest.set(key.toString('hex'), offset);
  }
  const kept = log.batches.flatMap((batch) => {
    if (!isClean(batch)) return [batch];
    const records = recordsOf(log, batch);
    const staying = records.filter(
      ({ key, offset }) => key !== null && !isAborted(batch) && newest.get(key.toString('hex')) === offset,
    );
    if (staying.length === records.length) return [batch];
    if (staying.length === 0 && !keepEmptyBatches) return [];
    return [withRecords(log, batch, staying)];
  });
  log.replace(kept);
}

function withRecords(log: PartitionLog, batch: LogBatch, staying: ReturnType<typeof recordsOf>): LogBatch {
  const { baseOffset, lastOffset, leaderEpoch, maxTimestamp, producerId, isTransactional } = batch;
  const records = staying.map(({ key, value, headers, timestamp, offset }): RecordSpec => {
    return { key, value, headers, timestamp, offsetDelta: Number(offset - baseOffset) };
  });
  const bytes = encodeRecordBatch({
    baseOffset,
    records,
    lastOffsetDelta: Number(lastOffset - baseOffset),
    baseTimestamp: staying[0]?.timestamp ?? maxTimestamp,
    maxTimestamp,
    timestampType: staying[0]?.timestampType ?? 'create',
    isTransactional,
    ...(producerId < 0n ? {} : { producerId }),
  });
  return storedBatch(log, bytes, baseOffset, leaderEpoch);
}
