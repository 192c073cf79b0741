import { expect, test } from 'vitest';
import { waitUntil } from '../services/index.ts';
import { HandReceiver, produce, receiverWorld, texts, topic } from '../support/receiverWorld.ts';

test('the status counts what is durable and not committed, and every sync of the log is told', async () => {
  const world = receiverWorld();
  const hold = world.database.faults.hold('commitRanges');
  const { pipeline, heard } = await world.start({ source: { maxRate: 5000 } });
  const synced: { entries: number; bytes: number; ms: number }[] = [];
  pipeline.events.on('logSynced', (facts) => synced.push(facts));
  expect(pipeline.status()).toMatchObject({ waiting: { blocks: 0, bytes: 0 }, receiveRateMax: 5000 });
  produce(world.cluster, texts(3));
  await hold.waited();
  const bytes = () => heard.blockLogged.reduce((sum, block) => sum + block.bytes, 0);
  await waitUntil('all three are durable', () => heard.blockLogged.at(-1)?.untilOffset === 3n);
  expect(pipeline.status().waiting).toEqual({ blocks: heard.blockLogged.length, bytes: bytes() });
  expect(synced.length).toBeGreaterThan(0);
  for (const { entries, ms } of synced) {
    expect(entries).toBeGreaterThan(0);
    expect(ms).toBeGreaterThanOrEqual(0);
  }
  expect(synced.reduce((sum, facts) => sum + facts.bytes, 0)).toBeGreaterThan(bytes());
  hold.release();
  await waitUntil('all are committed', () => world.nextOffset(topic) === 3n);
  await waitUntil('nothing waits', () => pipeline.status().waiting?.blocks === 0);
  expect(pipeline.status().waiting).toEqual({ blocks: 0, bytes: 0 });
});

test('in direct mode nothing waits in a log, and there is no rate of receivers', async () => {
  const world = receiverWorld();
  const { pipeline } = await world.start({ source: { mode: 'direct', blockIntervalMs: undefined }, wal: undefined });
  expect(pipeline.status()).toMatchObject({ receivers: [], waiting: undefined, receiveRateMax: undefined });
});

test('an error of a receiver is told once and stays in the status; while it is down nothing is received', async () => {
  const world = receiverWorld();
  const hand = new HandReceiver();
  const source = { topics: undefined, receivers: [{ name: 'hand', createReceiver: () => hand }] };
  const { pipeline, heard } = await world.start({ source });
  const context = await hand.started;
  await waitUntil('it runs', () => pipeline.status().receivers[0]?.state === 'running');
  context.reportError('a line was too long', new Error('9 bytes'));
  expect(heard.receiverChanged.at(-1)).toMatchObject({
    receiver: 'hand',
    state: 'running',
    error: { code: 'RECEIVER_FAILED' },
  });
  const told = heard.receiverChanged.length;
  context.restart('again', undefined, 3_600_000);
  expect(heard.receiverChanged.slice(told)).toEqual([
    { receiver: 'hand', state: 'restarting', restarts: 0, address: undefined, error: undefined },
  ]);
  const { receivers, ready } = pipeline.status();
  expect(receivers[0]).toMatchObject({ state: 'restarting', lastError: { code: 'RECEIVER_FAILED' } });
  expect(ready).toBe('degraded');
});

test('a receiver that listens on any free port says which one', async () => {
  const world = receiverWorld();
  const source = { topics: undefined, receivers: [{ type: 'http' as const, name: 'web', port: 0 }] };
  const { pipeline, heard } = await world.start({ source });
  await waitUntil('it runs', () => pipeline.status().receivers[0]?.state === 'running');
  const { address } = heard.receiverChanged.findLast(({ state }) => state === 'running') ?? {};
  expect((await fetch(`http://${address}/`, { method: 'POST' })).status).toBe(415);
});
