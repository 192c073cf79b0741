import { describe, expect, onTestFinished, test } from 'vitest';
import { isTidemarkError } from '../../../src/errors.ts';
import type { FollowStart, MembershipListener, PartitionStream } from '../../../src/kafka/index.ts';
import type { KafkaRecord } from '../../../src/model/index.ts';
import { ManualClock, MemoryCluster, type MemoryDriver } from '../../../src/testkit/index.ts';

const topic = 'orders';
const values = (from: number, count: number) => Array.from({ length: count }, (_, n) => ({ value: `${from + n}` }));

interface Scene {
  readonly clock: ManualClock;
  readonly cluster: MemoryCluster;
  readonly driver: MemoryDriver;
  follow(fromOffset: bigint, more?: Partial<FollowStart>): PartitionStream;
}

/** A cluster on a clock of its own, with one topic and one connected driver. */
async function scene(config: Record<string, string> = {}): Promise<Scene> {
  const clock = new ManualClock();
  const cluster = new MemoryCluster({ clock });
  const topicId = cluster.createTopic(topic, { config });
  const driver = cluster.driver('reader');
  await driver.connect();
  onTestFinished(() => driver.close());
  const fetcher = driver.openFetcher();
  const follow = (fromOffset: bigint, more: Partial<FollowStart> = {}) =>
    fetcher.follow({ topic, partition: 0, topicId, fromOffset, onChange: () => {}, ...more });
  return { clock, cluster, driver, follow };
}

function textsOf(stream: PartitionStream): (string | null)[] {
  const records: KafkaRecord[] = [];
  for (let chunk = stream.take(); chunk !== undefined; chunk = stream.take()) {
    for (const cursor = chunk.cursor(); cursor.next(); ) records.push(cursor.record());
  }
  return records.map((record) => record.text());
}

function codeOf(error: unknown): string | undefined {
  return isTidemarkError(error) ? (error.foreignCode ?? error.code) : undefined;
}

function thrown(deed: () => unknown): string | undefined {
  try {
    deed();
  } catch (error) {
    return codeOf(error);
  }
  return undefined;
}

describe('the logs of the memory cluster', () => {
  test('lose what is older than the retention, by the clock', async () => {
    const { clock, cluster } = await scene({ 'retention.ms': '1000' });
    cluster.produce(topic, 0, values(0, 2));
    await clock.advance(600);
    cluster.produce(topic, 0, values(2, 1));
    expect(cluster.bounds(topic, 0).logStartOffset).toBe(0n);
    await clock.advance(600);
    expect(cluster.bounds(topic, 0).logStartOffset).toBe(2n);
    await clock.advance(600);
    expect(cluster.bounds(topic, 0)).toEqual({ logStartOffset: 3n, highWatermark: 3n, lastStableOffset: 3n });
  });

  test('keep the newest of each key when they are compacted, and every offset its place', async () => {
    const { clock, cluster, follow } = await scene();
    const aborted = cluster.beginTransaction();
    cluster.produce(topic, 0, [
      { key: 'a', value: '0' },
      { key: 'b', value: '1' },
      { key: 'a', value: '2' },
    ]);
    aborted.send(topic, 0, [{ key: 'b', value: 'no' }]);
    aborted.abort();
    cluster.produce(topic, 0, [
      { key: 'c', value: '5' },
      { key: 'd', value: '6' },
    ]);
    cluster.produce(topic, 0, [{ key: 'c', value: '7' }, { key: 'd', value: '8' }, { value: 'no key' }]);
    cluster.produce(topic, 0, [{ key: 'd', value: 'active' }]);
    cluster.compact(topic, 0);
    const stream = follow(0n);
    await clock.settle();
    expect(stream.fetchedUntil).toBe(11n);
    expect(textsOf(stream)).toEqual(['1', '2', '7', '8', 'active']);
  });

  test('keep a batch without records in its place where it is told to', async () => {
    const { clock, cluster, follow } = await scene();
    cluster.produce(topic, 0, [{ key: 'a', value: '0' }]);
    cluster.produce(topic, 0, [{ key: 'a', value: '1' }]);
    cluster.compact(topic, 0, { before: 2n, keepEmptyBatches: true });
    const stream = follow(0n);
    await clock.settle();
    expect([stream.take()?.nextOffset, stream.fetchedUntil]).toEqual([2n, 2n]);
  });

  test('have nothing to give where the cleaner took the end, and say so until something follows', async () => {
    const { clock, cluster, follow } = await scene();
    cluster.produce(topic, 0, [{ key: 'a', value: '0' }]);
    cluster.produce(topic, 0, [{ value: 'no key' }]);
    cluster.compact(topic, 0, { before: 2n });
    const stream = follow(0n);
    await clock.advance(5_000);
    expect(textsOf(stream)).toEqual(['0']);
    expect(stream.retrying?.error).toMatchObject({ code: 'KAFKA_REQUEST_FAILED', offset: 1n });
    cluster.produce(topic, 0, values(2, 1));
    await clock.advance(1_000);
    expect([stream.retrying, textsOf(stream), stream.fetchedUntil]).toEqual([undefined, ['2'], 3n]);
  });

  test('tell who has read beyond an unclean election that the log is another one', async () => {
    const { clock, cluster, follow } = await scene();
    cluster.produce(topic, 0, values(0, 3));
    cluster.produce(topic, 0, values(3, 3));
    const stream = follow(0n);
    await clock.settle();
    expect(textsOf(stream)).toHaveLength(6);
    expect(cluster.truncate(topic, 0, 4n)).toBe(3n);
    cluster.produce(topic, 0, values(90, 5));
    await clock.advance(1_000);
    expect(codeOf(stream.error)).toBe('OFFSET_OUT_OF_RANGE');
    expect(stream.error).toMatchObject({ code: 'KAFKA_LOG_TRUNCATED', offset: 6n, untilOffset: 3n });
    const later = follow(6n, { leaderEpoch: 0 });
    await clock.advance(1_000);
    expect(later.error).toMatchObject({ code: 'KAFKA_LOG_TRUNCATED' });
  });

  test('go on under another leader, for whom a stream looks with a wait', async () => {
    const { clock, cluster, driver, follow } = await scene();
    cluster.produce(topic, 0, values(0, 1));
    const stream = follow(0n);
    await clock.settle();
    cluster.moveLeader(topic, 0, 3);
    cluster.produce(topic, 0, values(1, 1));
    await clock.settle();
    expect(codeOf(stream.retrying?.error)).toBe('FENCED_LEADER_EPOCH');
    await clock.advance(50);
    expect([stream.retrying, textsOf(stream)]).toEqual([undefined, ['0', '1']]);
    const [description] = await driver.describeTopics([topic]);
    expect(description?.partitions).toEqual([{ partition: 0, leader: 3, leaderEpoch: 1 }]);
    const ends = await driver.endOffsetsForLeaderEpochs([{ topic, partition: 0, leaderEpoch: 0 }]);
    expect(ends).toEqual([{ leaderEpoch: 0, endOffset: 1n }]);
  });

  test('grow by partitions', async () => {
    const { cluster, driver } = await scene();
    cluster.addPartitions(topic, 3);
    cluster.produce(topic, 2, values(0, 1));
    const [description] = await driver.describeTopics([topic]);
    expect(description?.partitions).toHaveLength(3);
    expect(thrown(() => cluster.addPartitions(topic, 3))).toBe('INVALID_PARTITIONS');
    expect(thrown(() => cluster.createTopic(topic))).toBe('TOPIC_ALREADY_EXISTS');
  });
});

describe('producers of the memory cluster', () => {
  test('a second one of a transactional id fences the first, and aborts what it left open', async () => {
    const { cluster } = await scene();
    const first = cluster.producer('t');
    const open = first.beginTransaction();
    open.send(topic, 0, values(0, 2));
    expect(thrown(() => first.beginTransaction())).toBe('INVALID_TXN_STATE');
    expect(cluster.bounds(topic, 0).lastStableOffset).toBe(0n);
    const second = cluster.producer('t');
    expect(cluster.bounds(topic, 0).lastStableOffset).toBe(3n);
    const deeds = [() => open.send(topic, 0, values(2, 1)), () => open.commit(), () => first.beginTransaction()];
    expect(deeds.map(thrown)).toEqual(Array(3).fill('INVALID_PRODUCER_EPOCH'));
    expect(second.producerId).toBe(first.producerId);
    const transaction = second.beginTransaction();
    transaction.commit();
    expect(thrown(() => transaction.commit())).toBe('INVALID_TXN_STATE');
  });

  test('commit offsets of a group with their transaction, and whoever asks waits for its end', async () => {
    const { clock, cluster, driver } = await scene();
    const offsets = [{ topic, partition: 0, offset: 7n, metadata: '' }];
    const aborted = cluster.beginTransaction();
    aborted.sendOffsets('g', offsets);
    aborted.abort();
    expect(await driver.committedOffsets('g', [topic])).toEqual([]);
    const transaction = cluster.beginTransaction();
    transaction.sendOffsets('g', offsets);
    let isAnswered = false;
    const asked = driver.committedOffsets('g', [topic]).finally(() => {
      isAnswered = true;
    });
    await clock.advance(1_000);
    expect(isAnswered).toBe(false);
    transaction.commit();
    await clock.advance(1_000);
    expect(await asked).toEqual(offsets);
  });
});

describe('faults between a driver and the memory cluster', () => {
  test('a call that is held has not happened, or only its answer is late', async () => {
    const { cluster, driver } = await scene();
    const commit = (offset: bigint) => driver.commitOffsets('g', [{ topic, partition: 0, offset, metadata: '' }]);
    const request = cluster.faults.hold('commitOffsets', { groupId: 'g' });
    const first = commit(1n);
    await request.waited();
    expect(cluster.committedOffsets('g', topic)).toEqual([]);
    request.release();
    await first;
    const answer = cluster.faults.hold('commitOffsets', {}, { at: 'answer' });
    const second = commit(2n);
    await answer.waited();
    expect(cluster.committedOffsets('g', topic)[0]?.offset).toBe(2n);
    answer.release();
    await second;
  });

  test('calls that are held may go on in another order', async () => {
    const { cluster, driver } = await scene();
    const hold = cluster.faults.hold('commitOffsets');
    const commits = [1n, 2n].map((offset) =>
      driver.commitOffsets('g', [{ topic, partition: 0, offset, metadata: '' }]),
    );
    await hold.waited(2);
    hold.waiting[1]?.release();
    await commits[1];
    hold.release();
    await Promise.all(commits);
    expect(cluster.committedOffsets('g', topic)[0]?.offset).toBe(1n);
  });

  test('a call that fails is tried again where that can help', async () => {
    const { clock, cluster, driver } = await scene();
    const fault = cluster.faults.fail('bounds', { topic, client: 'reader' }, { times: 2 });
    const bounds = driver.bounds([{ topic, partition: 0 }]);
    await clock.advance(1_000);
    expect([(await bounds).length, fault.met]).toEqual([1, 2]);
    const final = new Error('no way');
    cluster.faults.fail('listTopics', {}, { error: final });
    await expect(driver.listTopics()).rejects.toBe(final);
    expect(await driver.listTopics()).toEqual([topic]);
  });

  test('a call that is delayed takes the time of the clock', async () => {
    const { clock, cluster, driver } = await scene();
    const fault = cluster.faults.delay('listTopics', 100);
    let isDone = false;
    const listed = driver.listTopics().finally(() => {
      isDone = true;
    });
    await clock.advance(99);
    expect(isDone).toBe(false);
    await clock.advance(1);
    expect(await listed).toEqual([topic]);
    fault.remove();
    expect(await driver.listTopics()).toEqual([topic]);
  });

  test('a driver that is cut off retries, and goes on when it is healed', async () => {
    const { clock, cluster, driver, follow } = await scene();
    const stream = follow(0n);
    await clock.settle();
    driver.cut();
    cluster.produce(topic, 0, values(0, 1));
    await clock.advance(5_000);
    expect(stream.retrying?.error).toMatchObject({ code: 'KAFKA_CONNECTION_LOST' });
    const refused = driver.listTopics().catch(codeOf);
    await clock.advance(60_000);
    expect(await refused).toBe('KAFKA_CONNECTION_LOST');
    expect(stream.error).toBeUndefined();
    driver.heal();
    await clock.advance(1_000);
    expect([stream.retrying, textsOf(stream)]).toEqual([undefined, ['0']]);
  });

  test('a position removed while its fetch was held is an error and never a jump', async () => {
    const { clock, cluster, follow } = await scene();
    cluster.produce(topic, 0, values(0, 3));
    const hold = cluster.faults.hold('fetch', { topic, partition: 0 });
    const stream = follow(0n);
    await hold.waited();
    cluster.deleteRecords(topic, 0, 2n);
    hold.release();
    await clock.settle();
    expect(stream.error).toMatchObject({ code: 'KAFKA_OFFSET_OUT_OF_RANGE', offset: 0n, fromOffset: 2n });
  });
});

describe('groups of the memory cluster, by the clock', () => {
  const listener = (calls: string[]): MembershipListener => ({
    assigned: (partitions) => calls.push(`assigned ${partitions.length}`),
    revoked: async (partitions) => void calls.push(`revoked ${partitions.length}`),
    lost: (partitions) => calls.push(`lost ${partitions.length}`),
    failed: ({ code }) => calls.push(`failed ${code}`),
  });

  test('a member that is silent for its session is out, and hears of it when it is back', async () => {
    const { clock, cluster, driver } = await scene();
    cluster.addPartitions(topic, 2);
    const other = cluster.driver('other');
    await other.connect();
    onTestFinished(() => other.close());
    const [ours, theirs]: [string[], string[]] = [[], []];
    const options = { groupId: 'g', subscription: { topics: [topic] }, protocol: 'consumer' } as const;
    await driver.openMembership(options, listener(ours)).join();
    await other.openMembership(options, listener(theirs)).join();
    await clock.advance(10_000);
    expect([ours, theirs]).toEqual([['assigned 2', 'revoked 1'], ['assigned 1']]);
    expect(cluster.group('g')).toMatchObject({ state: 'stable', generation: 2, protocol: 'consumer' });
    driver.cut();
    await clock.advance(42_000);
    expect(cluster.group('g').members).toHaveLength(2);
    await clock.advance(8_000);
    expect(cluster.group('g').members.map(({ client, partitions }) => [client, partitions.length])).toEqual([
      ['other', 2],
    ]);
    expect(theirs.at(-1)).toBe('assigned 1');
    expect(ours.at(-1)).toBe('lost 1');
    driver.heal();
    await clock.advance(10_000);
    expect(ours.at(-1)).toBe('assigned 1');
    expect(cluster.group('g').members.map(({ partitions }) => partitions.length)).toEqual([1, 1]);
  });

  test('nobody but its members commits offsets of a group that has some', async () => {
    const { driver } = await scene();
    const membership = driver.openMembership({ groupId: 'g', subscription: { topics: [topic] } }, listener([]));
    await membership.join();
    const commit = () => driver.commitOffsets('g', [{ topic, partition: 0, offset: 1n, metadata: '' }]);
    await expect(commit()).rejects.toMatchObject({ foreignCode: 'UNKNOWN_MEMBER_ID' });
    await membership.leave();
    await commit();
  });

  test('a member that is expelled loses everything with its next heartbeat and joins again', async () => {
    const { clock, cluster, driver } = await scene();
    const calls: string[] = [];
    const membership = driver.openMembership({ groupId: 'g', subscription: { topics: [topic] } }, listener(calls));
    await membership.join();
    cluster.expelMember('g', membership.member?.memberId ?? '');
    await clock.advance(3_000);
    expect(calls).toEqual(['assigned 1', 'lost 1', 'assigned 1']);
  });

  test('a second process of one instance id ends the first', async () => {
    const { clock, cluster, driver } = await scene();
    const other = cluster.driver('other');
    await other.connect();
    onTestFinished(() => other.close());
    const calls: string[] = [];
    const options = { groupId: 'g', subscription: { topics: [topic] }, instanceId: 'one' };
    await driver.openMembership(options, listener(calls)).join();
    await other.openMembership(options, listener([])).join();
    await clock.advance(3_000);
    expect(calls).toEqual(['assigned 1', 'lost 1', 'failed KAFKA_REQUEST_FAILED']);
  });
});
