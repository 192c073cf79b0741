import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ExportedPosition, exportCsv, exportText, parseImport } from '../../src/operations/index.ts';

const partitionMax = 2 ** 31 - 1;
const topicArbitrary = fc.stringMatching(/^[a-zA-Z0-9._-]{1,60}$/);
const receiverArbitrary = fc.uuid().map((id) => `receiver:web@${id}`);

function positionArbitrary(topic: fc.Arbitrary<string>): fc.Arbitrary<ExportedPosition> {
  return fc.record({
    topic,
    partition: fc.integer({ min: 0, max: partitionMax }),
    nextOffset: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    topicId: fc.uuid(),
    leaderEpoch: fc.integer({ min: -1, max: partitionMax }),
    state: fc.constantFrom('running', 'paused', 'parked'),
  });
}

const positionsArbitrary = (topic: fc.Arbitrary<string>) =>
  fc.uniqueArray(positionArbitrary(topic), {
    minLength: 1,
    maxLength: 30,
    selector: ({ topic, partition }) => `${topic}:${partition}`,
  });

describe('what an export wrote, an import reads', () => {
  test('as JSON, names of pipelines and receivers as they are', () => {
    const all = positionsArbitrary(fc.oneof(topicArbitrary, receiverArbitrary));
    fc.assert(
      fc.property(all, fc.string(), fc.integer({ min: 0, max: 4e12 }), (rows, pipeline, atMs) => {
        const file = parseImport(exportText(rows, pipeline, atMs));
        expect(file.problems).toEqual([]);
        expect(file.pipeline).toBe(pipeline);
        expect(file.positions).toEqual(
          rows.map(({ topic, partition, nextOffset, topicId }, index) => ({
            ...{ topic, partition, offset: nextOffset, topicId, place: `positions[${index}]` },
          })),
        );
      }),
    );
  });

  test('as CSV, with the line ends of any system and a byte order mark', () => {
    const lineEnd = fc.constantFrom('\n', '\r\n', '\n\n');
    fc.assert(
      fc.property(positionsArbitrary(topicArbitrary), lineEnd, fc.boolean(), (rows, end, hasMark) => {
        const text = exportCsv(rows).replaceAll('\n', end);
        const file = parseImport(hasMark ? `\uFEFF${text}` : text);
        expect(file.problems).toEqual([]);
        expect(file.positions).toMatchObject(
          rows.map(({ topic, partition, nextOffset }) => ({ topic, partition, offset: nextOffset })),
        );
      }),
    );
  });

  test('JSON has the documented fields, offsets as text, one position a line', () => {
    const row = { topic: 'orders', partition: 3, nextOffset: 2n ** 60n, leaderEpoch: 4, state: 'running' } as const;
    const text = exportText([{ ...row, topicId: 'id' }], 'a "b"', 0);
    expect(JSON.parse(text)).toEqual({
      pipeline: 'a "b"',
      exportedAt: '1970-01-01T00:00:00.000Z',
      positions: [
        {
          ...{ topic: 'orders', partition: 3, offset: '1152921504606846976', topicId: 'id' },
          ...{ leaderEpoch: 4, state: 'running' },
        },
      ],
    });
    expect(text.split('\n')).toHaveLength(4);
    expect(JSON.parse(exportText([], 'p', 0))).toMatchObject({ positions: [] });
  });

  test('no text, however damaged, is read as something that it does not say', () => {
    const rows = positionsArbitrary(topicArbitrary);
    const edit = fc.record({ at: fc.nat(), insert: fc.string({ maxLength: 3 }), remove: fc.nat({ max: 3 }) });
    fc.assert(
      fc.property(rows, edit, fc.boolean(), (positions, { at, insert, remove }, isCsv) => {
        const text = isCsv ? exportCsv(positions) : exportText(positions, 'p', 0);
        const cut = at % (text.length + 1);
        const file = parseImport(text.slice(0, cut) + insert + text.slice(cut + remove));
        for (const { topic, partition, offset } of file.positions) {
          expect(topic).toMatch(/^[a-zA-Z0-9._-]{1,249}$/);
          expect(partition >= 0 && partition <= partitionMax && Number.isInteger(partition)).toBe(true);
          expect(offset >= 0n && offset < 2n ** 63n).toBe(true);
        }
        const keys = file.positions.map(({ topic, partition }) => `${topic}:${partition}`);
        expect(file.problems.length > 0 || new Set(keys).size === keys.length).toBe(true);
      }),
    );
  });
});
