import { type DecodedRecord, encodeRecords } from '../kafka/records/index.ts';
import type { ReceivedRecord } from './receiver.ts';

/** What a record takes in a block beside its key, value and headers, at most. */
const recordBytes = 40;

/** Record batches of the records, numbered from `firstOffset` on in the order they have. */
export function encodeReceived(
  groups: readonly { readonly records: readonly ReceivedRecord[]; readonly receivedAtMs: number }[],
  firstOffset: number,
): Buffer {
  const decodedRecords: DecodedRecord[] = [];
  for (const { records, receivedAtMs } of groups) {
    for (const record of records) {
      decodedRecords.push(decoded(record, firstOffset + decodedRecords.length, receivedAtMs));
    }
  }
  return encodeRecords(decodedRecords);
}

function decoded(record: ReceivedRecord, offset: number, receivedAtMs: number): DecodedRecord {
  return {
    offset,
    timestamp: record.timestampMs ?? receivedAtMs,
    key: bytesOrNull(record.key),
    value: bytesOrNull(record.value),
    headers: record.headers ?? [],
    leaderEpoch: -1,
  };
}

function bytesOrNull(field: Buffer | string | null | undefined): Buffer | null {
  if (field === null || field === undefined) return null;
  return typeof field === 'string' ? Buffer.from(field) : field;
}

/** What a record takes in a block, at most. */
export function bytesOf({ key, value, headers = [] }: ReceivedRecord): number {
  const length = (field: Buffer | string | null | undefined) =>
    field === null || field === undefined ? 0 : Buffer.byteLength(field);
  const inHeaders = headers.reduce((sum, [name, header]) => sum + length(name) + length(header) + 10, 0);
  return recordBytes + length(key) + length(value) + inHeaders;
}
