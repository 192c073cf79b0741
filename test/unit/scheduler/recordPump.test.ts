import { describe, expect, it } from 'vitest';
import { TidemarkError } from '../../../src/errors.ts';
import { noCounts, type RecordCursor } from '../../../src/model/index.ts';
import { systemClock } from '../../../src/platform/index.ts';
import { type BadRecord, RecordPump, type Transform } from '../../../src/scheduler/recordPump.ts';
import { TransformStage } from '../../../src/scheduler/transformStage.ts';
import type { Row, SinkTransaction } from '../../../src/sinks/index.ts';
import { encodeRecordBatch } from '../../../src/testkit/index.ts';
import { chunk } from '../../fixtures/fetched.ts';

/** A transaction in memory at the port: refuses records whose value is `bad`, rows with `bad: true`. */
class MemoryTransaction implements SinkTransaction {
  readonly rows: string[] = [];
  readonly needsDrain = true;
  drains = 0;
  #mark = 0;

  appendRecord(cursor: RecordCursor): number {
    const value = cursor.buffer.toString('utf8', cursor.valueStart, cursor.valueEnd);
    if (value === 'bad') throw new TidemarkError('RECORD_UNSTORABLE', 'bad', { offset: cursor.offset });
    this.rows.push(`${cursor.offset}=${value}`);
    return 1;
  }

  appendRow(cursor: RecordCursor, row: Row): void {
    if (row.bad === true) throw new TidemarkError('RECORD_UNSTORABLE', 'bad', { offset: cursor.offset });
    this.rows.push(`${cursor.offset}=${row.text}`);
  }

  mark(): void {
    this.#mark = this.rows.length;
  }

  rewindToMark(): void {
    this.rows.length = this.#mark;
  }

  async drain(): Promise<void> {
    this.drains += 1;
  }

  async commitRanges(): Promise<void> {}

  async abort(): Promise<void> {}
}

async function pump(
  values: readonly string[],
  transform: Transform,
  policy: 'stop' | 'skip' = 'stop',
  refused: ReadonlyMap<bigint, TidemarkError> = new Map(),
) {
  const stage = new TransformStage({
    pipeline: 'p',
    attempts: 1,
    timeoutMs: 1000,
    clock: systemClock,
    beacon: undefined,
  });
  const transaction = new MemoryTransaction();
  const counts = noCounts();
  const skipped: BadRecord[] = [];
  const firsts: number[] = [];
  const signal = new AbortController().signal;
  const walk = new RecordPump(stage, transform, {
    transaction,
    counts,
    batchTimeMs: 7,
    signal,
    policy,
    refused,
    skipped,
    onFirst: (timestampMs) => firsts.push(timestampMs),
  });
  const records = values.map((value, index) => ({ value, timestamp: 5000 + index }));
  const bad =
    (await walk.chunk(chunk(encodeRecordBatch({ baseOffset: 100n, baseTimestamp: 5000, records })))) ??
    (await walk.end());
  // The first record, and nobody asks again.
  expect(firsts).toEqual(values.length === 0 ? [] : [5000]);
  return { rows: transaction.rows, counts, skipped: skipped.map(({ offset }) => offset), bad: bad?.offset };
}

const text = (record: { text(): string | null }) => record.text();
const byRecord: Transform = {
  record: (record) => {
    const value = text(record);
    if (value === 'drop') return undefined;
    if (value === 'none') return [];
    if (value === 'two') return [{ text: 'a' }, { text: 'b' }];
    if (value === 'half') return [{ text: 'a' }, { bad: true }];
    if (value === 'throw') throw new Error('boom');
    if (value === 'later') return Promise.resolve({ text: 'later' });
    return { text: value, bad: value === 'bad' };
  },
};
const byBatch: Transform = {
  batch: (records) =>
    records.map((record) =>
      text(record) === 'drop' ? undefined : { text: text(record), bad: text(record) === 'bad' },
    ),
};

describe('carrying records into a transaction', () => {
  it('without a transform the sink maps each record', async () => {
    expect(await pump(['a', 'b'], undefined)).toEqual({
      rows: ['100=a', '101=b'],
      counts: { records: 2, produced: 2, rows: 2, dropped: 0, skipped: 0, deadLettered: 0 },
      skipped: [],
      bad: undefined,
    });
  });

  it('a slow transform lets the event loop turn between records', async () => {
    let turns = 0;
    let isOver = false;
    const turn = () => {
      turns += 1;
      if (!isOver) setImmediate(turn);
    };
    setImmediate(turn);
    const slow: Transform = {
      record: (record) => {
        const until = performance.now() + 10;
        while (performance.now() < until);
        return { text: text(record) };
      },
    };
    const { rows } = await pump(Array<string>(20).fill('a'), slow);
    isOver = true;
    expect(rows).toHaveLength(20);
    // 20 records of 10 ms: at most 20 ms and one record between two turns.
    expect(turns).toBeGreaterThanOrEqual(6);
  });

  it('a transform gives one row, several, or none, and each record is accounted for', async () => {
    const { rows, counts } = await pump(['a', 'drop', 'two', 'none', 'later'], byRecord);
    expect(rows).toEqual(['100=a', '102=a', '102=b', '104=later']);
    expect(counts).toEqual({ records: 5, produced: 3, rows: 4, dropped: 2, skipped: 0, deadLettered: 0 });
  });

  it('a batch transform sees all records of the range and answers for each', async () => {
    const { rows, counts } = await pump(['a', 'drop', 'b'], byBatch);
    expect(rows).toEqual(['100=a', '102=b']);
    expect(counts).toMatchObject({ records: 3, produced: 2, rows: 2, dropped: 1 });
  });

  it.each([
    ['no transform', undefined],
    ['a record transform', byRecord],
    ['a batch transform', byBatch],
  ])('with %s, policy stop ends right before a record that cannot be stored', async (_, transform) => {
    const { rows, counts, bad } = await pump(['a', 'bad', 'c'], transform);
    expect(rows).toEqual(['100=a']);
    expect(bad).toBe(101n);
    expect(counts).toMatchObject({ records: 1, produced: 1, skipped: 0 });
  });

  it.each([
    ['no transform', undefined],
    ['a record transform', byRecord],
    ['a batch transform', byBatch],
  ])('with %s, policy skip passes it over and counts it', async (_, transform) => {
    const { rows, counts, bad, skipped } = await pump(['a', 'bad', 'c'], transform, 'skip');
    expect(rows).toEqual(['100=a', '102=c']);
    expect(bad).toBeUndefined();
    expect(skipped).toEqual([101n]);
    expect(counts).toMatchObject({ records: 3, produced: 2, skipped: 1 });
  });

  it('a record leaves all of its rows or none', async () => {
    expect((await pump(['a', 'half', 'c'], byRecord, 'skip')).rows).toEqual(['100=a', '102=c']);
  });

  it('a transform that throws follows the policy', async () => {
    expect((await pump(['a', 'throw', 'c'], byRecord)).bad).toBe(101n);
    expect((await pump(['a', 'throw', 'c'], byRecord, 'skip')).rows).toEqual(['100=a', '102=c']);
  });

  it('a batch transform that throws stops before its first record, also under skip', async () => {
    const failing: Transform = {
      batch: () => {
        throw new Error('boom');
      },
    };
    const { bad, rows, counts } = await pump(['a', 'b'], failing, 'skip');
    expect({ bad, rows, records: counts.records }).toEqual({ bad: 100n, rows: [], records: 0 });
  });

  it.each([
    ['no transform', undefined],
    ['a record transform', byRecord],
    ['a batch transform', byBatch],
  ])('with %s, a record the database refused before is passed over', async (_, transform) => {
    const refused = new Map([[101n, new TidemarkError('SINK_REFUSED', 'x', { offset: 101n })]]);
    const { rows, counts, skipped } = await pump(['a', 'b', 'c'], transform, 'skip', refused);
    expect(rows).toEqual(['100=a', '102=c']);
    expect(skipped).toEqual([101n]);
    expect(counts).toEqual({ records: 3, produced: 2, rows: 2, dropped: 0, skipped: 1, deadLettered: 0 });
  });

  it('what is not about a record is thrown', async () => {
    const broken: Transform = {
      record: () => {
        throw new TidemarkError('SINK_UNREACHABLE', 'away', { retriable: true });
      },
    };
    await expect(pump(['a'], broken, 'skip')).rejects.toMatchObject({ code: 'SINK_UNREACHABLE' });
  });
});
