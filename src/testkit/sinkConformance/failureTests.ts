import { appendAll, chunk, commitOf, failureOf, nextOffsets, startProcess, topic, write } from './process.ts';
import type { SinkSuite } from './suite.ts';

/** What is left behind when something goes wrong, and that the sink goes on afterwards. */
export function failureTests({ test, assert, environment }: SinkSuite): void {
  test('an aborted transaction leaves nothing behind, however far it was', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target);
    const few = chunk(0, 0n, ['a']);
    const many = chunk(
      0,
      0n,
      Array.from({ length: 3_000 }, () => 'v'.repeat(100)),
    );
    for (const records of [undefined, few, many]) {
      const transaction = await process.sink.begin([few]);
      if (records !== undefined) await appendAll(transaction, records);
      await transaction.abort();
      await transaction.abort();
    }
    assert.deepEqual(await target.rows(), []);
    await write(process, few);
    assert.equal((await target.rows()).length, 1);
    await process.close();
  });

  test('rows that the target refuses take the transaction back', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target);
    const records = chunk(0, 0n, ['a', 'b', environment.refusedValue, 'd']);
    const transaction = await process.sink.begin([records]);
    await appendAll(transaction, records);
    const error = await failureOf(transaction.commitRanges([commitOf(process, records, 4)]));
    await transaction.abort();
    assert.deepEqual({ code: error.code, retriable: error.retriable }, { code: 'SINK_REFUSED', retriable: false });
    if (environment.namesRefused) {
      const { topic: named, partition, offset } = error;
      assert.deepEqual({ named, partition, offset }, { named: topic, partition: 0, offset: 2n });
    }
    assert.deepEqual(await target.rows(), []);
    assert.deepEqual(await nextOffsets(process.store), [0n, 0n, 0n]);
    await write(process, records.slice(0n, 2n));
    assert.equal((await target.rows()).length, 2);
    await process.close();
  });

  test('rows that were refused in mid-transaction are reported by then or at the end', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target);
    const values = Array.from({ length: 30_000 }, (_, index) => `${index} ${'v'.repeat(100)}`);
    values[5] = environment.refusedValue;
    const records = chunk(0, 0n, values);
    const transaction = await process.sink.begin([records]);
    const work = async () => {
      await appendAll(transaction, records);
      await transaction.commitRanges([commitOf(process, records, values.length)]);
    };
    const error = await failureOf(work());
    await transaction.abort();
    assert.equal(error.code, 'SINK_REFUSED');
    if (environment.namesRefused) assert.equal(error.offset, 5n);
    assert.deepEqual(await target.rows(), []);
    await write(process, chunk(0, 0n, ['a']));
    await process.close();
  });

  test('a connection lost before the commit is sent can be retried, and nothing was written', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target);
    const records = chunk(
      0,
      0n,
      Array.from({ length: 3_000 }, () => 'v'.repeat(100)),
    );
    for (let round = 0; round < 3; round += 1) {
      const transaction = await process.sink.begin([records]);
      await appendAll(transaction, records);
      await target.cutTransactions(process.instanceId);
      const commit = transaction.commitRanges([commitOf(process, records, 3_000)]);
      // A sink that has sent nothing yet has nothing to lose.
      const error = await commit.then(
        () => undefined,
        (failure: { readonly code: string; readonly retriable: boolean }) => failure,
      );
      await transaction.abort();
      const isDone = error === undefined;
      assert.ok(isDone || error.retriable || error.code === 'COMMIT_IN_DOUBT', error?.code);
      const rows = (await target.rows()).length;
      const [next] = await nextOffsets(process.store);
      assert.equal(rows, Number(next));
      if (isDone) break;
    }
    const [next = 0n] = await nextOffsets(process.store);
    if (next === 0n) await write(process, records);
    assert.equal((await target.rows()).length, 3_000);
    await process.close();
  });

  test('a transaction aborted while it commits is told apart by the ledger', async () => {
    const target = await environment.newTarget();
    const process = await startProcess(target);
    let next = 0n;
    for (let round = 0; round < 10; round += 1) {
      const records = chunk(0, next, [`round ${round}`]);
      const transaction = await process.sink.begin([records]);
      await appendAll(transaction, records);
      const commit = transaction.commitRanges([commitOf(process, records, 1)]).then(
        () => 'committed',
        (error: { readonly code: string }) => error.code,
      );
      for (let turn = 0; turn < round; turn += 1) await Promise.resolve();
      await transaction.abort();
      const outcome = await commit;
      assert.ok(['committed', 'COMMIT_IN_DOUBT', 'PIPELINE_STATE'].includes(outcome), outcome);
      // The server may still be at it: a fresh claim ends that.
      const [row] = await process.store.read([topic]);
      const [claimed] = await process.store.claim([{ topic, partition: 0, seenClaim: row?.claim ?? null }]);
      if (claimed?.claimed !== true) throw new Error('the partition was not claimed');
      process.claims = [claimed.held, ...process.claims.slice(1)];
      const after = claimed.row.nextOffset;
      if (outcome === 'committed') assert.equal(after, next + 1n);
      if (outcome === 'PIPELINE_STATE') assert.equal(after, next);
      assert.equal((await target.rows()).length, Number(after));
      next = after;
    }
    await process.close();
  });

  test('begin waits for its turn', async () => {
    const process = await startProcess(await environment.newTarget());
    const { sink } = process;
    const open = await Promise.all(
      Array.from({ length: sink.concurrentTransactionsMax }, () => sink.begin([{ topic, partition: 0 }])),
    );
    let isBegun = false;
    const next = sink.begin([{ topic, partition: 1 }]).then((transaction) => {
      isBegun = true;
      return transaction;
    });
    await process.store.read();
    assert.equal(isBegun, false);
    await open.pop()?.abort();
    await (await next).abort();
    for (const transaction of open) await transaction.abort();
    await process.close();
  });

  test('a closed sink begins nothing, and lets nobody wait', async () => {
    const process = await startProcess(await environment.newTarget());
    const { sink } = process;
    const open = await Promise.all(
      Array.from({ length: sink.concurrentTransactionsMax }, () => sink.begin([{ topic, partition: 0 }])),
    );
    const waiting = failureOf(sink.begin([{ topic, partition: 1 }]));
    await sink.close();
    assert.equal((await waiting).code, 'PIPELINE_STATE');
    assert.equal((await failureOf(sink.begin([{ topic, partition: 1 }]))).code, 'PIPELINE_STATE');
    for (const transaction of open) await transaction.abort();
    await sink.close();
    await process.store.close();
  });
}
