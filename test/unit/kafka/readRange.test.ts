import { expect, test } from 'vitest';
import { readRange } from '../../../src/kafka/index.ts';
import { OffsetRange } from '../../../src/model/index.ts';
import { MemoryCluster } from '../../../src/testkit/index.ts';

test('what is retried for too long ends a read that has a limit', async () => {
  const cluster = new MemoryCluster();
  const topicId = cluster.createTopic('orders', { partitions: 1 });
  cluster.produce('orders', 0, [{ value: 'a' }]);
  cluster.faults.fail('fetch', {}, { times: Number.POSITIVE_INFINITY });
  const driver = cluster.driver();
  await driver.connect();
  const fetcher = driver.openFetcher();
  const range = new OffsetRange('orders', 0, 0n, 1n);
  const read = async () => {
    for await (const chunk of readRange(fetcher, { topicId, range, retryMsMax: 50 })) chunk.release();
  };
  await expect(read()).rejects.toMatchObject({ code: 'KAFKA_CONNECTION_LOST' });
  cluster.faults.clear();
  await expect(read()).resolves.toBeUndefined();
  await driver.close();
});
