/** Reading only: the driver's fetcher and a walk over every record. Task: {brokers, topic}. */
import { createDriver, readRange } from '../../../dist/kafka/index.js';
import { OffsetRange } from '../../../dist/model/index.js';
import { done, Meter, task, tell } from './meter.mjs';

const { brokers, topic } = task();
const meter = new Meter();
const driver = await createDriver({ brokers });
await driver.connect();
const [{ topicId, partitions }] = await driver.describeTopics([topic]);
const bounds = await driver.bounds(partitions.map(({ partition }) => ({ topic, partition })));
meter.start();
const fetcher = driver.openFetcher();
let records = 0;
let valueBytes = 0;
await Promise.all(
  partitions.map(async ({ partition }, index) => {
    const range = new OffsetRange(topic, partition, bounds[index].logStartOffset, bounds[index].lastStableOffset);
    for await (const chunk of readRange(fetcher, { topicId, range })) {
      const cursor = chunk.cursor();
      while (cursor.next()) {
        records += 1;
        valueBytes += cursor.valueEnd - cursor.valueStart;
      }
    }
  }),
);
meter.lap();
await driver.close();
if (valueBytes <= records) throw new Error('values are missing');
await tell(meter.report(records));
done();
