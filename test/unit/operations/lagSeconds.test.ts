import { describe, expect, test } from 'vitest';
import type { KafkaDriver } from '../../../src/kafka/index.ts';
import { partitionKey } from '../../../src/model/index.ts';
import type { StoredOffset } from '../../../src/offsets/index.ts';
import { type PartitionPosition, readLagSeconds } from '../../../src/operations/index.ts';
import { ManualClock, MemoryCluster, type MemoryDriver } from '../../../src/testkit/memory/index.ts';

const nowMs = 1_768_478_400_000;

async function setting(partitions = 1) {
  const clock = new ManualClock(nowMs);
  const cluster = new MemoryCluster({ clock });
  const topicId = cluster.createTopic('orders', { partitions });
  const driver = cluster.driver();
  await driver.connect();
  const at = (partition: number, nextOffset: bigint): PartitionPosition => {
    const bounds = cluster.bounds('orders', partition);
    const behind = bounds.lastStableOffset - nextOffset;
    return {
      ...{ topic: 'orders', partition, row: { nextOffset } as StoredOffset, log: { topicId, bounds } },
      ...{ lag: behind > 0n ? behind : 0n, state: 'running', reason: undefined },
    };
  };
  const produce = (partition: number, ...agesMs: readonly number[]) =>
    cluster.produce(
      'orders',
      partition,
      agesMs.map((age) => ({ value: 'x', timestamp: nowMs - age })),
    );
  return { clock, cluster, driver, at, produce };
}

async function seconds(driver: MemoryDriver | undefined, positions: readonly PartitionPosition[], clock: ManualClock) {
  const found = await readLagSeconds(driver, positions, { clock });
  return { late: found.late, of: positions.map((of) => found.seconds.get(partitionKey(of))) };
}

describe('seconds of lag', () => {
  test('are the age of the first record at or after the position', async () => {
    const { clock, driver, at, produce } = await setting();
    produce(0, 9000, 5000, 1000);
    expect(await seconds(driver, [at(0, 0n)], clock)).toEqual({ late: 0, of: [9] });
    expect(await seconds(driver, [at(0, 1n)], clock)).toEqual({ late: 0, of: [5] });
  });

  test('are 0 without lag, and need no brokers then', async () => {
    const { clock, driver, at, produce } = await setting();
    produce(0, 9000);
    expect(await seconds(driver, [at(0, 1n)], clock)).toEqual({ late: 0, of: [0] });
    expect(await seconds(undefined, [at(0, 1n)], clock)).toEqual({ late: 0, of: [0] });
  });

  test('are unknown where the lag is, without brokers, and of a record without a timestamp', async () => {
    const { clock, cluster, driver, at, produce } = await setting();
    cluster.produce('orders', 0, [{ value: 'x', timestamp: -1 }]);
    produce(0, 2000);
    expect(await seconds(driver, [at(0, 0n)], clock)).toEqual({ late: 0, of: [undefined] });
    expect(await seconds(driver, [{ ...at(0, 1n), lag: undefined }], clock)).toEqual({ late: 0, of: [undefined] });
    expect(await seconds(undefined, [at(0, 1n)], clock)).toEqual({ late: 0, of: [undefined] });
  });

  test('begin at the log start where the position is lost', async () => {
    const { clock, cluster, driver, at, produce } = await setting();
    produce(0, 9000);
    produce(0, 4000);
    cluster.deleteRecords('orders', 0, 1n);
    expect(await seconds(driver, [at(0, 0n)], clock)).toEqual({ late: 0, of: [4] });
  });

  test('pass over what no reader sees; where nothing follows they are 0', async () => {
    const { clock, cluster, driver, at, produce } = await setting(2);
    for (const partition of [0, 1]) {
      const transaction = cluster.beginTransaction();
      transaction.send('orders', partition, [{ value: 'x', timestamp: nowMs - 60_000 }]);
      transaction.abort();
    }
    produce(1, 3000);
    expect(await seconds(driver, [at(0, 0n), at(1, 0n)], clock)).toEqual({ late: 0, of: [0, 3] });
  });

  test('a record that is newer than our clock is not behind', async () => {
    const { clock, driver, at, produce } = await setting();
    produce(0, -5000);
    expect(await seconds(driver, [at(0, 0n)], clock)).toEqual({ late: 0, of: [0] });
  });

  test('of many partitions are read in one go; one that fails is unknown, and holds up no other', async () => {
    const { clock, driver, at, produce } = await setting(300);
    const positions = Array.from({ length: 300 }, (_, partition) => {
      produce(partition, 1000 * partition);
      return at(partition, 0n);
    });
    const [first, ...others] = positions;
    if (first?.log === undefined) throw new Error('no log');
    const another = { ...first, log: { ...first.log, topicId: '00000000-0000-4000-8000-000000000000' } };
    const found = await seconds(driver, [another, ...others], clock);
    expect(found).toEqual({ late: 0, of: [undefined, ...others.map(({ partition }) => partition)] });
  });

  test('what has not come by the deadline is unknown, and counted', async () => {
    const { clock, cluster, driver, at, produce } = await setting(2);
    produce(0, 2000);
    produce(1, 8000, 7000);
    const held = cluster.faults.hold('fetch', { topic: 'orders', partition: 0 });
    const positions = [at(0, 0n), at(1, 0n)];
    const found = readLagSeconds(driver, positions, { clock, deadlineMs: 500 });
    await held.waited();
    await clock.settle();
    await clock.advance(500);
    const { late, seconds: known } = await found;
    expect({ late, known: [...known] }).toEqual({ late: 1, known: [['orders:1', 8]] });
    held.release();
  });
});

test('the fetcher is closed afterwards', async () => {
  const { clock, driver, at, produce } = await setting();
  produce(0, 9000);
  let open = 0;
  const counting = {
    openFetcher: (options: object) => {
      open += 1;
      const fetcher = driver.openFetcher(options);
      return {
        follow: fetcher.follow.bind(fetcher),
        close: () => {
          open -= 1;
          return fetcher.close();
        },
      };
    },
  } as unknown as KafkaDriver;
  await readLagSeconds(counting, [at(0, 0n)], { clock });
  expect(open).toBe(0);
});
