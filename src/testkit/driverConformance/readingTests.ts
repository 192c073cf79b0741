import { testCodecs } from '../codecPackers.ts';
import { encodeRecordBatch } from '../recordBatchEncoder.ts';
import { numbered, offsets, recordsOf, texts, withScene } from './helpers.ts';
import type { DriverSuite } from './suite.ts';

/** What is in the log comes out as it went in, exactly the offsets that were asked for. */
export function readingTests(suite: DriverSuite): void {
  const { test, assert, environment } = suite;
  const { produce, append } = environment;

  test('reads exactly a range, also one that begins and ends inside a batch', () =>
    withScene(suite, async ({ topic, read }) => {
      await produce(topic, 0, numbered(10));
      await produce(topic, 0, numbered(10));
      for (const [from, until] of [
        [0, 20],
        [3, 17],
        [9, 11],
        [10, 20],
        [4, 5],
        [7, 7],
        [19, 20],
      ] as const) {
        const expected = Array.from({ length: until - from }, (_, index) => from + index);
        assert.deepEqual(offsets(await read(from, until)), expected, `[${from}, ${until})`);
      }
    }));

  test('gives keys, values, headers and timestamps as they were written', () =>
    withScene(suite, async ({ driver, topic, read }) => {
      await append(
        topic,
        0,
        encodeRecordBatch({
          baseOffset: 0n,
          baseTimestamp: 1_600_000_000_000,
          records: [
            { key: null, value: null },
            { key: '', value: '', timestamp: 1_600_000_000_007 },
            {
              key: Buffer.from([0, 255]),
              value: 'zażółć',
              headers: [
                ['b', Buffer.from('1')],
                ['a', null],
                ['b', Buffer.from('')],
              ],
            },
          ],
        }),
      );
      const [nulls, empties, full] = await read(0, 3);
      assert.deepEqual([nulls?.key, nulls?.value, nulls?.headers], [null, null, []]);
      assert.deepEqual([empties?.key?.length, empties?.value?.length, empties?.timestamp], [0, 0, 1_600_000_000_007]);
      assert.deepEqual([full?.key?.toString('hex'), full?.text(), full?.timestampType], ['00ff', 'zażółć', 'create']);
      assert.deepEqual(
        full?.headers.map(([name, value]) => [name, value?.toString() ?? null]),
        [
          ['b', '1'],
          ['a', driver.capabilities.verbatim ? null : ''],
          ['b', ''],
        ],
      );
    }));

  for (const codec of testCodecs) {
    test(`reads batches packed with ${codec}`, () =>
      withScene(suite, async ({ topic, read }) => {
        const records = Array.from({ length: 1_000 }, (_, index) => ({
          key: `${index}`,
          value: `value-${index}`.repeat(9),
        }));
        await append(topic, 0, encodeRecordBatch({ baseOffset: 0n, records, codec }));
        await append(topic, 0, encodeRecordBatch({ baseOffset: 0n, records: records.slice(0, 1), codec }));
        const found = await read(1, 1_001);
        assert.deepEqual(
          texts(found),
          [...records.slice(1), ...records.slice(0, 1)].map(({ value }) => value),
        );
      }));
  }

  test('reads records larger than a fetch, between small ones', () =>
    withScene(
      suite,
      async ({ topic, read }) => {
        const large = Buffer.alloc(700_000, 'L');
        for (let round = 0; round < 3; round += 1) {
          await produce(topic, 0, [{ value: large }]);
          await produce(topic, 0, [{ value: `small${round}` }]);
        }
        const found = await read(0, 6);
        assert.deepEqual(
          found.map(({ value }) => value?.length),
          [700_000, 6, 700_000, 6, 700_000, 6],
        );
      },
      { fetcher: { fetchBytesMax: 1_000, bufferedBytesMax: 2_000 } },
    ));

  test('reads records of several MiB in several partitions, more than an answer has room for', () =>
    withScene(
      suite,
      async ({ topic, read }) => {
        const large = Buffer.alloc(2_500_000, 'L');
        for (const partition of [0, 1, 2]) {
          await produce(topic, partition, [{ value: `before-${partition}` }]);
          for (let round = 0; round < 2; round += 1) await produce(topic, partition, [{ value: large }]);
          await produce(topic, partition, [{ value: `after-${partition}` }]);
        }
        for (const [partition, records] of (await Promise.all([0, 1, 2].map((each) => read(0, 4, each)))).entries()) {
          assert.deepEqual(
            records.map(({ value }) => value?.length),
            [8, 2_500_000, 2_500_000, 7],
          );
          assert.equal(records[3]?.text(), `after-${partition}`);
        }
      },
      { partitions: 3, config: { 'max.message.bytes': '3000000' } },
    ));

  test('reads 200 000 records in one batch', () =>
    withScene(suite, async ({ topic, read }) => {
      await append(topic, 0, encodeRecordBatch({ baseOffset: 0n, records: numbered(200_000), codec: 'gzip' }));
      const found = await read(0, 200_000);
      assert.equal(found.length, 200_000);
      assert.deepEqual([found[0]?.text(), found[131_072]?.text(), found[199_999]?.text()], ['0', '131072', '199999']);
    }));

  test('yields the record batches as they lie in the log', () =>
    withScene(suite, async ({ driver, topic, follow, read }) => {
      const batch = encodeRecordBatch({ baseOffset: 0n, records: numbered(3), codec: 'gzip' });
      await append(topic, 0, batch);
      await append(topic, 0, batch);
      assert.equal((await read(0, 6)).length, 6);
      const followed = follow(0);
      await followed.until((stream) => stream.fetchedUntil === 6n);
      const raw = [];
      for (let chunk = followed.stream.take(); chunk !== undefined; chunk = followed.stream.take())
        raw.push(...chunk.rawBatches());
      if (!driver.capabilities.verbatim) {
        assert.deepEqual([raw[0]?.baseOffset, raw.at(-1)?.lastOffset], [0n, 5n]);
        return;
      }
      assert.deepEqual(
        raw.map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset]),
        [
          [0n, 2n],
          [3n, 5n],
        ],
      );
      // All but base offset and leader epoch, which the broker sets.
      for (const { bytes } of raw) assert.ok(bytes.subarray(16).equals(batch.subarray(16)));
    }));

  test('shares fetches among partitions without mixing them up', () =>
    withScene(
      suite,
      async ({ topic, read }) => {
        for (let partition = 0; partition < 5; partition += 1) {
          for (let batch = 0; batch < 6; batch += 1)
            await produce(topic, partition, numbered(10, `p${partition}-${batch}-`));
        }
        const found = await Promise.all([0, 1, 2, 3, 4].map((partition) => read(0, 60, partition)));
        for (const [partition, records] of found.entries()) {
          assert.equal(records.length, 60);
          assert.ok(
            records.every((record) => record.partition === partition && record.text()?.startsWith(`p${partition}-`)),
          );
        }
      },
      { partitions: 5, fetcher: { fetchBytesMax: 300, bufferedBytesMax: 600 } },
    ));

  test('a chunk is what its cursor and its slices say', () =>
    withScene(suite, async ({ topic, follow }) => {
      await produce(topic, 0, numbered(10));
      const followed = follow(4);
      await followed.until((stream) => stream.fetchedUntil === 10n);
      const chunk = followed.stream.take();
      if (chunk === undefined) throw new Error('no chunk waits');
      assert.deepEqual([chunk.fromOffset, chunk.nextOffset], [4n, 10n]);
      assert.deepEqual(texts(recordsOf(chunk)), ['4', '5', '6', '7', '8', '9']);
      assert.deepEqual(texts(recordsOf(chunk.slice(6n, 8n))), ['6', '7']);
      assert.ok(chunk.byteLength > 0 && chunk.recordCountMax >= 6 && chunk.leaderEpoch >= 0);
    }));
}
