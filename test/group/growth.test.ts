import { describe, expect, it } from 'vitest';
import { appendPlain } from '../crash/input.ts';
import { waitUntil } from '../services/index.ts';
import { kafkaAdmin } from '../services/kafka/admin.ts';
import { groupSetting } from './groupSetting.ts';
import { groupTestMs } from './groupTrial.ts';
import { needsWay, ways } from './memberships.ts';

const setting = groupSetting();
const metadataRefreshMs = 500;

describe.concurrent('what a group learns while it runs', { timeout: groupTestMs }, () => {
  it.for(ways)('$name: new partitions are shared too, and read from their first record', async ({ way }, context) => {
    needsWay(context, way);
    const { environment, trial: newTrial } = setting();
    const trial = await newTrial({ way, changes: { source: { metadataRefreshMs } } });
    const { input } = trial;
    const workers = await Promise.all([trial.member(), trial.member()]);
    await trial.shared(...workers);
    const added = [input.partitions, input.partitions + 1, input.partitions + 2];
    const count = input.partitions + added.length;
    await environment.admin.createPartitions({ topicPartitions: [{ topic: input.topic, count }] });
    input.partitions = count;
    for (const partition of added) {
      // Brokers hear of new partitions a little later.
      await waitUntil('the partition to take records', async () => {
        await appendPlain(environment, input, [partition], 30);
        return true;
      });
    }
    for (const partition of added) {
      const claims = () => workers.flatMap((worker) => worker.events('partitionClaimed'));
      const claim = await waitUntil(`partition ${partition} to be claimed`, () =>
        claims().find((event) => event.partition === partition),
      );
      expect(claim).toMatchObject({ nextOffset: '0', ownerEpoch: '1' });
    }
    await trial.finishWith(...workers);
  });

  it.for(ways)(
    '$name: a new topic that the pattern matches is read from its first record',
    async ({ way }, context) => {
      needsWay(context, way);
      const { environment, brokers, trial: newTrial } = setting();
      const trial = await newTrial({ way, filled: 1 });
      await trial.endLoad();
      const source = { topics: undefined, topicPattern: `${trial.input.topic}(-more)?`, metadataRefreshMs };
      const workers = await Promise.all([trial.member({ changes: { source } }), trial.member({ changes: { source } })]);
      await trial.shared(...workers);
      const topic = `${trial.input.topic}-more`;
      await kafkaAdmin(brokers).createTopic(topic, { partitions: 3 });
      const values = await Promise.all(
        [0, 1, 2].map(async (partition) => {
          const records = Array.from({ length: 20 }, (_, number) => ({
            key: null,
            value: `more ${partition} ${number}`,
          }));
          await environment.produce(topic, partition, records);
          return records.map(({ value }) => value);
        }),
      );
      const rows = () => trial.sql<{ payload: string }>(`SELECT payload FROM target WHERE payload LIKE 'more %'`);
      await waitUntil('the records of the new topic', async () => (await rows()).length >= values.flat().length);
      for (const worker of workers) worker.signal('SIGTERM');
      for (const worker of workers) expect(await worker.ended(), worker.logTail()).toEqual({ signal: null, code: 0 });
      expect((await rows()).map(({ payload }) => payload).sort()).toEqual(values.flat().sort());
    },
  );
});
