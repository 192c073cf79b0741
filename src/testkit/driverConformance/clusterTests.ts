import { numbered, rejection, topicIdOf, withScene } from './helpers.ts';
import type { DriverSuite } from './suite.ts';

/** Topics, bounds, timestamps, epochs and group offsets. */
export function clusterTests(suite: DriverSuite): void {
  const { test, assert, environment } = suite;

  test('describes topics in the order asked, each with its id and partitions', () =>
    withScene(
      suite,
      async ({ driver, topic, topicId }) => {
        const other = await environment.createTopic();
        const [first, second] = await driver.describeTopics([other, topic]);
        assert.deepEqual([first?.topic, second?.topic], [other, topic]);
        assert.equal(second?.topicId, topicId);
        assert.ok(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(topicId), topicId);
        assert.ok(first?.topicId !== topicId);
        assert.deepEqual(
          second?.partitions.map(({ partition }) => partition),
          [0, 1, 2],
        );
        assert.ok(second?.partitions.every(({ leader, leaderEpoch }) => leader >= 0 && leaderEpoch >= 0));
      },
      { partitions: 3 },
    ));

  test('names every missing topic in one error', () =>
    withScene(suite, async ({ driver, topic }) => {
      const error = await rejection(driver.describeTopics(['missing-one', topic, 'missing-two']));
      assert.equal(error.code, 'KAFKA_TOPIC_MISSING');
      assert.ok(error.message.includes('missing-one') && error.message.includes('missing-two'), error.message);
      assert.ok(!error.message.includes(topic), error.message);
    }));

  test('lists topics without the internal ones', () =>
    withScene(suite, async ({ driver, topic }) => {
      await driver.commitOffsets(topic, [{ topic, partition: 0, offset: 0n, metadata: '' }]);
      const topics = await driver.listTopics();
      assert.ok(topics.includes(topic));
      assert.deepEqual(
        topics.filter((name) => name.startsWith('__')),
        [],
      );
    }));

  test('gives bounds in the order asked', () =>
    withScene(
      suite,
      async ({ driver, topic }) => {
        await environment.produce(topic, 1, numbered(5));
        await environment.deleteRecords(topic, 1, 2n);
        const bounds = await driver.bounds([
          { topic, partition: 1 },
          { topic, partition: 0 },
          { topic, partition: 1 },
        ]);
        const filled = { logStartOffset: 2n, highWatermark: 5n, lastStableOffset: 5n };
        const empty = { logStartOffset: 0n, highWatermark: 0n, lastStableOffset: 0n };
        assert.deepEqual(bounds, [filled, empty, filled]);
      },
      { partitions: 2 },
    ));

  test('bounds end where an open transaction begins', () =>
    withScene(suite, async ({ driver, topic }) => {
      await environment.produce(topic, 0, numbered(3));
      const transaction = await environment.beginTransaction();
      await transaction.send(topic, 0, numbered(4));
      const [open] = await driver.bounds([{ topic, partition: 0 }]);
      assert.deepEqual(open, { logStartOffset: 0n, highWatermark: 7n, lastStableOffset: 3n });
      await transaction.commit();
      const [done] = await driver.bounds([{ topic, partition: 0 }]);
      assert.deepEqual(done, { logStartOffset: 0n, highWatermark: 8n, lastStableOffset: 8n });
    }));

  test('refuses bounds of a partition that does not exist', () =>
    withScene(suite, async ({ driver, topic }) => {
      const error = await rejection(driver.bounds([{ topic, partition: 9 }]));
      assert.equal(error.code, 'KAFKA_TOPIC_MISSING');
      assert.deepEqual([error.topic, error.partition], [topic, 9]);
    }));

  test('finds the first offset at or after a timestamp', () =>
    withScene(suite, async ({ driver, topic }) => {
      for (const timestamp of [1_000, 2_000, 3_000]) {
        await environment.produce(topic, 0, [
          { value: 'a', timestamp },
          { value: 'b', timestamp: timestamp + 1 },
        ]);
      }
      const at = async (timestampMs: number) => {
        const [offset] = await driver.offsetsForTimestamps([{ topic, partition: 0 }], timestampMs);
        return offset;
      };
      assert.equal(await at(0), 0n);
      assert.equal(await at(1_001), 1n);
      assert.equal(await at(1_002), 2n);
      assert.equal(await at(3_001), 5n);
      assert.equal(await at(3_002), undefined);
      // What brokers take for "the end" and "the start" is a timestamp like any other here.
      assert.equal(await at(-1), 0n);
    }));

  test('knows where a leader epoch ends, and says when it does not know the epoch', () =>
    withScene(suite, async ({ driver, topic }) => {
      await environment.produce(topic, 0, numbered(3));
      const [description] = await driver.describeTopics([topic]);
      const leaderEpoch = description?.partitions[0]?.leaderEpoch ?? -1;
      const ends = await driver.endOffsetsForLeaderEpochs([
        { topic, partition: 0, leaderEpoch: leaderEpoch + 7 },
        { topic, partition: 0, leaderEpoch: leaderEpoch + 7 },
      ]);
      assert.deepEqual(ends, [undefined, undefined]);
      const known = await driver.endOffsetsForLeaderEpochs([{ topic, partition: 0, leaderEpoch }]);
      assert.deepEqual(known, [{ leaderEpoch, endOffset: 3n }]);
    }));

  test('keeps offsets for a group', () =>
    withScene(
      suite,
      async ({ driver, topic }) => {
        const groupId = `group-of-${topic}`;
        assert.deepEqual(await driver.committedOffsets(groupId, [topic]), []);
        const offset = 12_345_678_901n;
        await driver.commitOffsets(groupId, [{ topic, partition: 1, offset, metadata: 'mirror' }]);
        const committed = await driver.committedOffsets(groupId, [topic]);
        assert.deepEqual(committed, [{ topic, partition: 1, offset, metadata: 'mirror' }]);
        assert.deepEqual(await driver.committedOffsets(groupId, ['another-topic']), []);
      },
      { partitions: 2 },
    ));

  test('refuses to commit offsets of a partition that does not exist', () =>
    withScene(suite, async ({ driver, topic }) => {
      const error = await rejection(driver.commitOffsets('g', [{ topic, partition: 5, offset: 0n, metadata: '' }]));
      assert.equal(error.code, 'KAFKA_TOPIC_MISSING');
    }));

  test('is connected once, and does nothing after it was closed', async () => {
    const topic = await environment.createTopic();
    const driver = await environment.newDriver();
    assert.equal((await rejection(driver.describeTopics([topic]))).code, 'KAFKA_CLOSED');
    await driver.connect();
    assert.equal((await rejection(driver.connect())).code, 'KAFKA_CLOSED');
    await topicIdOf(driver, topic);
    await driver.close();
    await driver.close();
    assert.equal((await rejection(driver.describeTopics([topic]))).code, 'KAFKA_CLOSED');
    assert.equal((await rejection(driver.connect())).code, 'KAFKA_CLOSED');
  });

  test('rejects what is under way when it is closed', async () => {
    const driver = await environment.newDriver();
    await driver.connect();
    const asked = [
      rejection(driver.describeTopics(['missing'])),
      rejection(driver.bounds([{ topic: 'missing', partition: 0 }])),
    ];
    await driver.close();
    for (const error of await Promise.all(asked)) assert.equal(error.code, 'KAFKA_CLOSED');
  });

  test('can be closed while it connects', async () => {
    const driver = await environment.newDriver();
    const connecting = rejection(driver.connect());
    await driver.close();
    assert.equal((await connecting).code, 'KAFKA_CLOSED');
  });
}
