import { describe, expect, test } from 'vitest';
import { verify } from '../../../src/operations/index.ts';
import { proveRows } from '../../../src/operations/rowProof.ts';
import type { RowCensus, RowRun } from '../../../src/sinks/postgres/census/index.ts';
import { type OperatorScene, operatorScene, orders } from '../../support/operatorScene.ts';

type Run = readonly [from: number, until: number, rowsEach?: number, partition?: number];

const runOf = ([from, until, rowsEach = 1, partition = 0]: Run): RowRun => ({
  ...{ topic: 'orders', partition, fromOffset: BigInt(from), untilOffset: BigInt(until), rowsEach },
});

/** A table that has these rows, given `perFetch` runs at a time. */
function tableOf(runs: readonly Run[], perFetch: number): RowCensus {
  const waiting = runs.map(runOf);
  return { table: 'public.orders', next: async () => waiting.splice(0, perFetch), close: async () => {} };
}

/** What is found when the ledger is looked at, then the table, then `meanwhile` happens. */
async function proven(scene: OperatorScene, runs: readonly Run[], meanwhile: () => Promise<void> = async () => {}) {
  const partitions = await verify(scene.progress, { choice: [] });
  await meanwhile();
  const rowsAfter = await scene.store.read();
  const all = await Promise.all(
    [1, 2, 100].map((perFetch) =>
      proveRows({
        ...{ store: scene.store, partitions, rowsAfter },
        census: tableOf(runs, perFetch),
        onStep: () => {},
      }),
    ),
  );
  const [first, ...others] = all.map((checks) =>
    [...checks.values()].flatMap(({ findings }) => findings.map(({ text }) => text)),
  );
  for (const other of others) expect(other, 'however the rows come').toEqual(first);
  return first;
}

/** Two ranges, a gap, a range: 0 to 5, 5 to 15, 15 to 20, 20 to 23. */
async function committed(): Promise<OperatorScene> {
  const scene = await operatorScene();
  await scene.commit(5);
  await scene.commit(10, { counts: { records: 4, produced: 3, rows: 6, dropped: 1 } });
  await scene.commit(5, { kind: 'gap', reason: 'a loss' });
  await scene.commit(3);
  return scene;
}

/** Three records of two rows each in the second range. */
const whole: readonly Run[] = [
  [0, 5],
  [6, 8, 2],
  [14, 15, 2],
  [20, 23],
];

describe('rows of a target', () => {
  test('that are what the ledger counted', async () => {
    expect(await proven(await committed(), whole)).toEqual([]);
  });

  test('whose runs reach over several ranges', async () => {
    const scene = await operatorScene();
    for (const length of [5, 1, 9]) await scene.commit(length);
    expect(await proven(scene, [[0, 15]])).toEqual([]);
    expect(
      await proven(scene, [
        [0, 4],
        [4, 6, 2],
        [6, 15],
      ]),
    ).toEqual([
      'orders-0 seq 2, offsets 0 to 5, counts 5 rows of 5 records, public.orders has 6 of 5',
      'orders-0 seq 3, offsets 5 to 6, counts 1 rows of 1 records, public.orders has 2 of 1',
    ]);
  });

  test.each<[string, readonly Run[], string]>([
    [
      'a row is missing',
      [[0, 4], ...whole.slice(1)],
      'seq 2, offsets 0 to 5, counts 5 rows of 5 records, public.orders has 4 of 4',
    ],
    [
      'the rows of a record are missing',
      whole.toSpliced(2, 1),
      'seq 3, offsets 5 to 15, counts 6 rows of 3 records, public.orders has 4 of 2',
    ],
    [
      'a row is in the place of another',
      whole.toSpliced(1, 1, [6, 7, 1], [7, 8, 3]).toSpliced(3, 1, [13, 14, 1], [14, 15, 1]),
      'counts 6 rows of 3 records, public.orders has 6 of 4',
    ],
    ['a range has none', whole.slice(1), 'seq 2, offsets 0 to 5, counts 5 rows of 5 records, public.orders has 0 of 0'],
    [
      'all are missing at the end',
      whole.slice(0, 3),
      'seq 5, offsets 20 to 23, counts 3 rows of 3 records, public.orders has 0 of 0',
    ],
    [
      'rows are in a gap',
      whole.toSpliced(3, 0, [16, 18]),
      'seq 4, offsets 15 to 20, is a gap, and public.orders has 2 rows of it',
    ],
    [
      'rows are behind the position',
      [...whole, [30, 31]],
      'orders-0 offsets 30 to 31: public.orders has rows behind the position 23',
    ],
    [
      'rows are of another partition',
      [...whole, [1, 3, 2, 4]],
      'orders-4 offsets 1 to 3: public.orders has 4 rows of a partition that the ledger does not know',
    ],
  ])('when %s', async (_, runs, text) => {
    expect(await proven(await committed(), runs)).toEqual([expect.stringContaining(text)]);
  });

  test('before the first position are found', async () => {
    const scene = await operatorScene({ nextOffset: 10n });
    await scene.commit(2);
    expect(await proven(scene, [[9, 12]])).toEqual([
      'orders-0 offsets 9 to 10: public.orders has rows before the first offset of the pipeline',
    ]);
  });

  test('that are committed meanwhile are no fault, in the table or not yet', async () => {
    for (const runs of [[[0, 5]], [[0, 9]], [[0, 12]]] as const) {
      const scene = await operatorScene();
      await scene.commit(5);
      expect(await proven(scene, runs, () => scene.commit(7))).toEqual([]);
    }
  });

  test('of a partition that was reset are counted altogether', async () => {
    const scene = await operatorScene();
    await scene.commit(10);
    const [seen] = await scene.store.read();
    await scene.store.move(
      [{ ...orders, kind: 'reset', toOffset: 6n, topicId: seen?.topicId ?? '', reason: 'again', seen }],
      'anna',
    );
    await scene.commit(4);
    expect(
      await proven(scene, [
        [0, 6],
        [6, 10, 2],
      ]),
    ).toEqual([]);
    expect(await proven(scene, [[0, 10]])).toEqual([
      '10 rows of orders-0 in public.orders, over all incarnations the ledger counts 14',
    ]);
  });
});
