/**
 * npm run demo [-- --records N]: order events go through a real broker into a real database, while the worker is killed
 * three times on the way. Exit code 0 only when every order is in the table once.
 */
import { parseArgs } from 'node:util';
import pg from 'pg';
import {
  checkPrerequisites,
  kafkaService,
  postgresService,
  stopServices,
  topicPrefix,
  waitUntil,
} from '../test/services/index.ts';
import { cancelledAmong, produceOrders, topicOptions } from './orders.ts';
import { Progress } from './progress.ts';
import { Worker } from './worker.ts';

const { values } = parseArgs({ options: { records: { type: 'string', default: '400000' } } });
const records = Number(values.records);
const killsAt = [0.2, 0.45, 0.7];

const table = `CREATE TABLE orders (
  id bigint, account text, amount numeric, currency text, placed_at timestamptz, kafka_partition integer, kafka_offset bigint
)`;

process.exitCode = await main().finally(stopServices);

async function main(): Promise<number> {
  const prerequisites = await checkPrerequisites();
  if (!prerequisites.ok) {
    for (const line of prerequisites.lines) console.error(line);
    return 2;
  }
  console.error('Starting the services …');
  const [kafka, postgres] = await Promise.all([kafkaService(), postgresService()]);
  const database = await postgres.createDatabase('demo');
  const client = new pg.Client(database.url);
  await client.connect();
  try {
    await client.query(table);
    const topic = `${topicPrefix()}orders`;
    await kafka.createTopic(topic, topicOptions);
    const broker = kafka.brokers[0] ?? '';
    return await demonstrate(client, broker, topic, database.url);
  } finally {
    await client.end();
    await database.drop();
  }
}

async function demonstrate(client: pg.Client, broker: string, topic: string, url: string): Promise<number> {
  console.error(
    `\n${records.toLocaleString('en')} order events → topic ${topic} (8 partitions) → tidemark → table orders\n`,
  );
  const environment = { DEMO_BROKER: broker, DEMO_TOPIC: topic, DATABASE_URL: url };
  const startedMs = performance.now();
  const progress = new Progress(records);
  const producing = produceOrders(broker, topic, records);
  let worker = await Worker.start(environment);
  for (const at of [...killsAt, 1]) {
    const arrived = untilCommitted(client, Math.floor(records * at), progress);
    await Promise.race([worker.watch(), failureOf(producing), arrived]);
    if (at === 1) break;
    await worker.kill();
    progress.say(`worker killed with SIGKILL after ${Math.round(at * 100)} % — a new one takes over`);
    worker = await Worker.start(environment);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  await Promise.all([producing, worker.stop()]);
  progress.end();
  return report(client, seconds);
}

/** Rejects as `work` does, and never resolves. */
function failureOf(work: Promise<void>): Promise<never> {
  return work.then(() => new Promise<never>(() => {}));
}

/** The ledger says how far it is: what is not in there is not in the table either. */
async function untilCommitted(client: pg.Client, target: number, progress: Progress): Promise<void> {
  await waitUntil(
    `${target} records are committed`,
    async () => {
      const there = await client.query("SELECT to_regclass('tidemark.ranges') IS NOT NULL AS there");
      if (there.rows[0].there !== true) return false;
      const answer = await client.query('SELECT coalesce(sum(records), 0)::integer AS records FROM tidemark.ranges');
      const done = answer.rows[0].records as number;
      progress.show(done);
      return done >= target;
    },
    { limitMs: 180_000, everyMs: 100 },
  );
}

async function report(client: pg.Client, seconds: number): Promise<number> {
  const answer = await client.query(`
    SELECT count(*)::integer AS rows, count(DISTINCT id)::integer AS orders FROM orders`);
  const ledger = await client.query(`
    SELECT sum(records)::integer AS records, sum(dropped)::integer AS dropped, max(owner_epoch)::integer AS owners FROM tidemark.ranges`);
  const { rows, orders } = answer.rows[0] as { rows: number; orders: number };
  const { dropped, owners } = ledger.rows[0] as { dropped: number; owners: number };
  const expected = records - cancelledAmong(records);
  const lines: readonly (readonly [string, number | string])[] = [
    ['records produced', records],
    ['dropped by the transform', dropped],
    ['rows in the table', rows],
    ['gaps', expected - orders],
    ['duplicates', rows - orders],
    ['workers killed', killsAt.length],
    ['owners of a partition', owners],
    ['rows/s, restarts included', Math.round(rows / seconds)],
  ];
  console.log('');
  for (const [name, value] of lines) {
    console.log(`  ${name.padEnd(28)}${(typeof value === 'number' ? value.toLocaleString('en') : value).padStart(12)}`);
  }
  const isRight = orders === expected && rows === expected && dropped === cancelledAmong(records);
  console.log(isRight ? '\n  Every order is there, once.' : '\n  THIS IS WRONG: the promise is broken.');
  console.log(`
  Where to look next
    demo/orders.yaml, demo/transform.ts   the pipeline you just saw
    docs/guarantees.md                    why no kill can lose or double a record
    docs/config.md                        every option
    npx tidemark --help                   run it on your own topics
`);
  return isRight ? 0 : 1;
}
