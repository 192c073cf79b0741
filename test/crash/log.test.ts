import { describe, expect, it } from 'vitest';
import type { Pipeline } from '../../src/index.ts';
import { waitUntil } from '../services/index.ts';
import type { Facts } from './checker.ts';
import { appendPlain, appendTransaction, type Input } from './input.ts';
import { sharedSetting } from './setting.ts';
import { expectKept, type OptionChanges, type Trial, type TrialSetting, waitUntilDone } from './trial.ts';
import { all, expectKeptAtEnd, nth } from './watching.ts';

const setting = sharedSetting({ filled: 1, rounds: 1, recordsPerStep: 1 });

/** A trial on a topic of its own with plain records in every partition. */
async function trialOn(
  { partitions, records }: { partitions: number; records: number },
  changes: Partial<TrialSetting> = {},
): Promise<{ trial: Trial; input: Input }> {
  const { environment } = setting();
  const topic = await environment.createTopic({ partitions });
  const input: Input = { topic, partitions, produced: [] };
  if (records > 0) await append(input, records);
  return { trial: await setting().trial({ ...changes, input }), input };
}

const everyPartition = ({ partitions }: Input) => Array.from({ length: partitions }, (_, partition) => partition);
const append = (input: Input, count: number) => appendPlain(setting().environment, input, everyPartition(input), count);

async function untilEnd(trial: Trial, changes?: OptionChanges): Promise<Pipeline> {
  const pipeline = trial.define(changes);
  await pipeline.start({ until: 'end' });
  return pipeline;
}

describe('records that expired unread', () => {
  it.concurrent('park their partition before anything is read, with both ends of what is lost', async () => {
    const { trial, input } = await trialOn({ partitions: 2, records: 20 });
    await (await untilEnd(trial)).finished;
    await append(input, 20);
    await setting().environment.deleteRecords(input.topic, 0, 30n);
    const pipeline = await untilEnd(trial);
    await expect(pipeline.finished).rejects.toMatchObject({ code: 'DATA_LOSS', partition: 0 });
    expect(pipeline.status().partitions[0]?.error).toMatchObject({ fromOffset: 20n, untilOffset: 30n });
    expect(await trial.nextOffsets()).toEqual([20n, 40n]);
    expect(await trial.violations()).toEqual([]);
  });

  it.concurrent('are a gap in the history when that was accepted', async () => {
    const { trial, input } = await trialOn({ partitions: 2, records: 20 });
    await (await untilEnd(trial)).finished;
    await append(input, 20);
    await setting().environment.deleteRecords(input.topic, 0, 30n);
    const pipeline = trial.define({ source: { onDataLoss: 'skip-forward' } });
    const gaps = all(pipeline, 'gapCommitted');
    await pipeline.start({ until: 'end' });
    await pipeline.finished;
    expect(gaps.map(({ range }) => String(range))).toEqual([
      `OffsetRange(topic: '${input.topic}', partition: 0, range: [20 -> 30])`,
    ]);
    const [row] = await trial.sql(`SELECT from_offset, until_offset, reason FROM ledger.ranges WHERE kind = 'gap'`);
    expect(row).toEqual({ from_offset: '20', until_offset: '30', reason: expect.stringContaining('skip-forward') });
    await expectKept(trial);
  });

  it.concurrent('are found while reading as well', async () => {
    const { environment } = setting();
    const topic = await environment.createTopic();
    const input: Input = { topic, partitions: 1, produced: [] };
    for (let offset = 0n; offset < 60n; offset += 1n) {
      const value = `${offset}`.padEnd(100_000, '.');
      await environment.produce(topic, 0, [{ value }]);
      input.produced.push({ partition: 0, offset, value, fate: 'committed' });
    }
    const changes = {
      source: { bufferedBytesMax: 1_048_576, onDataLoss: 'skip-forward' },
      // Six seconds of records: some are left to lose when the order to delete them arrives.
      batch: { maxRatePerPartition: 10 },
    };
    const trial = await setting().trial({ input, changes });
    const pipeline = trial.define();
    await pipeline.start();
    await nth(pipeline, 'rangeCommitted', 2);
    const gap = nth(pipeline, 'gapCommitted');
    await environment.deleteRecords(topic, 0, 55n);
    const { range } = await gap;
    expect(range.fromOffset).toBeLessThan(55n);
    expect(range.untilOffset).toBe(55n);
    await expectKeptAtEnd(trial, pipeline);
  });

  it.concurrent('are also missed by a ledger that went back in time', async () => {
    const { trial, input } = await trialOn({ partitions: 1, records: 20 });
    await (await untilEnd(trial)).finished;
    const tables = ['target', 'ledger.offsets', 'ledger.ranges'];
    await trial.sql(tables.map((table, index) => `CREATE TABLE ledger.saved_${index} AS TABLE ${table}`).join(';'));
    const pipeline = trial.define();
    await pipeline.start();
    await append(input, 20);
    await waitUntilDone(trial);
    await setting().environment.deleteRecords(input.topic, 0, 30n);
    await trial.sql(`BEGIN; TRUNCATE ${tables.join()};
      ${tables.map((table, index) => `INSERT INTO ${table} OVERRIDING SYSTEM VALUE TABLE ledger.saved_${index}`).join(';')}; COMMIT`);
    const parked = nth(pipeline, 'partitionParked');
    await append(input, 20);
    expect(await parked).toMatchObject({ nextOffset: 20n, error: { code: 'DATA_LOSS' } });
    await pipeline.stop();
    expect(await trial.violations()).toEqual([]);
  });
});

describe('a log that is not the one on record', () => {
  it.concurrent('a topic that was deleted and made again while nothing ran parks', async () => {
    const { trial, input } = await trialOn({ partitions: 1, records: 20 });
    await (await untilEnd(trial)).finished;
    await recreate(input);
    await append(input, 30);
    const pipeline = await untilEnd(trial);
    await expect(pipeline.finished).rejects.toMatchObject({ code: 'KAFKA_TOPIC_RECREATED' });
    expect(await trial.nextOffsets()).toEqual([20n]);
  });

  it.concurrent('a topic that was deleted and made again under a running pipeline parks', async () => {
    const { trial, input } = await trialOn({ partitions: 1, records: 20 });
    const pipeline = trial.define();
    await pipeline.start();
    await waitUntilDone(trial);
    const parked = nth(pipeline, 'partitionParked');
    await recreate(input);
    await append(input, 30);
    expect(['KAFKA_TOPIC_RECREATED', 'KAFKA_TOPIC_MISSING']).toContain((await parked).error.code);
    await expect(pipeline.finished).rejects.toMatchObject({ code: expect.stringMatching(/^KAFKA_TOPIC_/) });
    expect(await trial.nextOffsets()).toEqual([20n]);
  });

  it.concurrent('a topic that is gone does not keep the partitions of others from being claimed', async () => {
    const { environment } = setting();
    const { trial, input } = await trialOn({ partitions: 2, records: 20 });
    const doomed = await environment.createTopic();
    const pipeline = trial.define({ source: { topics: [input.topic, doomed], metadataRefreshMs: 200 } });
    await pipeline.start();
    const noticed = [nth(pipeline, 'partitionParked'), nth(pipeline, 'degraded')];
    await environment.deleteTopic(doomed);
    await Promise.all(noticed);
    const claimedAgain = nth(pipeline, 'partitionClaimed', 2);
    await trial.sql(
      'UPDATE ledger.offsets SET claim = NULL, owner = NULL, owner_epoch = owner_epoch + 1 WHERE topic = $1',
      [input.topic],
    );
    await claimedAgain;
    await append(input, 20);
    await waitUntilDone(trial);
    await pipeline.stop();
    await expectKept(trial);
  });

  it.concurrent('a ledger ahead of its log parks', async () => {
    const { trial } = await trialOn({ partitions: 2, records: 20 });
    await (await untilEnd(trial)).finished;
    await trial.sql('UPDATE ledger.offsets SET next_offset = 25 WHERE partition = 0');
    await trial.sql('UPDATE ledger.ranges SET until_offset = 25 WHERE partition = 0 AND until_offset = 20');
    const pipeline = await untilEnd(trial);
    await expect(pipeline.finished).rejects.toMatchObject({ code: 'LEDGER_AHEAD', partition: 0 });
    expect(await trial.nextOffsets()).toEqual([25n, 20n]);
  });

  async function recreate(input: Input): Promise<void> {
    const { environment } = setting();
    await environment.deleteTopic(input.topic);
    await environment.recreateTopic(input.topic);
    input.produced.length = 0;
  }
});

describe('a log that grows', () => {
  it.concurrent('partitions added while a pipeline runs begin at their log start, whatever the reset policy', async () => {
    const { environment } = setting();
    const { trial, input } = await trialOn({ partitions: 1, records: 0 });
    const pipeline = trial.define({ source: { reset: 'latest', metadataRefreshMs: 300 } });
    await pipeline.start();
    const claimed = nth(pipeline, 'partitionClaimed', 2);
    await environment.admin.createPartitions({ topicPartitions: [{ topic: input.topic, count: 3 }] });
    input.partitions = 3;
    // Brokers hear of new partitions a little later; what is written meanwhile counts all the same.
    for (const partition of everyPartition(input)) {
      await waitUntil('the partition to take records', async () => {
        await appendPlain(environment, input, [partition], 20);
        return true;
      });
    }
    await claimed;
    await expectKeptAtEnd(trial, pipeline);
    expect(await trial.nextOffsets()).toEqual([20n, 20n, 20n]);
  });

  it.concurrent('a run until the end stops before an open transaction, the next one takes what became of it', async () => {
    const { environment } = setting();
    const { trial, input } = await trialOn({ partitions: 1, records: 20 });
    const transaction = await appendTransaction(environment, input, [0], 20, 'open');
    await append(input, 20);
    const before = input.produced.splice(20);
    await (await untilEnd(trial)).finished;
    expect(await trial.nextOffsets()).toEqual([20n]);
    await expectKept(trial);
    await transaction.commit();
    input.produced.push(...before.map((record) => ({ ...record, fate: 'committed' }) as const));
    await (await untilEnd(trial)).finished;
    await expectKept(trial);
  });
});

describe('a record that cannot be processed', () => {
  const columns = { partition: '$partition', record_offset: '$offset', payload: '$value.n' };

  it.concurrent('stop: the ledger stands right before it', async () => {
    const { trial } = await trialWithBadRecord();
    const pipeline = await untilEnd(trial, { sink: { columns } });
    await expect(pipeline.finished).rejects.toMatchObject({ code: 'RECORD_UNPARSABLE', partition: 0, offset: 20n });
    expect(await trial.nextOffsets()).toEqual([20n, 40n]);
  });

  it.concurrent('skip: it is passed over and counted', async () => {
    const { trial } = await trialWithBadRecord();
    const pipeline = trial.define({ sink: { columns }, onError: { record: 'skip' } });
    const skipped = all(pipeline, 'recordSkipped');
    await pipeline.start({ until: 'end' });
    await pipeline.finished;
    expect(skipped).toMatchObject([{ partition: 0, offset: 20n, error: { code: 'RECORD_UNPARSABLE' } }]);
    const rowsOf: Facts['rowsOf'] = ({ value }) =>
      value.startsWith('{') ? [String((JSON.parse(value) as { n: number }).n)] : 'skipped';
    await expectKept({ ...trial, facts: async () => ({ ...(await trial.facts()), rowsOf }) });
  });

  /** Partition 0 has 20 good records, a bad one, 20 good ones; partition 1 has good ones. */
  async function trialWithBadRecord(): Promise<{ trial: Trial }> {
    const { trial, input } = await trialOn({ partitions: 2, records: 20 });
    const value = 'no JSON';
    const offset = await setting().environment.produce(input.topic, 0, [{ value }]);
    input.produced.push({ partition: 0, offset, value, fate: 'committed' });
    await append(input, 20);
    return { trial };
  }
});
