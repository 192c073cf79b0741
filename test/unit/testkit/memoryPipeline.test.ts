import { describe, expect, onTestFinished, test } from 'vitest';
import { definePipeline, type Pipeline, type PipelineOptions } from '../../../src/index.ts';
import { MemoryCluster, MemoryDatabase, type MemoryDriver } from '../../../src/testkit/index.ts';
import { waitUntil } from '../../services/index.ts';

const topic = 'orders';
const partitions = 4;

interface World {
  readonly cluster: MemoryCluster;
  readonly database: MemoryDatabase;
  /** Starts a process of the pipeline. */
  start(options?: Partial<PipelineOptions>): Promise<{ readonly pipeline: Pipeline; readonly driver: MemoryDriver }>;
  /** Writes so many records, over all partitions. */
  produce(count: number): void;
  /** Resolves when all that was written is in the database; fails when there is more than that. */
  settled(): Promise<void>;
}

function world(): World {
  const [cluster, database] = [new MemoryCluster(), new MemoryDatabase()];
  cluster.createTopic(topic, { partitions });
  let produced = 0;
  return {
    cluster,
    database,
    start: async (options = {}) => {
      const driver = cluster.driver();
      const pipeline = definePipeline({
        pipeline: topic,
        kafka: { createDriver: () => driver },
        source: { topics: [topic] },
        batch: { lingerMs: 0 },
        transform: (record) => ({ n: Number(record.text()) }),
        sink: database,
        ...options,
      });
      onTestFinished(() => pipeline.stop().catch(() => {}));
      await pipeline.start();
      return { pipeline, driver };
    },
    produce: (count) => {
      for (let n = 0; n < count; n += 1) {
        cluster.produce(topic, produced % partitions, [{ value: `${produced}` }]);
        produced += 1;
      }
    },
    settled: async () => {
      await waitUntil('every record', () => database.rows.length >= produced);
      expect(database.rows.map(({ row }) => row.n as number).sort((a, b) => a - b)).toEqual(
        Array.from({ length: produced }, (_, n) => n),
      );
    },
  };
}

describe('a pipeline in memory', () => {
  test('loses and doubles nothing when answers of commits are lost and the database is away', async () => {
    const { database, start, produce, settled } = world();
    const fault = database.faults.fail('commitRanges', {}, { at: 'answer', times: 3 });
    const { pipeline } = await start();
    produce(100);
    await settled();
    await waitUntil('lost answers', () => {
      produce(1);
      return fault.met >= 3;
    });
    await settled();
    const degraded = new Promise<void>((resolve) => {
      pipeline.events.on('degraded', () => resolve());
    });
    database.away();
    produce(20);
    await degraded;
    database.back();
    await settled();
  });

  test('parks a partition whose rows the database refuses, and goes on with the others', async () => {
    const { database, start, produce } = world();
    database.refuse(({ row }) => (row.n === 5 ? 'five is right out' : undefined));
    const { pipeline } = await start({ onError: { attempts: 1 } });
    produce(12);
    await waitUntil('a parked partition', () => pipeline.status().ready === 'parked');
    await waitUntil('the others', () => database.rows.length === 10);
    expect(database.offsets(topic).map(({ nextOffset, state }) => [nextOffset, state])).toEqual([
      [3n, 'running'],
      [1n, 'parked'],
      [3n, 'running'],
      [3n, 'running'],
    ]);
  });

  test('stops at records that are gone', async () => {
    const { cluster, database, start, produce, settled } = world();
    const { pipeline } = await start();
    produce(8);
    await settled();
    await pipeline.stop();
    produce(8);
    cluster.deleteRecords(topic, 2, 3n);
    const { pipeline: again } = await start();
    await waitUntil('the loss', () => again.status().partitions.some(({ error }) => error?.code === 'DATA_LOSS'));
    expect(database.offsets(topic)[2]).toMatchObject({ nextOffset: 2n, state: 'parked' });
  });

  test('shares its partitions with other processes by a group, whoever comes, goes or is cut off', async () => {
    const { cluster, start, produce, settled } = world();
    const group = { sessionTimeoutMs: 4_000, heartbeatIntervalMs: 50 };
    const inGroup: Partial<PipelineOptions> = { source: { topics: [topic], assignment: 'group', group } };
    const shares = () => cluster.group(topic).members.map((member) => member.partitions.length);
    const first = await start(inGroup);
    produce(40);
    const second = await start(inGroup);
    await waitUntil('two shares', () => shares().join() === '2,2');
    produce(40);
    await settled();
    second.driver.cut();
    produce(40);
    await waitUntil('one share', () => shares().join() === '4');
    produce(40);
    await settled();
    second.driver.heal();
    await waitUntil('two shares again', () => shares().join() === '2,2');
    produce(40);
    await first.pipeline.stop();
    await settled();
  });
});
