import { isTidemarkError, type TidemarkError } from '../../errors.ts';
import { chunkOf } from '../../kafka/records/index.ts';
import { noCounts, OffsetRange, type RecordChunk } from '../../model/index.ts';
import type { HeldClaim, OffsetStore, RangeCommit } from '../../offsets/index.ts';
import { newClaimToken, systemClock } from '../../platform/index.ts';
import type { Row, Sink, SinkTransaction } from '../../sinks/index.ts';
import { encodeRecordBatch } from '../recordBatchEncoder.ts';
import type { SinkTarget } from './suite.ts';

export const topic = 'conformance';
const partitions = [0, 1, 2];

/** A sink as one process of a pipeline has it: opened, with claims on all partitions. */
export interface SinkProcess {
  readonly sink: Sink;
  readonly store: OffsetStore;
  readonly instanceId: string;
  claims: readonly HeldClaim[];
  close(): Promise<void>;
}

/** Starts a process that takes over every partition. */
export async function startProcess(target: Pick<SinkTarget, 'newSink'>, hasTransform = false): Promise<SinkProcess> {
  const instanceId = newClaimToken();
  const sink = target.newSink({ pipeline: 'conformance', instanceId, clock: systemClock }, hasTransform);
  const { store } = sink;
  await store.open();
  await store.registerOwner({ instanceId, host: 'conformance', bootId: '', pid: 0 });
  await sink.open({ hasTransform });
  await store.initialise(partitions.map((partition) => ({ topic, partition, nextOffset: 0n, topicId: 'id' })));
  const claims = await claimAll(store);
  const close = async () => {
    await sink.close();
    await store.close();
  };
  return { sink, store, instanceId, claims, close };
}

export async function claimAll(store: OffsetStore): Promise<readonly HeldClaim[]> {
  const rows = await store.read([topic]);
  const outcomes = await store.claim(rows.map(({ partition, claim }) => ({ topic, partition, seenClaim: claim })));
  return outcomes.map((outcome) => {
    if (!outcome.claimed) throw new Error('a partition was not claimed');
    return outcome.held;
  });
}

/** Records of `values`, one for each offset from `fromOffset` on. */
export function chunk(partition: number, fromOffset: bigint, values: readonly (Buffer | string | null)[]): RecordChunk {
  const made = chunkOf({
    topic,
    partition,
    fromOffset,
    bytes: encodeRecordBatch({ baseOffset: fromOffset, records: values.map((value) => ({ value })) }),
    abortedTransactions: [],
    batchBytesMax: 1 << 28,
  });
  if (made === undefined) throw new Error('no record batch');
  return made;
}

/** Appends every record; answers the errors of those that were refused. */
export async function appendAll(transaction: SinkTransaction, records: RecordChunk): Promise<readonly TidemarkError[]> {
  const refused: TidemarkError[] = [];
  const cursor = records.cursor();
  while (cursor.next()) {
    try {
      transaction.appendRecord(cursor);
    } catch (error) {
      if (!isTidemarkError(error)) throw error;
      refused.push(error);
    }
    if (transaction.needsDrain) await transaction.drain();
  }
  return refused;
}

/** Appends the rows `rowsOf` makes of each record. */
export function appendRows(
  transaction: SinkTransaction,
  records: RecordChunk,
  rowsOf: (offset: bigint) => Row[],
): void {
  const cursor = records.cursor();
  while (cursor.next()) {
    transaction.mark();
    for (const row of rowsOf(cursor.offset)) transaction.appendRow(cursor, row);
  }
}

/** The commit of a chunk's whole range; `produced` records gave a row each, the rest was skipped. */
export function commitOf(
  process: SinkProcess,
  records: RecordChunk,
  produced: number,
  more: Partial<RangeCommit> = {},
): RangeCommit {
  const held = process.claims.find(({ partition }) => partition === records.partition);
  if (held === undefined) throw new Error('no claim');
  const count = Number(records.nextOffset - records.fromOffset);
  return {
    range: new OffsetRange(topic, records.partition, records.fromOffset, records.nextOffset),
    held,
    counts: { ...noCounts(), records: count, produced, rows: produced, skipped: count - produced },
    leaderEpoch: 0,
    batchTimeMs: 1_700_000_000_000,
    kind: 'batch',
    reason: null,
    ...more,
  };
}

/** Writes and commits a chunk in a transaction of its own. */
export async function write(process: SinkProcess, records: RecordChunk): Promise<void> {
  const transaction = await process.sink.begin([records]);
  try {
    await appendAll(transaction, records);
    await transaction.commitRanges([commitOf(process, records, Number(records.nextOffset - records.fromOffset))]);
  } finally {
    await transaction.abort();
  }
}

export async function nextOffsets(store: OffsetStore): Promise<readonly bigint[]> {
  return (await store.read([topic])).map(({ nextOffset }) => nextOffset);
}

/** The error a promise rejects with. */
export async function failureOf(work: Promise<unknown>): Promise<TidemarkError> {
  try {
    await work;
  } catch (error) {
    if (isTidemarkError(error)) return error;
    throw error;
  }
  throw new Error('it did not fail');
}
