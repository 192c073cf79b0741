import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isTidemarkError } from '../../src/errors.ts';
import { unpack } from '../../src/kafka/codecs/index.ts';
import { chunkOf } from '../../src/kafka/records/index.ts';
import type { RecordChunk } from '../../src/model/index.ts';
import { recordBatchLayout as at, pack, sealRecordBatch, type TestCodec, testCodecs } from '../../src/testkit/index.ts';
import { fetched, type PlainRecord, plainRecord, plainRecords } from '../fixtures/fetched.ts';
import { fraction, logs, type MadeBatch } from './recordBatchArbitraries.ts';
import { type ReferenceResult, referenceRecords } from './referenceRecords.ts';

const bit = fc.nat(7);
const batchBytesMax = 1 << 20;
const codecIds: Record<TestCodec, number> = { none: 0, gzip: 1, snappy: 2, snappyJava: 2, lz4: 3, zstd: 4 };
const bytesOf = (log: readonly MadeBatch[]) => Buffer.concat(log.map((batch) => batch.bytes));

/** Anything but a TidemarkError is a bug. */
function tidemarkErrorOf(error: unknown): 'refused' {
  if (isTidemarkError(error)) return 'refused';
  throw error;
}

function scanned(bytes: Buffer, fromOffset: bigint): RecordChunk | 'refused' | 'incomplete' {
  try {
    return chunkOf(fetched(bytes, { fromOffset })) ?? 'incomplete';
  } catch (error) {
    return tidemarkErrorOf(error);
  }
}

/** The batches a reader must get when `log[index]` was found corrupt, or seems to be cut off. */
function expectOnly(outcome: RecordChunk | 'refused' | 'incomplete', batches: readonly MadeBatch[]): void {
  if (batches.length === 0) {
    expect(typeof outcome).toBe('string');
    return;
  }
  if (typeof outcome === 'string') throw new Error(`${outcome}, though ${batches.length} batches are whole`);
  expect(plainRecords(outcome)).toEqual(batches.flatMap((batch) => batch.records));
  expect(outcome.nextOffset).toBe(batches.at(-1)?.untilOffset);
}

/**
 * One bit, anywhere. The claim for each part of a batch:
 * - attributes to the end, checksum, magic: noticed, nothing of the batch or behind it is read;
 * - length: noticed, or the batch seems cut off: the same;
 * - leader epoch: no record is affected;
 * - base offset: noticed when the batch no longer lies between its neighbours (the offset asked for counts as one);
 *   otherwise nothing in these bytes contradicts it, and its records appear at the changed offsets, all others where they were.
 */
test('a flipped bit never changes, adds or loses a record, base offsets aside', () => {
  fc.assert(
    fc.property(logs({ maxLength: 5 }), fraction, fraction, fc.boolean(), bit, (log, which, where, inHeader, flip) => {
      const index = Math.floor(which * log.length);
      const bad = log[index] as MadeBatch;
      const position = Math.floor(where * (inHeader ? at.records : bad.bytes.length));
      const flipped = Buffer.from(bad.bytes);
      flipped[position] = (flipped[position] as number) ^ (1 << flip);
      const bytes = Buffer.concat(log.map((batch) => (batch === bad ? flipped : batch.bytes)));
      const fromOffset = (log[0] as MadeBatch).baseOffset;
      const outcome = scanned(bytes, fromOffset);

      if (position >= at.batchLength && (position < at.leaderEpoch || position >= at.magic)) {
        expectOnly(outcome, log.slice(0, index));
        return;
      }
      if (position >= at.leaderEpoch) {
        const isPossible = flipped.readInt32BE(at.leaderEpoch) >= -1;
        expectOnly(outcome, isPossible ? log : log.slice(0, index));
        return;
      }
      const moved = movedTo(bad, flipped.readBigInt64BE(at.baseOffset));
      const previous = log[index - 1];
      const next = log[index + 1];
      const isAhead =
        previous === undefined ? moved.untilOffset > fromOffset : moved.baseOffset >= previous.untilOffset;
      if (moved.baseOffset < 0n) expectOnly(outcome, log.slice(0, index));
      else if (!isAhead) expectOnly(outcome, log.slice(0, Math.max(0, index - 1)));
      else if (next !== undefined && moved.untilOffset > next.baseOffset) expectOnly(outcome, log.slice(0, index));
      else {
        const records = moved.records.filter(({ offset }) => offset >= fromOffset);
        expectOnly(outcome, log.with(index, { ...moved, records }));
      }
    }),
    { numRuns: 2_000 },
  );
});

function movedTo(batch: MadeBatch, baseOffset: bigint): MadeBatch {
  const by = baseOffset - batch.baseOffset;
  return {
    ...batch,
    baseOffset,
    untilOffset: batch.untilOffset + by,
    records: batch.records.map((record) => ({ ...record, offset: record.offset + by })),
  };
}

/** Everything of a record but its offset, which a changed base offset may move. */
const contentOf = ({ offset: _, ...content }: PlainRecord) => content;

test('bytes changed, removed and repeated in many places give no record that was not written, and none twice', () => {
  const change = fc.record({
    kind: fc.constantFrom('flip', 'cut', 'repeat', 'overwrite'),
    where: fraction,
    length: fraction,
    bit,
  });
  fc.assert(
    fc.property(logs(), fc.array(change, { minLength: 1, maxLength: 6 }), (log, changes) => {
      let bytes = bytesOf(log);
      for (const { kind, where, length, bit: flip } of changes) {
        const start = Math.floor(where * bytes.length);
        const end = Math.min(bytes.length, start + 1 + Math.floor(length * 200));
        if (kind === 'flip') bytes[start] = (bytes[start] as number) ^ (1 << flip);
        else if (kind === 'cut') bytes = Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
        else if (kind === 'repeat') bytes = Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)]);
        else bytes.fill(flip, start, end);
        if (bytes.length === 0) return;
      }
      const outcome = scanned(bytes, (log[0] as MadeBatch).baseOffset);
      if (typeof outcome === 'string') return;
      const records = plainRecords(outcome);
      for (let index = 1; index < records.length; index++) {
        expect((records[index] as PlainRecord).offset > (records[index - 1] as PlainRecord).offset).toBe(true);
      }
      const written = log.flatMap((batch) => batch.records.map(contentOf));
      for (const record of records) expect(written).toContainEqual(contentOf(record));
    }),
    { numRuns: 1_000 },
  );
});

test('bytes of chance', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (array, isSealed) => {
      const bytes = Buffer.from(array);
      if (isSealed && bytes.length > at.records) {
        bytes[at.magic] = 2;
        sealRecordBatch(bytes);
      }
      const outcome = scanned(bytes, 0n);
      if (typeof outcome !== 'string') read(outcome);
    }),
    { numRuns: 2_000 },
  );
});

/** Reads as far as it goes, with positions held against the buffer and objects against positions. */
function read(of: RecordChunk): ReferenceResult {
  const started = performance.now();
  const cursor = of.cursor();
  const records: PlainRecord[] = [];
  let isRefused = false;
  try {
    while (cursor.next()) {
      const { buffer, keyStart, keyEnd, valueStart, valueEnd } = cursor;
      for (const [start, end] of [[keyStart, keyEnd] as const, [valueStart, valueEnd] as const]) {
        expect(start === -1 ? end === -1 : start > 0 && start <= end && end <= buffer.length).toBe(true);
      }
      const record = plainRecord(cursor);
      const { offset, timestamp, timestampType, key, value, headers } = cursor.record();
      expect({ offset, timestamp, timestampType, key, value, headers }).toEqual(record);
      records.push(record);
    }
  } catch (error) {
    isRefused = tidemarkErrorOf(error) === 'refused';
  }
  expect(records.length).toBeLessThanOrEqual(of.recordCountMax);
  // Far above what a busy machine needs: a walk that takes longer does not end.
  expect(performance.now() - started).toBeLessThan(10_000);
  return { records, isRefused };
}

/** Flips bits of the record bytes and, less often, of header fields that a writer could get wrong; seals the batch anew. */
const flips = fc.array(fc.record({ where: fraction, inHeader: fc.boolean(), bit }), { minLength: 1, maxLength: 3 });
const headerPositions = [
  at.attributes + 1,
  at.lastOffsetDelta + 2,
  at.lastOffsetDelta + 3,
  at.baseTimestamp,
  at.baseTimestamp + 7,
  at.recordCount + 3,
];

function broken(good: Buffer, changes: readonly { where: number; inHeader: boolean; bit: number }[]): Buffer {
  const bytes = Buffer.from(good);
  changes.forEach(({ where, inHeader, bit: flip }, index) => {
    const span = bytes.length - at.records;
    // At least the first flip hits the records: a broken header alone is soon refused.
    const isHeader = span === 0 || (inHeader && index > 0);
    const position = isHeader
      ? (headerPositions[Math.floor(where * headerPositions.length)] as number)
      : at.records + Math.floor(where * span);
    bytes[position] = (bytes[position] as number) ^ (1 << flip);
  });
  sealRecordBatch(bytes);
  return bytes;
}

/** What a reader must make of a batch whose header may be broken too: nothing, or what the reference reads. */
function expectAsReference(bytes: Buffer, following: readonly Buffer[], baseOffset: bigint): void {
  const outcome = scanned(Buffer.concat([bytes, ...following]), baseOffset);
  if (typeof outcome === 'string') {
    const deltas = bytes.readInt32BE(at.lastOffsetDelta) + 1;
    const count = bytes.readInt32BE(at.recordCount);
    const runsIntoNext = following.length > 0 && outcome === 'refused';
    expect(deltas < 1 || count < 0 || count > deltas || runsIntoNext).toBe(true);
    return;
  }
  const attributes = bytes.readUInt16BE(at.attributes);
  const untilOffset = baseOffset + BigInt(bytes.readInt32BE(at.lastOffsetDelta) + 1);
  const found = read(outcome.slice(baseOffset, untilOffset));
  if ((attributes & 0x20) !== 0) {
    expect(found).toEqual({ records: [], isRefused: false });
    return;
  }
  const body = unpacked(attributes & 7, bytes.subarray(at.records));
  expect(found).toEqual(body === undefined ? { records: [], isRefused: true } : referenceRecords(bytes, body));
}

function unpacked(codecId: number, packed: Buffer): Buffer | undefined {
  try {
    return codecId === 0 ? packed : unpack(codecId, packed, batchBytesMax);
  } catch (error) {
    tidemarkErrorOf(error);
    return undefined;
  }
}

test('a batch broken before its checksum was made is read as far as its records are whole, then refused', () => {
  fc.assert(
    fc.property(logs({ minLength: 2, maxLength: 2, codecs: ['none'], bytesMax: 5 }), flips, (log, changes) => {
      const [batch, next] = log as [MadeBatch, MadeBatch];
      // The batch behind it shows whether a walk leaves its own.
      expectAsReference(broken(batch.bytes, changes), [next.bytes], batch.baseOffset);
    }),
    { numRuns: 3_000 },
  );
});

test('packed bytes broken before the checksum was made are refused, or what they unpack to is read', () => {
  const codecs = testCodecs.filter((codec) => codec !== 'none');
  fc.assert(
    fc.property(logs({ minLength: 1, maxLength: 1, codecs }), flips, (log, changes) => {
      const [batch] = log as [MadeBatch];
      expectAsReference(broken(batch.bytes, changes), [], batch.baseOffset);
    }),
    { numRuns: 2_000 },
  );
});

test('nothing unpacks beyond the limit, whatever its bytes say', () => {
  const codecs = testCodecs.filter((codec) => codec !== 'none');
  fc.assert(
    fc.property(
      logs({ minLength: 1, maxLength: 1, codecs }),
      flips,
      fc.integer({ min: 1, max: 2_000 }),
      (log, changes, limit) => {
        const [batch] = log as [MadeBatch];
        const bytes = broken(batch.bytes, changes);
        try {
          const cursor = chunkOf(fetched(bytes, { fromOffset: batch.baseOffset, batchBytesMax: limit }))?.cursor();
          while (cursor?.next()) if (cursor.buffer !== bytes) expect(cursor.buffer.length).toBeLessThanOrEqual(limit);
        } catch (error) {
          tidemarkErrorOf(error);
        }
      },
    ),
    { numRuns: 1_000 },
  );
});

test('records broken before they were packed are read as far as they are whole, then refused', () => {
  fc.assert(
    fc.property(
      logs({ minLength: 1, maxLength: 1, codecs: ['none'], bytesMax: 20 }),
      fc.constantFrom<TestCodec>('gzip', 'snappy', 'snappyJava', 'lz4', 'zstd'),
      flips,
      (log, codec, changes) => {
        const [batch] = log as [MadeBatch];
        const plain = broken(batch.bytes, changes);
        const header = Buffer.from(plain.subarray(0, at.records));
        const attributes = header.readUInt16BE(at.attributes) & ~7;
        header.writeUInt16BE(attributes | codecIds[codec], at.attributes);
        const bytes = Buffer.concat([header, pack(codec, plain.subarray(at.records))]);
        sealRecordBatch(bytes);
        expectAsReference(bytes, [], batch.baseOffset);
      },
    ),
    { numRuns: 1_000 },
  );
});
