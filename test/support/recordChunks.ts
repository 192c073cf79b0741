import { chunkOf } from '../../src/kafka/records/index.ts';
import type { RecordChunk } from '../../src/model/index.ts';
import { encodeRecordBatch, type RecordSpec } from '../../src/testkit/index.ts';

/** A chunk of one uncompressed record batch, of `orders-0` from offset 0 on unless said otherwise. */
export function recordChunk(
  records: readonly RecordSpec[],
  { topic = 'orders', partition = 0, fromOffset = 0n } = {},
): RecordChunk {
  const found = chunkOf({
    topic,
    partition,
    fromOffset,
    bytes: encodeRecordBatch({ baseOffset: fromOffset, records }),
    abortedTransactions: [],
    batchBytesMax: 64 * 1024 * 1024,
  });
  if (found === undefined) throw new Error('no record batch');
  return found;
}
