import { expect, test } from 'vitest';
import { waitUntil } from '../services/index.ts';
import {
  HandReceiver,
  logged,
  produce,
  type ReceiverProcess,
  receiverWorld,
  texts,
  topic,
} from '../support/receiverWorld.ts';

/** Records that are durable and not committed, at the most that there ever were at a time, in blocks. */
function mostWaiting({ pipeline }: ReceiverProcess): () => number {
  let [waiting, most] = [0, 0];
  pipeline.events.on('blockLogged', () => {
    waiting += 1;
    most = Math.max(most, waiting);
  });
  pipeline.events.on('rangeCommitted', () => {
    waiting -= 1;
  });
  return () => most;
}

test('a topic is taken in up to the limit while the sink is away, and on from there by itself', async () => {
  const world = receiverWorld();
  const { cluster, database } = world;
  const process = await world.start({ source: { blocksWaitingMax: 4, blockIntervalMs: 5 } });
  const most = mostWaiting(process);
  produce(cluster, ['first']);
  await waitUntil('work to have begun', () => world.nextOffset(topic) === 1n);
  database.away();
  // Record by record, so that each finds a block of its own.
  for (let n = 0; n < 12; n += 1) {
    const before = logged(process);
    produce(cluster, [`r${n}`]);
    if (n < 4) await waitUntil('a durable block', () => logged(process) !== before);
  }
  await waitUntil('retries', () => process.heard.rangeRetried.length >= 3);
  expect(process.heard.blockLogged).toHaveLength(5);
  expect(process.pipeline.status().partitions[0]?.lag).toBe(12n);
  database.back();
  await waitUntil('all of it', () => world.nextOffset(topic) === 13n);
  expect(world.values()).toEqual(['first', ...texts(12)]);
  expect(most()).toBeLessThanOrEqual(5);
});

test('bytes are a limit of their own, and a block that is larger than all of it passes alone', async () => {
  const world = receiverWorld();
  const { cluster, database } = world;
  const hold = database.faults.hold('commitRanges');
  const process = await world.start({ source: { bytesWaitingMax: 65_536, blockBytesMax: 65_536, blockIntervalMs: 5 } });
  const large = 'x'.repeat(100_000);
  produce(cluster, [large]);
  await waitUntil('the first block', () => logged(process) === 1n);
  produce(cluster, [large, large]);
  await hold.waited();
  expect(process.heard.blockLogged).toHaveLength(1);
  hold.release();
  await waitUntil('all of it', () => world.nextOffset(topic) === 3n);
  expect(process.heard.blockLogged).toHaveLength(3);
});

test('a receiver sees that there is no room, waits for it, and goes on when blocks are committed', async () => {
  const world = receiverWorld();
  const { database } = world;
  const receiver = new HandReceiver();
  const process = await world.start({
    kafka: undefined,
    source: {
      topics: undefined,
      receivers: [{ name: 'hand', createReceiver: () => receiver }],
      blocksWaitingMax: 3,
      blockIntervalMs: 5,
    },
  });
  const of = process.pipeline.status().partitions[0]?.topic ?? '';
  const context = await receiver.started;
  database.away();
  const stored: string[] = [];
  while (context.hasRoom) {
    const value = `r${stored.length}`;
    await context.storeBatch([{ value }]);
    stored.push(value);
  }
  expect(stored).toHaveLength(3);
  let hasRoom = false;
  const room = context.whenRoom().then(() => {
    hasRoom = true;
  });
  await waitUntil('retries', () => process.heard.rangeRetried.length >= 2);
  expect(hasRoom).toBe(false);
  database.back();
  await room;
  await context.storeBatch([{ value: 'after' }]);
  await waitUntil('all of it', () => world.values(of).length === 4);
  expect(world.values(of)).toEqual([...stored, 'after']);
});
