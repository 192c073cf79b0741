import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { isTidemarkError } from '../../src/errors.ts';
import { definePipeline } from '../../src/index.ts';
import { createDriver } from '../../src/kafka/index.ts';
import { PostgresPlace } from '../../src/offsets/stores/postgres/index.ts';
import { openProgress, pause, resume, verify } from '../../src/operations/index.ts';
import { kafkaService, postgresService, waitUntil } from '../services/index.ts';
import { type MadeCommands, randomCommand, seededRandom } from '../support/commandLoad.ts';
import { offsetSink, type PipelineWorld, pipelineWorld } from '../support/pipelineWorld.ts';

beforeAll(() => Promise.all([kafkaService(), postgresService()]), 180_000);

const partitions = 3;
const options = { partitions, columns: 'id bigint, partition int' };
/** More by hand: `TIDEMARK_COMMANDS=1000 npx vitest run test/e2e/offsetsUnderLoad.test.ts`. */
const commands = Number(process.env.TIDEMARK_COMMANDS ?? 60);
const seed = Number(process.env.TIDEMARK_SEED ?? Date.now() % 2 ** 31);

/** Records to every partition, until it is stopped. */
function produceOn(world: PipelineWorld): { stop(): Promise<number> } {
  let goesOn = true;
  let produced = 0;
  const work = (async () => {
    while (goesOn) {
      const partition = produced % partitions;
      await world.produce(
        Array.from({ length: 50 }, (_, index) => String(produced + index)),
        partition,
      );
      produced += 50;
    }
  })();
  return {
    stop: async () => {
      goesOn = false;
      await work;
      return produced;
    },
  };
}

function start(world: PipelineWorld, assignment: 'all' | 'group') {
  const pipeline = definePipeline({
    pipeline: 'orders',
    kafka: { brokers: [...world.brokers] },
    source: { topics: [world.topic], assignment },
    batch: { lingerMs: 0, maxRecordsPerPartition: 200 },
    sink: { ...offsetSink(world), columns: { id: '$offset', partition: '$partition' } },
  });
  onTestFinished(() => pipeline.stop().catch(() => {}));
  return pipeline;
}

async function operator(world: PipelineWorld, pipeline = 'orders') {
  const driver = await createDriver({ brokers: [...world.brokers] });
  const place = new PostgresPlace({ connectionString: world.databaseUrl });
  const progress = await openProgress({ pipeline, place, driver, selection: { topics: [world.topic] } }, 'use');
  onTestFinished(() => progress.close());
  return progress;
}

/** Offsets whose rows in the table are not as many as batches of the history that hold them. */
const uneven = (topic: string) => `
  WITH said AS (SELECT partition, o AS id, count(*) AS n FROM tidemark.ranges, generate_series(from_offset, until_offset - 1) o
                 WHERE pipeline = 'orders' AND topic = '${topic}' AND kind = 'batch' GROUP BY 1, 2),
       there AS (SELECT partition, id, count(*) AS n FROM public.orders GROUP BY 1, 2)
  SELECT partition, id, said.n AS said, there.n AS there FROM said FULL JOIN there USING (partition, id)
   WHERE said.n IS DISTINCT FROM there.n`;

/** Ranges that do not begin where the one before ended, within an incarnation. */
const uncontinued = (topic: string) => `
  SELECT * FROM (SELECT *, lag(until_offset) OVER (PARTITION BY partition, incarnation ORDER BY seq) AS before
                   FROM tidemark.ranges WHERE pipeline = 'orders' AND topic = '${topic}') r WHERE before IS NOT NULL AND before <> from_offset`;

/** Rows that do not stand where their history ends. */
const adrift = (topic: string) => `
  SELECT o.partition, o.next_offset, r.until_offset FROM tidemark.offsets o JOIN LATERAL (
    SELECT * FROM tidemark.ranges r WHERE r.pipeline = o.pipeline AND r.topic = o.topic AND r.partition = o.partition ORDER BY seq DESC LIMIT 1) r ON true
   WHERE o.pipeline = 'orders' AND o.topic = '${topic}' AND (r.until_offset <> o.next_offset OR r.incarnation <> o.incarnation)`;

const committedOf = (
  topic: string,
  { partition, incarnation, fromOffset, untilOffset }: MadeCommands['skips'][number],
) => `
  SELECT * FROM tidemark.ranges WHERE pipeline = 'orders' AND topic = '${topic}' AND partition = ${partition} AND incarnation = ${incarnation}
     AND kind = 'batch' AND from_offset < ${untilOffset} AND until_offset > ${fromOffset}`;

/** The same questions after the damage that each of them is there for. */
async function checkersNotice(world: PipelineWorld): Promise<void> {
  const { topic } = world;
  const notices = async (damage: string, check: string) => {
    await world.query('BEGIN');
    await world.query(damage);
    expect(await world.query(check), damage).not.toEqual([]);
    await world.query('ROLLBACK');
  };
  const one = `ctid = (SELECT ctid FROM public.orders LIMIT 1)`;
  await notices(`DELETE FROM public.orders WHERE ${one}`, uneven(topic));
  await notices(`INSERT INTO public.orders SELECT * FROM public.orders WHERE ${one}`, uneven(topic));
  const any = `(SELECT ctid FROM tidemark.ranges WHERE kind = 'batch' ORDER BY seq LIMIT 1)`;
  await notices(
    `UPDATE tidemark.ranges SET from_offset = from_offset + 1, until_offset = until_offset + 1 WHERE ctid = ${any}`,
    uncontinued(topic),
  );
  await notices(`UPDATE tidemark.offsets SET next_offset = next_offset + 1`, adrift(topic));
  const gap = await world.query<{ partition: number; incarnation: string; at: string; until: string }>(
    `SELECT partition, incarnation, from_offset AS at, until_offset AS until FROM tidemark.ranges WHERE kind = 'gap' LIMIT 1`,
  );
  for (const { partition, incarnation, at, until } of gap) {
    const skip = { partition, incarnation: BigInt(incarnation), fromOffset: BigInt(at), untilOffset: BigInt(until) };
    await notices(`UPDATE tidemark.ranges SET kind = 'batch' WHERE kind = 'gap'`, committedOf(topic, skip));
  }
}

describe.each(['all', 'group'] as const)('commands under load, assignment %s', (assignment) => {
  test('no worker overwrites them, the ledger has no hole, the table is what the history says', {
    timeout: 120_000,
  }, async () => {
    const world = await pipelineWorld(options);
    const pipeline = start(world, assignment);
    const progress = await operator(world);
    const copy = await operator(world, 'orders-copy');
    const producer = produceOn(world);
    await pipeline.start();
    await waitUntil('the first commits', async () => ((await world.committed(0)) ?? 0n) > 0n);
    const random = seededRandom(seed);
    const made: MadeCommands = { skips: [], moves: [], done: new Map() };
    for (let command = 0; command < commands; command += 1) {
      await randomCommand(progress, copy, world.topic, partitions, random, made).catch((error: unknown) => {
        // A skip of what is committed by now, or of nothing.
        if (!isTidemarkError(error) || !['USAGE_INVALID', 'LEDGER_MOVED'].includes(error.code)) throw error;
      });
    }
    await producer.stop();
    await resume(progress, { choice: [] });
    const ends = await progress.driver?.bounds(
      (await progress.store.read()).map(({ topic, partition }) => ({ topic, partition })),
    );
    await waitUntil('all of it', async () =>
      (await progress.store.read()).every((row, index) => row.nextOffset === ends?.[index]?.lastStableOffset),
    );
    await pipeline.stop();
    const why = `seed ${seed}: ${JSON.stringify([...made.done])}`;
    expect(await world.query(uneven(world.topic)), why).toEqual([]);
    expect(await world.query(uncontinued(world.topic)), why).toEqual([]);
    expect(await world.query(adrift(world.topic)), why).toEqual([]);
    for (const skip of made.skips) expect(await world.query(committedOf(world.topic, skip)), why).toEqual([]);
    const resets = await world.query<{ partition: number; at: string }>(
      `SELECT partition, until_offset::text AS at FROM tidemark.ranges WHERE pipeline = 'orders' AND kind = 'reset'`,
    );
    expect(resets.map(({ partition, at }) => `${partition}:${at}`).sort(), why).toEqual(
      made.moves.map(({ partition, toOffset }) => `${partition}:${toOffset}`).sort(),
    );
    expect(made.moves.length, why).toBeGreaterThan(commands / 10);
    expect(await progress.store.controls(), why).toEqual([]);
    const verified = await verify(progress, { choice: [] });
    expect(
      verified.flatMap(({ findings }) => findings),
      why,
    ).toEqual([]);
    await checkersNotice(world);
  });

  test('from the answer of a pause on nothing is committed, and a new process keeps to it', async () => {
    const world = await pipelineWorld(options);
    const progress = await operator(world);
    const producer = produceOn(world);
    const pipeline = start(world, assignment);
    await pipeline.start();
    await waitUntil('the first commits', async () => ((await world.committed(0)) ?? 0n) > 0n);
    await pause(progress, { choice: [], by: 'operator', reason: 'a test' });
    const positions = async () => (await progress.store.read()).map(({ nextOffset }) => nextOffset);
    const held = await positions();
    await waitUntil('the worker to obey', () => pipeline.status().partitions.every(({ state }) => state === 'paused'));
    await pipeline.stop();
    const next = start(world, assignment);
    await next.start();
    await waitUntil('the next one to obey', () => next.status().partitions.every(({ state }) => state === 'paused'));
    expect(await positions()).toEqual(held);
    await producer.stop();
    await resume(progress, { choice: [] });
    await waitUntil('it to go on', async () =>
      (await positions()).every((position, index) => position > (held[index] ?? 0n)),
    );
    await next.stop();
  });
});
