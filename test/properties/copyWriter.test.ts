import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CopyWriter, FramePool, frameBytes } from '../../src/sinks/postgres/copyWriter.ts';
import { RowMap } from '../../src/sinks/postgres/rowMap.ts';

/** What a writer is asked to do with the rows of one record. */
interface RecordPlan {
  /** Bytes of each row, written in pieces of at most `piece`. */
  readonly rows: readonly number[];
  readonly piece: number;
  readonly isTakenBack: boolean;
  /** The COPY ends after this record and another one begins. */
  readonly endsCopy: boolean;
}

const plan: fc.Arbitrary<RecordPlan> = fc.record({
  rows: fc.array(
    fc.oneof(
      { weight: 8, arbitrary: fc.nat({ max: 300 }) },
      { weight: 1, arbitrary: fc.integer({ min: frameBytes - 40, max: frameBytes + 40 }) },
      { weight: 1, arbitrary: fc.integer({ min: 20_000, max: 300_000 }) },
    ),
    { maxLength: 4 },
  ),
  piece: fc.integer({ min: 1, max: 70_000 }),
  isTakenBack: fc.boolean(),
  endsCopy: fc.nat({ max: 9 }).map((n) => n === 0),
});

/** Messages of the protocol: type, and content without the length. */
function messagesOf(bytes: Buffer): { readonly type: string; readonly content: Buffer }[] {
  const messages = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readInt32BE(at + 1);
    expect(length).toBeGreaterThanOrEqual(4);
    expect(at + 1 + length).toBeLessThanOrEqual(bytes.length);
    messages.push({ type: String.fromCharCode(bytes[at] ?? 0), content: bytes.subarray(at + 5, at + 1 + length) });
    at += 1 + length;
  }
  return messages;
}

test('what is sent is whole messages that hold every row once, in order, and none that was taken back', () => {
  fc.assert(
    fc.property(fc.array(plan, { maxLength: 60 }), (plans) => {
      const frames = new FramePool();
      const sent: Buffer[] = [];
      const writer = new CopyWriter(frames, (frame, length) => {
        sent.push(Buffer.from(frame.subarray(0, length)));
        // The socket has taken it, and whoever gets the frame next may write anything into it.
        frame.fill(0xee);
        frames.give(frame);
      });
      const expected: Buffer[][] = [[]];
      writer.query('BEGIN');
      writer.beginData();
      let fill = 0;
      for (const { rows, piece, isTakenBack, endsCopy } of plans) {
        writer.mark();
        const written: Buffer[] = [];
        for (const length of rows) {
          fill = (fill + 1) % 251;
          const row = Buffer.alloc(length, fill);
          for (let at = 0; at < length; at += piece) writer.copy(row, at, Math.min(length, at + piece));
          written.push(row);
        }
        if (isTakenBack) writer.rewind();
        else expected.at(-1)?.push(...written);
        if (!endsCopy) continue;
        writer.endData();
        writer.query('COPY');
        writer.beginData();
        expected.push([]);
      }
      writer.endData();
      writer.query('COMMIT');
      writer.flush();
      writer.release();

      const messages = messagesOf(Buffer.concat(sent));
      const copies = expected.map((rows) => ['Q', ...(Buffer.concat(rows).length > 0 ? ['d'] : []), 'c']);
      const shape = messages.filter(({ type, content }) => type !== 'd' || content.length > 0);
      const types = shape.map(({ type }) => type).filter((type, index, all) => type !== 'd' || all[index - 1] !== 'd');
      expect(types.join('')).toBe(`${copies.flat().join('')}Q`);
      const found: Buffer[][] = [];
      for (const { type, content } of messages) {
        if (type === 'Q') found.push([]);
        if (type === 'd') found.at(-1)?.push(content);
      }
      for (const [index, rows] of expected.entries()) {
        expect(Buffer.concat(found[index] ?? []).equals(Buffer.concat(rows))).toBe(true);
      }
    }),
    { numRuns: 150 },
  );
});

test('every row leads back to its record, whatever was taken back in between', () => {
  const run = fc.record({
    topic: fc.constantFrom('a', 'b'),
    partition: fc.nat({ max: 2 }),
    baseOffset: fc.bigInt({ min: 0n, max: 2n ** 62n }),
    deltas: fc.array(fc.nat({ max: 1000 }), { maxLength: 8 }),
    keep: fc.nat({ max: 8 }),
  });
  fc.assert(
    fc.property(fc.array(run, { maxLength: 40 }), (runs) => {
      const map = new RowMap();
      const expected: { topic: string; partition: number; offset: bigint }[] = [];
      for (const { topic, partition, baseOffset, deltas, keep } of runs) {
        const before = map.rows;
        for (const offsetDelta of deltas) map.append({ topic, partition, baseOffset, offsetDelta } as never);
        const kept = Math.min(keep, deltas.length);
        map.truncate(before + kept);
        for (const delta of deltas.slice(0, kept))
          expected.push({ topic, partition, offset: baseOffset + BigInt(delta) });
      }
      expect(map.rows).toBe(expected.length);
      for (const [row, record] of expected.entries()) expect(map.recordOf(row)).toStrictEqual(record);
      expect(map.recordOf(expected.length)).toBeUndefined();
    }),
  );
});
