/**
 * Receiver mode without a sink: every block is done with as soon as it is durable and the group has been told.
 * Task: {brokers, topic, groupId, records, dir}.
 */
import { createDriver } from '../../../dist/kafka/index.js';
import { systemClock } from '../../../dist/platform/index.js';
import { OpenReceivers } from '../../../dist/receiver/index.js';
import { Degradation } from '../../../dist/scheduler/index.js';
import { EventHub } from '../../../dist/telemetry/index.js';
import { done, Meter, task, tell } from './meter.mjs';

const { brokers, topic, groupId, records, dir } = task();
const meter = new Meter();
const driver = await createDriver({ brokers });
await driver.connect();
const [{ topicId, partitions }] = await driver.describeTopics([topic]);
const bounds = await driver.bounds(partitions.map(({ partition }) => ({ topic, partition })));
const ends = new Map(bounds.map(({ lastStableOffset }, index) => [partitions[index].partition, lastStableOffset]));

const events = new EventHub('bench');
const receivers = await OpenReceivers.open(
  {
    // The defaults of the configuration.
    maxRate: 0,
    initialRate: 0,
    blockIntervalMs: 200,
    blockBytesMax: 4_194_304,
    blocksWaitingMax: 256,
    bytesWaitingMax: 67_108_864,
    wal: { dir, segmentBytesMax: 67_108_864, retainMs: 0 },
    receivers: [],
    kafka: {
      driver,
      partitionCount: partitions.length,
      commitGroupOffsets: (offsets) => commit(offsets),
      onDataLoss: 'stop',
      bufferedBytesMax: 16_777_216,
      metadata: '',
    },
  },
  {
    store: {},
    clock: systemClock,
    events,
    degradation: new Degradation(events),
    onReady: () => {},
    onFailed: (error) => {
      throw error;
    },
  },
);

let logged = 0;
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});
events.on('blockLogged', (block) => {
  logged += block.records;
  receivers.source.committed(block, block.untilOffset);
});
async function commit(offsets) {
  await driver.commitOffsets(groupId, offsets);
  for (const { partition, offset } of offsets) if (offset === ends.get(partition)) ends.delete(partition);
  meter.lap();
  if (ends.size === 0) finish();
}
meter.start();
for (const { partition } of partitions) {
  const { logStartOffset } = bounds[partition];
  const held = { topic, partition, claim: 'bench', ownerEpoch: 1n };
  receivers.source.open({
    topic,
    partition,
    topicId,
    nextOffset: logStartOffset,
    leaderEpoch: -1,
    held,
    claimBefore: null,
  });
}
await finished;
if (logged < records) throw new Error('records are missing');
await tell(meter.report(logged));
await receivers.source.endIntake();
await receivers.close();
await driver.close();
done();
