import { appendAll, chunk, claimAll, commitOf, failureOf, nextOffsets, startProcess, topic, write } from './process.ts';
import type { SinkSuite } from './suite.ts';

/** Rows and ledger are one: I2, I3, I4 and I6 of the guarantees. */
export function commitTests({ test, assert, environment }: SinkSuite): void {
  test('rows become visible with their range, and not before', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target);
    const records = chunk(0, 0n, ['a', null, 'c']);
    const transaction = await process.sink.begin([records]);
    await appendAll(transaction, records);
    assert.deepEqual(await target.rows(), []);
    assert.deepEqual(await nextOffsets(process.store), [0n, 0n, 0n]);
    await transaction.commitRanges([commitOf(process, records, 3)]);
    assert.deepEqual(await target.rows(), [
      { partition: 0, offset: 0n, value: 'a', n: 0 },
      { partition: 0, offset: 1n, value: null, n: 0 },
      { partition: 0, offset: 2n, value: 'c', n: 0 },
    ]);
    assert.deepEqual(await nextOffsets(process.store), [3n, 0n, 0n]);
    await process.close();
  });

  test('the ledger holds what became of the records', async () => {
    const process = await startProcess(await environment.newTarget());
    const records = chunk(1, 0n, ['a', 'b', 'c']);
    const transaction = await process.sink.begin([records]);
    await appendAll(transaction, records.slice(0n, 2n));
    await transaction.commitRanges([commitOf(process, records, 2, { leaderEpoch: 7 })]);
    const newest = await process.store.newestRange({ topic, partition: 1 });
    const { fromOffset, untilOffset, counts, kind, owner } = newest ?? {};
    assert.deepEqual(
      { fromOffset, untilOffset, counts: { ...counts }, kind, owner },
      {
        fromOffset: 0n,
        untilOffset: 3n,
        counts: { records: 3, produced: 2, rows: 2, dropped: 0, skipped: 1, deadLettered: 0 },
        kind: 'batch',
        owner: process.instanceId,
      },
    );
    assert.equal((await process.store.read([topic]))[1]?.leaderEpoch, 7);
    await process.close();
  });

  test('a range without rows moves the ledger', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target);
    const records = chunk(0, 0n, ['a']);
    const transaction = await process.sink.begin([records]);
    await transaction.commitRanges([commitOf(process, records, 0)]);
    assert.deepEqual(await target.rows(), []);
    assert.deepEqual(await nextOffsets(process.store), [1n, 0n, 0n]);
    await process.close();
  });

  test('ranges of several partitions are committed together', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target);
    const parts = [chunk(2, 0n, ['z']), chunk(0, 0n, ['a', 'b'])];
    const transaction = await process.sink.begin(parts);
    for (const part of parts) await appendAll(transaction, part);
    await transaction.commitRanges(parts.map((part) => commitOf(process, part, Number(part.nextOffset))));
    assert.deepEqual(
      (await target.rows()).map(({ value }) => value),
      ['a', 'b', 'z'],
    );
    assert.deepEqual(await nextOffsets(process.store), [2n, 0n, 1n]);
    await process.close();
  });

  test('transactions of different partitions run at the same time', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target);
    for (let from = 0n; from < 5n; from += 1n) {
      await Promise.all([0, 1, 2].map((partition) => write(process, chunk(partition, from, [`p${partition}`]))));
    }
    assert.equal((await target.rows()).length, 15);
    assert.deepEqual(await nextOffsets(process.store), [5n, 5n, 5n]);
    await process.close();
  });

  test('a stale claim is fenced and leaves nothing behind', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target);
    const records = chunk(0, 0n, ['a', 'b']);
    const transaction = await process.sink.begin([records]);
    await appendAll(transaction, records);
    const successor = await startProcess(target);
    const error = await failureOf(transaction.commitRanges([commitOf(process, records, 2)]));
    assert.equal(error.code, 'LEDGER_FENCED');
    assert.deepEqual({ topic: error.topic, partition: error.partition }, { topic, partition: 0 });
    await transaction.abort();
    assert.deepEqual(await target.rows(), []);
    assert.deepEqual(await nextOffsets(process.store), [0n, 0n, 0n]);
    await write(successor, records);
    assert.equal((await target.rows()).length, 2);
    await process.close();
    await successor.close();
  });

  test('one fenced partition takes the whole transaction back', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target);
    const parts = [chunk(0, 0n, ['a']), chunk(1, 0n, ['b'])];
    const transaction = await process.sink.begin(parts);
    for (const part of parts) await appendAll(transaction, part);
    const [, seen] = await process.store.read([topic]);
    await process.store.claim([{ topic, partition: 1, seenClaim: seen?.claim ?? null }]);
    const error = await failureOf(transaction.commitRanges(parts.map((part) => commitOf(process, part, 1))));
    assert.deepEqual({ code: error.code, partition: error.partition }, { code: 'LEDGER_FENCED', partition: 1 });
    await transaction.abort();
    assert.deepEqual(await target.rows(), []);
    assert.deepEqual(await nextOffsets(process.store), [0n, 0n, 0n]);
    await process.close();
  });

  test('the same range is not committed twice', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target);
    const records = chunk(0, 0n, ['a']);
    await write(process, records);
    const error = await failureOf(write(process, records));
    assert.deepEqual({ code: error.code, partition: error.partition }, { code: 'LEDGER_MOVED', partition: 0 });
    assert.equal((await target.rows()).length, 1);
    await process.close();
  });

  test('after its partitions are claimed again, a process goes on', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target);
    await write(process, chunk(0, 0n, ['a']));
    process.claims = await claimAll(process.store);
    await write(process, chunk(0, 1n, ['b']));
    assert.deepEqual(
      (await target.rows()).map(({ value }) => value),
      ['a', 'b'],
    );
    await process.close();
  });
}
