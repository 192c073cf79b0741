import { TidemarkError } from '../../../errors.ts';
import { partitionName, type RecordCursor } from '../../../model/index.ts';
import type { Refusal } from '../refusal.ts';

/** A value of the cursor's present record that column `column` of `table` cannot take. */
export function unstorable(cursor: RecordCursor, table: string, column: string, refusal: Refusal): TidemarkError {
  const { topic, partition, offset } = cursor;
  const code = refusal.isUnparsable ? 'RECORD_UNPARSABLE' : 'RECORD_UNSTORABLE';
  const place = `${partitionName(cursor)} at offset ${offset}`;
  return new TidemarkError(
    code,
    `The record of ${place} does not fit ${table}.${column}: the value ${refusal.message}`,
    {
      topic,
      partition,
      offset,
      path: column,
      hint: 'Correct the producer or the mapping, or let onError.record: skip pass such records over.',
    },
  );
}

/** The value of the cursor's present record is not the JSON that columns are taken from. */
export function unparsable(cursor: RecordCursor, reason: string): TidemarkError {
  const { topic, partition, offset } = cursor;
  return new TidemarkError(
    'RECORD_UNPARSABLE',
    `The value of ${partitionName(cursor)} at offset ${offset} is not JSON: ${reason}`,
    {
      topic,
      partition,
      offset,
      hint: 'Correct the producer, or let onError.record: skip pass such records over.',
    },
  );
}

/** What a transform returned for the cursor's present record is no row of the table. */
export function invalidRow(cursor: RecordCursor, reason: string, path?: string): TidemarkError {
  const { topic, partition, offset } = cursor;
  return new TidemarkError(
    'TRANSFORM_RESULT_INVALID',
    `The transform's result for ${partitionName(cursor)} at offset ${offset} ${reason}`,
    {
      topic,
      partition,
      offset,
      hint: 'Return an object whose fields are columns of the table, or name the columns in sink.columns.',
      ...(path === undefined ? {} : { path }),
    },
  );
}
