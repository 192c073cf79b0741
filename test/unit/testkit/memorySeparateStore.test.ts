import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isTidemarkError } from '../../../src/errors.ts';
import { definePipeline, type Pipeline, type PipelineOptions } from '../../../src/index.ts';
import { MemoryCluster, MemoryDatabase } from '../../../src/testkit/index.ts';
import { waitUntil } from '../../services/index.ts';

const topic = 'orders';
const partitions = 2;

type Options = Partial<PipelineOptions>;

class World {
  readonly cluster = new MemoryCluster();
  readonly database = new MemoryDatabase();
  readonly dir = mkdtempSync(join(tmpdir(), 'tidemark-separate-'));
  #produced = 0;

  constructor() {
    this.cluster.createTopic(topic, { partitions });
    onTestFinished(() => rmSync(this.dir, { recursive: true }));
  }

  define(options: Options): Pipeline {
    const driver = this.cluster.driver();
    const pipeline = definePipeline({
      pipeline: topic,
      delivery: 'at-least-once',
      kafka: { createDriver: () => driver },
      source: { topics: [topic] },
      batch: { lingerMs: 0 },
      transform: (record) => ({ n: Number(record.text()) }),
      sink: this.database,
      ...options,
    });
    onTestFinished(() => pipeline.stop().catch(() => {}));
    return pipeline;
  }

  async start(options: Options, start: Parameters<Pipeline['start']>[0] = {}): Promise<Pipeline> {
    const pipeline = this.define(options);
    await pipeline.start(start);
    return pipeline;
  }

  produce(count: number): void {
    for (let n = 0; n < count; n += 1) {
      this.cluster.produce(topic, this.#produced % partitions, [{ value: `${this.#produced}` }]);
      this.#produced += 1;
    }
  }

  get numbers(): readonly number[] {
    return this.database.rows.map(({ row }) => row.n as number).sort((a, b) => a - b);
  }

  /** Every number that was produced, once. */
  get all(): readonly number[] {
    return Array.from({ length: this.#produced }, (_, n) => n);
  }

  async settled(): Promise<void> {
    await waitUntil('every record', () => this.database.rows.length >= this.#produced);
    expect(this.numbers).toEqual(this.all);
  }

  async committed(): Promise<readonly bigint[]> {
    const driver = this.cluster.driver();
    await driver.connect();
    const offsets = await driver.committedOffsets(topic, [topic]);
    await driver.close();
    return offsets.map(({ offset }) => offset);
  }

  positionsInFile(): readonly string[] {
    const { offsets } = JSON.parse(readFileSync(join(this.dir, `${topic}.json`), 'utf8'));
    return offsets.map(({ nextOffset }: { nextOffset: string }) => nextOffset);
  }
}

const inGroup = { store: { type: 'kafka', firstStart: true } } as const;
const codeOf = (error: unknown) => (isTidemarkError(error) ? error.code : String(error));

describe('a pipeline whose offsets are not with its rows', () => {
  test('says at start what can repeat, and goes on where it was', async () => {
    const world = new World();
    const inFile = { store: { type: 'file', dir: world.dir } } as const;
    world.produce(20);
    const pipeline = world.define(inFile);
    const told: unknown[] = [];
    pipeline.events.on('committedApart', (event) => told.push(event));
    await pipeline.start();
    await world.settled();
    await pipeline.stop();
    expect(told).toEqual([{ sink: 'memory', store: 'file', delivery: 'at-least-once' }]);
    expect(world.positionsInFile()).toEqual(['10', '10']);
    expect(world.database.offsets(topic), 'no ledger beside the rows').toEqual([]);
    world.produce(4);
    await world.start(inFile, { until: 'end' }).then(({ finished }) => finished);
    expect(world.numbers).toEqual(world.all);
    expect(world.positionsInFile()).toEqual(['12', '12']);
  });

  test('exactly-once is refused, with the way out', async () => {
    const world = new World();
    const error = await world.start({ ...inGroup, delivery: 'exactly-once' }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'DELIVERY_IMPOSSIBLE', path: 'delivery' });
    expect((error as { hint: string }).hint).toContain('delivery: at-least-once');
    expect(await world.committed()).toEqual([]);
  });

  test('in a consumer group a start without an offset has to be said to be the first', async () => {
    const world = new World();
    world.produce(10);
    const store = { type: 'kafka' } as const;
    expect(codeOf(await world.start({ store }).catch((error: unknown) => error))).toBe('NO_START_OFFSET');
    expect(world.numbers).toEqual([]);
    const first = await world.start({ store }, { until: 'end', firstStart: true });
    await first.finished;
    expect(world.numbers).toEqual(world.all);
    expect(await world.committed()).toEqual([5n, 5n]);
    world.produce(2);
    const second = await world.start({ store }, { until: 'end' });
    await second.finished;
    expect(world.numbers).toEqual(world.all);
  });

  test('two members of the group that keeps the offsets share the work', async () => {
    const world = new World();
    const group = { heartbeatIntervalMs: 100, sessionTimeoutMs: 5000 };
    const options: Options = { ...inGroup, source: { topics: [topic], assignment: 'group', group } };
    const [first, second] = [await world.start(options), await world.start(options)];
    world.produce(40);
    await waitUntil('both to work', () =>
      [first, second].every((one) => one.status().partitions.filter(({ state }) => state === 'running').length === 1),
    );
    await waitUntil('every record', () => new Set(world.numbers).size === 40);
    await waitUntil('the offsets of all', async () => (await world.committed()).every((offset) => offset === 20n));
    await second.stop();
    world.produce(10);
    await waitUntil('what the other had', () => new Set(world.numbers).size === 50);
    await first.stop();
    expect(await world.committed()).toEqual([25n, 25n]);
  });

  test('a store that is away is waited for: the output is not written again', async () => {
    const world = new World();
    await world.start(inGroup);
    world.produce(2);
    await world.settled();
    await waitUntil('both offsets', async () => (await world.committed()).join() === '1,1');
    const hold = world.cluster.faults.hold('commitOffsets', { groupId: topic });
    world.produce(2);
    await hold.waited();
    for (const call of [...hold.waiting]) call.fail();
    await hold.waited();
    expect(world.numbers).toEqual(world.all);
    hold.release();
    await waitUntil('the offsets', async () => (await world.committed()).join() === '2,2');
    expect(world.numbers).toEqual(world.all);
  });

  test('a process that ends between output and offsets leaves the range to be done again', async () => {
    const world = new World();
    const pipeline = await world.start(inGroup);
    await waitUntil('the claims', () => pipeline.status().partitions.length === partitions);
    const hold = world.cluster.faults.hold('commitOffsets', { groupId: topic });
    world.produce(2);
    await waitUntil('the output', () => world.numbers.length === 2);
    await hold.waited();
    await pipeline.stop({ deadlineMs: 1 }).catch(() => {});
    hold.release();
    const next = await world.start(inGroup, { until: 'end' });
    await next.finished;
    expect(new Set(world.numbers)).toEqual(new Set(world.all));
    expect(await world.committed()).toEqual([1n, 1n]);
  });

  test('a reset with Kafka’s own tools is gone on from', async () => {
    const world = new World();
    await world.start(inGroup);
    world.produce(20);
    await world.settled();
    await waitUntil('the offsets', async () => (await world.committed()).join() === '10,10');
    const tool = world.cluster.driver();
    await tool.connect();
    await tool.commitOffsets(topic, [{ topic, partition: 0, offset: 8n, metadata: '' }]);
    await waitUntil('the records again', () => world.numbers.length === 22);
    expect(world.numbers.filter((n, at, all) => all.indexOf(n) !== at)).toEqual([16, 18]);
    await waitUntil('the offsets', async () => (await world.committed()).join() === '10,10');
    await tool.close();
  });

  test('a sink that insists on its own store is refused', async () => {
    const world = new World();
    const own = world.database.store('elsewhere');
    const sink = {
      createSink: (context: Parameters<typeof world.database.createSink>[0]) =>
        Object.defineProperty(world.database.createSink(context), 'store', { value: own }),
    };
    expect(codeOf(await world.start({ ...inGroup, sink }).catch((error: unknown) => error))).toBe('CONFIG_INVALID');
  });
});
