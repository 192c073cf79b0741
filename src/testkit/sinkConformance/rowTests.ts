import { appendAll, appendRows, chunk, commitOf, startProcess, topic } from './process.ts';
import type { SinkSuite } from './suite.ts';

/** Which rows a transaction holds. */
export function rowTests({ test, assert, environment }: SinkSuite): void {
  test('a record gives the rows of its transform, and other records give none', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target, true);
    const records = chunk(0, 0n, ['a', 'b', 'c']);
    const transaction = await process.sink.begin([records]);
    appendRows(transaction, records, (offset) => {
      if (offset === 1n) return [];
      return Array.from({ length: Number(offset) + 1 }, (_, n) => ({ value: `${offset}/${n}`, n }));
    });
    await transaction.commitRanges([commitOf(process, records, 2)]);
    assert.deepEqual(
      (await target.rows()).map(({ offset, value, n }) => [offset, value, n]),
      [
        [0n, '0/0', 0],
        [2n, '2/0', 0],
        [2n, '2/1', 1],
        [2n, '2/2', 2],
      ],
    );
    await process.close();
  });

  test('the rows of a record that were taken back are not written', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target, true);
    const records = chunk(0, 0n, ['a', 'b', 'c']);
    const transaction = await process.sink.begin([records]);
    const cursor = records.cursor();
    while (cursor.next()) {
      transaction.mark();
      transaction.appendRow(cursor, { value: 'first', n: 0 });
      transaction.appendRow(cursor, { value: 'second', n: 1 });
      if (cursor.offset === 1n) transaction.rewindToMark();
    }
    await transaction.commitRanges([commitOf(process, records, 2)]);
    assert.deepEqual(
      (await target.rows()).map(({ offset, n }) => [offset, n]),
      [
        [0n, 0],
        [0n, 1],
        [2n, 0],
        [2n, 1],
      ],
    );
    await process.close();
  });

  test('rows appended without a mark stay when a later record is taken back', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target, true);
    const records = chunk(0, 0n, ['a', 'b', 'c']);
    const transaction = await process.sink.begin([records]);
    const cursor = records.cursor();
    while (cursor.next()) {
      if (cursor.offset === 2n) transaction.mark();
      transaction.appendRow(cursor, { value: 'row', n: 0 });
    }
    transaction.rewindToMark();
    await transaction.commitRanges([commitOf(process, records, 2)]);
    assert.deepEqual(
      (await target.rows()).map(({ offset }) => offset),
      [0n, 1n],
    );
    await process.close();
  });

  const { unstorableValue } = environment;
  if (unstorableValue !== undefined) {
    test('a record that cannot be stored leaves no trace, and the transaction goes on', async () => {
      const target = await environment.newTarget();
      const process = await startProcess(target);
      const records = chunk(1, 0n, ['a', unstorableValue, 'c', unstorableValue]);
      const transaction = await process.sink.begin([records]);
      const refused = await appendAll(transaction, records);
      assert.deepEqual(
        refused.map((error) => ({ topic: error.topic, partition: error.partition, offset: error.offset })),
        [
          { topic, partition: 1, offset: 1n },
          { topic, partition: 1, offset: 3n },
        ],
      );
      for (const { code } of refused) assert.ok(['RECORD_UNSTORABLE', 'RECORD_UNPARSABLE'].includes(code), code);
      await transaction.commitRanges([commitOf(process, records, 2)]);
      assert.deepEqual(
        (await target.rows()).map(({ offset, value }) => [offset, value]),
        [
          [0n, 'a'],
          [2n, 'c'],
        ],
      );
      await process.close();
    });
  }

  test('a transaction of many megabytes keeps every row, large ones among them', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target);
    const values = Array.from({ length: 20_000 }, (_, index) => `${index}:${'v'.repeat(index % 400)}`);
    values[7_000] = 'L'.repeat(300_000);
    values[7_001] = 'M'.repeat(65_530);
    const records = chunk(0, 0n, values);
    const transaction = await process.sink.begin([records]);
    assert.deepEqual(await appendAll(transaction, records), []);
    await transaction.commitRanges([commitOf(process, records, values.length)]);
    const rows = await target.rows();
    assert.equal(rows.length, values.length);
    assert.ok(rows.every(({ offset, value }) => value === values[Number(offset)]));
    await process.close();
  });
}
