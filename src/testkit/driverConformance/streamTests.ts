import { Followed, numbered, offsets, rejection, texts, topicIdOf, withScene } from './helpers.ts';
import type { DriverSuite } from './suite.ts';

/** How streams behave: waiting, seeking, holding back, ending. */
export function streamTests(suite: DriverSuite): void {
  const { test, assert, environment } = suite;
  const { produce } = environment;

  test('follows a partition as it grows, chunk after chunk without a gap', () =>
    withScene(suite, async ({ topic, follow }) => {
      const followed = follow(0);
      await followed.until(({ bounds }) => bounds !== undefined);
      assert.equal(followed.stream.take(), undefined);
      let position = 0n;
      for (let round = 0; round < 20; round += 1) {
        await produce(topic, 0, numbered(3, `${round}-`));
        await followed.until((stream) => stream.fetchedUntil > stream.takenUntil);
        for (let chunk = followed.stream.take(); chunk !== undefined; chunk = followed.stream.take()) {
          assert.equal(chunk.fromOffset, position);
          position = chunk.nextOffset;
          assert.equal(followed.stream.takenUntil, position);
        }
      }
      await followed.takeUntil(60);
      assert.equal(followed.stream.fetchedUntil, 60n);
    }));

  test('shows the bounds of the newest answer', () =>
    withScene(suite, async ({ topic, follow }) => {
      const followed = follow(0);
      await followed.until(({ bounds }) => bounds?.highWatermark === 0n);
      await produce(topic, 0, numbered(3));
      await followed.until(({ bounds }) => bounds?.lastStableOffset === 3n);
      await environment.deleteRecords(topic, 0, 2n);
      await followed.until(({ bounds }) => bounds?.logStartOffset === 2n);
      // Nothing else: what else an answer brings would be kept in memory with it.
      assert.deepEqual(followed.stream.bounds, { logStartOffset: 2n, highWatermark: 3n, lastStableOffset: 3n });
    }));

  test('waits for records to come when it begins beyond the end, at the last stable offset', () =>
    withScene(suite, async ({ topic, follow }) => {
      await produce(topic, 0, numbered(3));
      const followed = follow(3);
      await followed.until(({ bounds }) => bounds !== undefined);
      await produce(topic, 0, [{ value: 'new' }]);
      assert.deepEqual(texts(await followed.takeUntil(4)), ['new']);
    }));

  test('stops asking while it holds as much as it may, and goes on when drained', () =>
    withScene(
      suite,
      async ({ topic, follow }) => {
        for (let batch = 0; batch < 20; batch += 1) await produce(topic, 0, [{ value: Buffer.alloc(1_000) }]);
        const followed = follow(0);
        await followed.until(({ bufferedBytes }) => bufferedBytes >= 4_000);
        const held = followed.stream.bufferedBytes;
        assert.ok(held < 4_000 + 2_500, `${held} bytes`);
        assert.ok(followed.stream.fetchedUntil < 10n);
        assert.equal((await followed.takeUntil(20)).length, 20);
        assert.equal(followed.stream.bufferedBytes, 0);
      },
      { fetcher: { fetchBytesMax: 1_200, bufferedBytesMax: 4_000 } },
    ));

  test('a stream that is held back does not hold back the others', () =>
    withScene(
      suite,
      async ({ topic, follow }) => {
        await produce(topic, 0, [{ value: Buffer.alloc(2_000) }]);
        const full = follow(0, 0);
        const other = follow(0, 1);
        await full.until(({ bufferedBytes }) => bufferedBytes > 1_000);
        await produce(topic, 0, [{ value: 'held back' }]);
        for (let round = 0; round < 10; round += 1) await produce(topic, 1, [{ value: 'x' }]);
        await other.takeUntil(10);
        assert.equal(full.stream.fetchedUntil, 1n);
        assert.deepEqual(texts(await full.takeUntil(2)).at(-1), 'held back');
      },
      { partitions: 2, fetcher: { bufferedBytesMax: 1_000 } },
    ));

  test('goes on from where it is sent, and drops what waited', () =>
    withScene(suite, async ({ topic, follow }) => {
      await produce(topic, 0, numbered(10));
      const followed = follow(0);
      await followed.until((stream) => stream.fetchedUntil === 10n);
      followed.stream.seek(6n);
      assert.deepEqual(
        [followed.stream.takenUntil, followed.stream.fetchedUntil, followed.stream.bufferedBytes],
        [6n, 6n, 0],
      );
      assert.equal(followed.stream.take(), undefined);
      assert.deepEqual(texts(await followed.takeUntil(10)), ['6', '7', '8', '9']);
    }));

  test('never gives records of before a seek, whatever was under way', () =>
    withScene(
      suite,
      async ({ topic, follow }) => {
        for (let batch = 0; batch < 10; batch += 1) await produce(topic, 0, numbered(10));
        const followed = follow(0);
        for (let round = 0; round < 200; round += 1) {
          const target = BigInt((round * 37) % 100);
          followed.stream.seek(target);
          // Some seeks come before the request is sent, some while the answer is on its way, some when it has come.
          for (let turn = 0; turn < round % 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
          if (round % 3 === 0) {
            const records = await followed.takeUntil(target + 1n);
            assert.equal(offsets(records)[0], Number(target), `round ${round}`);
          }
        }
      },
      { fetcher: { fetchBytesMax: 500 } },
    ));

  test('a seek or a new stream does not wait for the long poll of the others', () =>
    withScene(
      suite,
      async ({ topic, follow }) => {
        await produce(topic, 0, numbered(3));
        await produce(topic, 1, numbered(3));
        const idle = follow(3, 0);
        await idle.until(({ bounds }) => bounds !== undefined);
        const begun = performance.now();
        const joined = follow(0, 1);
        await joined.takeUntil(3);
        joined.stream.seek(1n);
        await joined.takeUntil(3);
        idle.stream.seek(0n);
        await idle.takeUntil(3);
        assert.ok(performance.now() - begun < 5_000, `${performance.now() - begun} ms`);
      },
      { partitions: 2, fetcher: { fetchWaitMs: 20_000 } },
    ));

  test('two fetchers of a driver do not wait for each other', () =>
    withScene(
      suite,
      async ({ driver, topic, topicId, follow }) => {
        await produce(topic, 0, numbered(3));
        const idle = follow(3);
        await idle.until(({ bounds }) => bounds !== undefined);
        const begun = performance.now();
        const other = new Followed(driver.openFetcher(), { topic, partition: 0, topicId, fromOffset: 0n });
        await other.takeUntil(3);
        await driver.bounds([{ topic, partition: 0 }]);
        assert.ok(performance.now() - begun < 5_000, `${performance.now() - begun} ms`);
      },
      { fetcher: { fetchWaitMs: 20_000 } },
    ));

  test('ends with the bounds when the offset was removed, and never resets', () =>
    withScene(suite, async ({ topic, follow }) => {
      await produce(topic, 0, numbered(10));
      await environment.deleteRecords(topic, 0, 4n);
      const error = await follow(3).failure();
      assert.equal(error.code, 'KAFKA_OFFSET_OUT_OF_RANGE');
      assert.deepEqual([error.topic, error.partition, error.offset], [topic, 0, 3n]);
      assert.deepEqual([error.fromOffset, error.untilOffset], [4n, 10n]);
      for (const part of ['3', '4', '10']) assert.ok(error.message.includes(part), error.message);
    }));

  test('ends with the bounds when the offset lies beyond the end', () =>
    withScene(suite, async ({ topic, follow }) => {
      await produce(topic, 0, numbered(10));
      const error = await follow(11).failure();
      assert.equal(error.code, 'KAFKA_OFFSET_OUT_OF_RANGE');
      assert.deepEqual([error.offset, error.fromOffset, error.untilOffset], [11n, 0n, 10n]);
    }));

  test('keeps what it has read when the log start overtakes it', () =>
    withScene(
      suite,
      async ({ topic, follow }) => {
        for (let batch = 0; batch < 6; batch += 1) await produce(topic, 0, [{ value: Buffer.alloc(1_000) }]);
        const followed = follow(0);
        await followed.until(({ bufferedBytes }) => bufferedBytes >= 2_000);
        const read = followed.stream.fetchedUntil;
        await environment.deleteRecords(topic, 0, 5n);
        // Only what is drained makes room for the fetch that fails.
        assert.equal((await followed.takeUntil(read)).length, Number(read));
        const error = await followed.failure();
        assert.deepEqual([error.code, error.offset], ['KAFKA_OFFSET_OUT_OF_RANGE', read]);
      },
      { fetcher: { fetchBytesMax: 1_200, bufferedBytesMax: 2_000 } },
    ));

  test('an unhealthy stream does not disturb its neighbours', () =>
    withScene(
      suite,
      async ({ topic, follow }) => {
        await produce(topic, 1, numbered(3));
        const bad = follow(99, 0);
        const good = follow(0, 1);
        assert.equal((await bad.failure()).code, 'KAFKA_OFFSET_OUT_OF_RANGE');
        assert.equal((await good.takeUntil(3)).length, 3);
        await produce(topic, 1, numbered(3));
        assert.equal((await good.takeUntil(6)).length, 3);
        assert.equal(good.stream.error, undefined);
      },
      { partitions: 2 },
    ));

  test('a topic that was made again is an error, not other data', () =>
    withScene(suite, async ({ driver, topic, topicId, follow }) => {
      await produce(topic, 0, numbered(10, 'old'));
      const before = follow(0);
      await before.takeUntil(10);
      await environment.deleteTopic(topic);
      await environment.recreateTopic(topic);
      await produce(topic, 0, numbered(20, 'new'));
      const error = await before.failure();
      assert.equal(error.code, 'KAFKA_TOPIC_RECREATED');
      assert.equal(error.topic, topic);
      assert.ok(error.message.includes(topicId), error.message);
      assert.equal(before.stream.take(), undefined);
      // Someone who comes with the old id later is told the same.
      assert.equal((await follow(10).failure()).code, 'KAFKA_TOPIC_RECREATED');
      const newId = await topicIdOf(driver, topic);
      assert.ok(newId !== topicId);
      const after = new Followed(driver.openFetcher(), { topic, partition: 0, topicId: newId, fromOffset: 0n });
      assert.equal((await after.takeUntil(20))[0]?.text(), 'new0');
    }));

  test('a topic that was deleted ends its streams', () =>
    withScene(suite, async ({ topic, follow }) => {
      await produce(topic, 0, numbered(2));
      const followed = follow(0);
      await followed.takeUntil(2);
      await environment.deleteTopic(topic);
      const error = await followed.failure();
      assert.deepEqual([error.code, error.topic], ['KAFKA_TOPIC_MISSING', topic]);
    }));

  test('a partition that does not exist is an error', () =>
    withScene(suite, async ({ follow }) => {
      const error = await follow(0, 7).failure();
      assert.deepEqual([error.code, error.partition], ['KAFKA_TOPIC_MISSING', 7]);
    }));

  test('a closed stream is silent and stays closed', () =>
    withScene(suite, async ({ fetcher, topic, topicId }) => {
      await produce(topic, 0, numbered(3));
      let calls = 0;
      const onChange = () => {
        calls += 1;
      };
      const closed = fetcher.follow({ topic, topicId, partition: 0, fromOffset: 0n, onChange });
      closed.close();
      closed.close();
      closed.seek(0n);
      const witness = new Followed(fetcher, { topic, partition: 0, topicId, fromOffset: 0n });
      await witness.takeUntil(3);
      assert.deepEqual([calls, closed.take(), closed.error], [0, undefined, undefined]);
    }));

  test('closing a fetcher ends its streams, and what they hold can still be taken', () =>
    withScene(suite, async ({ fetcher, topic, follow, driver, topicId }) => {
      await produce(topic, 0, numbered(3));
      const followed = follow(0);
      await followed.until((stream) => stream.fetchedUntil === 3n);
      await fetcher.close();
      await fetcher.close();
      assert.equal((await followed.failure()).code, 'KAFKA_CLOSED');
      assert.equal(followed.stream.take()?.nextOffset, 3n);
      const refused = async () => follow(0);
      assert.equal((await rejection(refused())).code, 'KAFKA_CLOSED');
      const other = new Followed(driver.openFetcher(), { topic, partition: 0, topicId, fromOffset: 0n });
      assert.equal((await other.takeUntil(3)).length, 3);
    }));

  test('closing the driver ends the streams of its fetchers, also in the middle of a long poll', () =>
    withScene(
      suite,
      async ({ driver, follow }) => {
        const followed = follow(0);
        await followed.until(({ bounds }) => bounds !== undefined);
        const begun = performance.now();
        await driver.close();
        assert.equal((await followed.failure()).code, 'KAFKA_CLOSED');
        assert.ok(performance.now() - begun < 5_000);
      },
      { fetcher: { fetchWaitMs: 20_000 } },
    ));
}
