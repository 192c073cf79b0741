import { expect, onTestFinished, test } from 'vitest';
import { DaemonMetrics } from '../../../src/daemon/metrics.ts';
import { FakePipeline, receiver } from './fakePipeline.ts';

function measured() {
  const pipeline = new FakePipeline();
  const metrics = new DaemonMetrics([{ pipeline, ended: undefined }], '1.2.3');
  onTestFinished(() => metrics.close());
  const samples = async (name: string) =>
    (await metrics.text()).split('\n').filter((line) => new RegExp(`^${name}[{ ]`).test(line));
  return { pipeline, samples };
}

test('blocks, records and bytes that were made durable, by partition', async () => {
  const { pipeline, samples } = measured();
  const block = { topic: 'orders', partition: 1, blockId: 'b', fromOffset: 0n, untilOffset: 9n };
  pipeline.events.emit('blockLogged', { ...block, records: 7, bytes: 700 });
  pipeline.events.emit('blockLogged', { ...block, records: 2, bytes: 50 });
  const labels = '{pipeline="orders",topic="orders",partition="1"}';
  expect(await samples('tidemark_blocks_logged_total')).toEqual([`tidemark_blocks_logged_total${labels} 2`]);
  expect(await samples('tidemark_records_logged_total')).toEqual([`tidemark_records_logged_total${labels} 9`]);
  expect(await samples('tidemark_bytes_logged_total')).toEqual([`tidemark_bytes_logged_total${labels} 750`]);
});

test('discarded blocks are counted by cause, however the reason is worded', async () => {
  const { pipeline, samples } = measured();
  const event = { topic: 'orders', partition: 0, records: 5 };
  pipeline.events.emit('blocksDiscarded', { ...event, blocks: 2, cause: 'seek', reason: 'goes on at 7' });
  pipeline.events.emit('blocksDiscarded', { ...event, blocks: 1, cause: 'seek', reason: 'goes on at 9' });
  pipeline.events.emit('blocksDiscarded', { ...event, blocks: 4, cause: 'claim', reason: 'another claim' });
  const labels = 'pipeline="orders",topic="orders",partition="0"';
  expect(await samples('tidemark_blocks_discarded_total')).toEqual([
    `tidemark_blocks_discarded_total{${labels},cause="seek"} 3`,
    `tidemark_blocks_discarded_total{${labels},cause="claim"} 4`,
  ]);
});

test('what waits, and what may be taken in, is of receiver mode only', async () => {
  const { pipeline, samples } = measured();
  const names = ['waiting_blocks', 'waiting_bytes', 'receive_rate_limit_records_per_second'];
  const all = async () => (await Promise.all(names.map((name) => samples(`tidemark_${name}`)))).flat();
  expect(await all()).toEqual([]);
  pipeline.waiting = { blocks: 3, bytes: 12_345 };
  pipeline.receiveRateMax = 500;
  expect(await all()).toEqual([
    'tidemark_waiting_blocks{pipeline="orders"} 3',
    'tidemark_waiting_bytes{pipeline="orders"} 12345',
    'tidemark_receive_rate_limit_records_per_second{pipeline="orders"} 500',
  ]);
});

test('a receiver is in one state, and its restarts only rise', async () => {
  const { pipeline, samples } = measured();
  const restarts = () => samples('tidemark_receiver_restarts_total');
  pipeline.receivers = [receiver({ state: 'restarting', restarts: 2 })];
  expect(await samples('tidemark_receivers')).toEqual([
    'tidemark_receivers{pipeline="orders",receiver="web",state="restarting"} 1',
  ]);
  expect(await restarts()).toEqual(await restarts());
  pipeline.receivers = [receiver({ state: 'running', restarts: 3 })];
  expect(await samples('tidemark_receivers')).toEqual([
    'tidemark_receivers{pipeline="orders",receiver="web",state="running"} 1',
  ]);
  expect(await restarts()).toEqual(['tidemark_receiver_restarts_total{pipeline="orders",receiver="web"} 3']);
});

test('syncs of the log are a histogram in seconds, fine enough for a fast disk', async () => {
  const { pipeline, samples } = measured();
  for (const ms of [0.4, 0.8, 1500]) pipeline.events.emit('logSynced', { entries: 1, bytes: 10, ms });
  const buckets = await samples('tidemark_log_sync_seconds_bucket');
  expect(buckets.slice(0, 3).map((line) => line.split(' ').at(-1))).toEqual(['1', '2', '2']);
  expect(await samples('tidemark_log_sync_seconds_count')).toEqual([
    'tidemark_log_sync_seconds_count{pipeline="orders"} 3',
  ]);
});
