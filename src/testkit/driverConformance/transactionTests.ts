import { numbered, offsets, texts, withScene } from './helpers.ts';
import type { DriverSuite } from './suite.ts';

/** Read committed: nothing of an aborted or open transaction is seen, nothing of a committed one is lost. */
export function transactionTests(suite: DriverSuite): void {
  const { test, assert, environment } = suite;
  const { produce, beginTransaction } = environment;
  const markerLikeKey = Buffer.alloc(4);

  test('leaves out an aborted transaction and keeps a committed one', () =>
    withScene(suite, async ({ topic, read }) => {
      const aborted = await beginTransaction();
      await aborted.send(topic, 0, numbered(3, 'no'));
      await aborted.abort();
      const committed = await beginTransaction();
      await committed.send(topic, 0, numbered(2, 'yes'));
      await committed.commit();
      const records = await read(0, 7);
      assert.deepEqual(texts(records), ['yes0', 'yes1']);
      assert.deepEqual(offsets(records), [4, 5]);
    }));

  test('leaves out several aborted transactions of one producer in a row', () =>
    withScene(suite, async ({ topic, read }) => {
      const until = { offset: 0 };
      for (let round = 0; round < 3; round += 1) {
        const aborted = await beginTransaction();
        await aborted.send(topic, 0, numbered(2, 'no'));
        await aborted.abort();
        await produce(topic, 0, [{ value: `yes${round}` }]);
        until.offset += 4;
      }
      assert.deepEqual(texts(await read(0, until.offset)), ['yes0', 'yes1', 'yes2']);
    }));

  test('leaves out an aborted transaction that is longer than one fetch', () =>
    withScene(
      suite,
      async ({ topic, read }) => {
        const aborted = await beginTransaction();
        const padding = 'x'.repeat(400);
        for (let batch = 0; batch < 40; batch += 1) {
          await aborted.send(topic, 0, numbered(5, `no-${padding}`));
          await produce(topic, 0, [{ value: `yes${batch}` }]);
        }
        await aborted.abort();
        await produce(topic, 0, [{ value: 'last' }]);
        const records = await read(0, 242);
        assert.deepEqual(texts(records), [...numbered(40, 'yes').map(({ value }) => value), 'last']);
        assert.equal(offsets(records).at(-1), 241);
      },
      { fetcher: { fetchBytesMax: 3_000 } },
    ));

  test('tells interleaved producers apart', () =>
    withScene(suite, async ({ topic, read }) => {
      const [aborted, committed] = [await beginTransaction(), await beginTransaction()];
      for (let round = 0; round < 3; round += 1) {
        await aborted.send(topic, 0, [{ value: `no${round}` }]);
        await committed.send(topic, 0, [{ value: `yes${round}` }]);
      }
      await committed.commit();
      await aborted.send(topic, 0, [{ value: 'no-after' }]);
      await aborted.abort();
      assert.deepEqual(texts(await read(0, 9)), ['yes0', 'yes1', 'yes2']);
    }));

  test('leaves out two aborted transactions when the range begins inside both, at any place', () =>
    withScene(suite, async ({ topic, read }) => {
      const [first, second] = [await beginTransaction(), await beginTransaction()];
      for (let round = 0; round < 3; round += 1) {
        await first.send(topic, 0, numbered(2, 'no-first'));
        await second.send(topic, 0, numbered(2, 'no-second'));
      }
      await first.abort();
      await second.abort();
      await produce(topic, 0, [{ value: 'yes' }]);
      for (let from = 0; from <= 14; from += 1) assert.deepEqual(texts(await read(from, 15)), ['yes'], `from ${from}`);
    }));

  test('does not take a record for a marker because of its key', () =>
    withScene(suite, async ({ topic, read }) => {
      const aborted = await beginTransaction();
      await aborted.send(topic, 0, [{ key: markerLikeKey, value: 'no' }]);
      await aborted.send(topic, 0, numbered(3, 'no'));
      await aborted.abort();
      const committed = await beginTransaction();
      await committed.send(topic, 0, [{ key: markerLikeKey, value: 'yes' }]);
      await committed.commit();
      await produce(topic, 0, [{ key: markerLikeKey, value: 'plain' }]);
      const records = await read(0, 8);
      assert.deepEqual(texts(records), ['yes', 'plain']);
      assert.deepEqual(records[0]?.key, markerLikeKey);
    }));

  test('stops at an open transaction and goes on when it ends', () =>
    withScene(suite, async ({ topic, follow }) => {
      await produce(topic, 0, numbered(2, 'before'));
      const open = await beginTransaction();
      await open.send(topic, 0, numbered(2, 'in'));
      await produce(topic, 0, numbered(2, 'after'));
      const followed = follow(0);
      assert.deepEqual(texts(await followed.takeUntil(2)), ['before0', 'before1']);
      await followed.until(({ bounds }) => bounds?.highWatermark === 6n);
      assert.equal(followed.stream.bounds?.lastStableOffset, 2n);
      assert.equal(followed.stream.fetchedUntil, 2n);
      await open.commit();
      assert.deepEqual(texts(await followed.takeUntil(7)), ['in0', 'in1', 'after0', 'after1']);
      await followed.until(({ bounds }) => bounds?.lastStableOffset === 7n);
    }));

  test('finishes a range that ends with markers and aborted records', () =>
    withScene(suite, async ({ topic, read }) => {
      await produce(topic, 0, [{ value: 'yes' }]);
      const aborted = await beginTransaction();
      await aborted.send(topic, 0, numbered(3, 'no'));
      await aborted.abort();
      for (const until of [1, 2, 4, 5]) assert.deepEqual(texts(await read(0, until)), ['yes'], `until ${until}`);
      assert.deepEqual(await read(1, 5), []);
    }));

  test('reads a partition that holds nothing but markers and aborted records', () =>
    withScene(suite, async ({ topic, read, follow }) => {
      for (let round = 0; round < 4; round += 1) {
        const aborted = await beginTransaction();
        await aborted.send(topic, 0, [{ value: 'no' }]);
        await aborted.abort();
      }
      assert.deepEqual(await read(0, 8), []);
      const followed = follow(0);
      assert.deepEqual(await followed.takeUntil(8), []);
    }));
}
