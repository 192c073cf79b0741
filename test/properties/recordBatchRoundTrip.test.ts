import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KafkaRecord } from '../../src/model/index.ts';
import { chunk, plainRecords } from '../fixtures/fetched.ts';
import { fraction, logs, type MadeBatch } from './recordBatchArbitraries.ts';

const bytesOf = (log: readonly MadeBatch[]) => Buffer.concat(log.map((batch) => batch.bytes));

/** An offset in the first batch of a log: where a fetch may begin. */
function pick(part: number, from: bigint, until: bigint): bigint {
  return from + BigInt(Math.floor(part * Number(until - from)));
}

test('what was encoded is decoded, from the offset asked for on', () => {
  fc.assert(
    fc.property(logs(), fraction, fc.uint8Array({ maxLength: 16 }), (log, part, tail) => {
      const first = log[0] as MadeBatch;
      const fromOffset = pick(part, first.baseOffset, first.untilOffset);
      // Fewer bytes than it takes to tell a batch from its beginning.
      const found = chunk(Buffer.concat([bytesOf(log), tail]), { fromOffset });
      const wanted = log.flatMap((batch) => batch.records).filter(({ offset }) => offset >= fromOffset);
      expect(plainRecords(found)).toEqual(wanted);
      expect(found.fromOffset).toBe(fromOffset);
      expect(found.nextOffset).toBe(log.at(-1)?.untilOffset);
      expect(found.leaderEpoch).toBe(log.at(-1)?.leaderEpoch);
      expect(found.recordCountMax).toBeGreaterThanOrEqual(wanted.length);
    }),
    { numRuns: 400 },
  );
});

test('slices side by side hold what the whole holds, each record in exactly one', () => {
  fc.assert(
    fc.property(logs(), fc.array(fraction, { maxLength: 5 }), (log, cuts) => {
      const [first, last] = [log[0] as MadeBatch, log.at(-1) as MadeBatch];
      const whole = chunk(bytesOf(log), { fromOffset: first.baseOffset });
      const bounds = cuts.map((cut) => pick(cut, first.baseOffset, last.untilOffset));
      const edges = [first.baseOffset, ...bounds, last.untilOffset].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
      const parts = edges.slice(1).map((until, index) => whole.slice(edges[index] as bigint, until));
      expect(parts.flatMap(plainRecords)).toEqual(log.flatMap((batch) => batch.records));
      for (const part of parts) {
        expect(part.recordCountMax).toBeGreaterThanOrEqual(plainRecords(part).length);
        const again = Buffer.concat([...part.rawBatches()].map((batch) => batch.bytes));
        if (again.length === 0) continue;
        const reread = chunk(again, { fromOffset: part.fromOffset }).slice(part.fromOffset, part.nextOffset);
        expect(plainRecords(reread)).toEqual(plainRecords(part));
      }
    }),
    { numRuns: 300 },
  );
});

test('record objects say what the cursor said, after it has gone on', () => {
  fc.assert(
    fc.property(logs(), (log) => {
      const cursor = chunk(bytesOf(log), { fromOffset: (log[0] as MadeBatch).baseOffset }).cursor();
      const records: KafkaRecord[] = [];
      while (cursor.next()) records.push(cursor.record());
      const plain = records.map(({ offset, timestamp, timestampType, key, value, headers }) => ({
        offset,
        timestamp,
        timestampType,
        key,
        value,
        headers,
      }));
      expect(plain).toEqual(log.flatMap((batch) => batch.records));
    }),
    { numRuns: 200 },
  );
});

test('a log cut off anywhere behind its first batch gives its whole batches', () => {
  fc.assert(
    fc.property(logs(), fraction, (log, part) => {
      const bytes = bytesOf(log);
      const [first] = log as [MadeBatch];
      const length = first.bytes.length + Math.floor(part * (bytes.length - first.bytes.length));
      let end = 0;
      const whole = log.filter((batch) => {
        end += batch.bytes.length;
        return end <= length;
      });
      const found = chunk(bytes.subarray(0, length), { fromOffset: first.baseOffset });
      expect(plainRecords(found)).toEqual(whole.flatMap((batch) => batch.records));
      expect(found.nextOffset).toBe(whole.at(-1)?.untilOffset);
    }),
    { numRuns: 300 },
  );
});
