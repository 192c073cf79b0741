import { expect, test } from 'vitest';
import { produce, receiverWorld, texts, topic } from '../support/receiverWorld.ts';

test('what the pipeline told its group is no place to start from: what was only received would be passed over', async () => {
  const world = receiverWorld();
  produce(world.cluster, texts(5));
  const driver = world.cluster.driver();
  await driver.connect();
  const offset = { topic, partition: 0, offset: 5n };
  await driver.commitOffsets('orders', [{ ...offset, metadata: 'tidemark:orders' }]);
  await expect(world.start({ source: { startFromGroup: true } })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    path: 'source.startFromGroup',
  });
  await driver.commitOffsets('orders', [{ ...offset, offset: 3n, metadata: 'of another consumer' }]);
  await world.start({ source: { startFromGroup: true } });
  expect(world.nextOffset(topic)).toBe(3n);
  await driver.close();
});
