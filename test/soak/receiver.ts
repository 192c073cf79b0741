import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { kafkaService, postgresService, tcpProxy, waitUntil } from '../services/index.ts';
import { freePort } from '../services/ports.ts';
import { startIntakeChild } from '../support/intakeChild.ts';
import { createTaken, intakeOptions } from '../support/intakeWorld.ts';
import { kafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';
import { randomness } from './randomness.ts';
import { longOutages, pickReceiverFault, type ReceiverVictims } from './receiverFaults.ts';
import { ReceiverLoad } from './receiverLoad.ts';

export interface ReceiverSoakOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly say: (line: string) => void;
}

/** Of the process, however long the database is away. */
const residentBytesMax = 800 * 1_048_576;

/**
 * One process of receiver mode, which takes from a topic and from HTTP, while everything around it breaks at random. All the time no
 * record may be in the table twice, nor one that was refused; in the end every record that was produced, or answered 200, is there.
 */
export async function soakReceiver({ minutes, seed, say }: ReceiverSoakOptions): Promise<number> {
  say(`seed ${seed}, ${minutes} minutes`);
  const [kafka, postgres] = await Promise.all([
    kafkaService({ owned: true, proxied: true, say }),
    postgresService({ owned: true, say }),
  ]);
  const environment = await kafkaDriverEnvironment(kafka.brokers);
  const [proxy, database, folder] = await Promise.all([
    tcpProxy(postgres),
    postgres.createDatabase('soak'),
    mkdtemp(join(tmpdir(), 'tidemark-soak-')),
  ]);
  const url = new URL(database.url);
  url.host = `${proxy.host}:${proxy.port}`;
  const sql = <R extends pg.QueryResultRow>(text: string) => once<R>(database.url, text);
  await sql(createTaken);
  const topic = await environment.createTopic({ partitions: 2 });
  const [port, dir] = [await freePort(), join(folder, 'wal')];
  const options = intakeOptions({
    dir,
    port,
    connectionString: url.toString(),
    change: {
      kafka: { brokers: kafka.proxiedBrokers.slice() },
      source: { topics: [topic], blocksWaitingMax: 64 },
      wal: { retainMs: 2_000 },
    },
  });
  const load = new ReceiverLoad(environment, topic, port);
  const start = async () => {
    const child = await startIntakeChild(options);
    await child.waitFor('started');
    return child;
  };
  const victims: ReceiverVictims = {
    ...{ random: randomness(seed), kafka, postgres, proxy, load, start, options, folder },
    child: await start(),
  };
  const loading = load.run();
  let residentMax = 0;
  const measure = setInterval(() => {
    residentMax = Math.max(residentMax, residentBytesOf(victims.child.pid));
  }, 500);
  try {
    const endMs = performance.now() + minutes * 60_000;
    for (let faults = 0; performance.now() < endMs; faults += 1) {
      say(await (longOutages[faults] ?? pickReceiverFault(victims))(victims));
      // One that died by itself has said why: nothing here is a reason for it to.
      if (!victims.child.alive()) throw new Error(`the process ended: ${victims.child.tail()}`);
      const wrong = load.problems(await rowsOf(sql));
      if (wrong !== undefined) throw new Error(wrong);
      if (residentMax > residentBytesMax) throw new Error(`${residentMax} bytes resident`);
    }
    say('no more faults; waiting for the end of the work');
    load.stop();
    await loading;
    await waitUntil('every record', async () => load.missing(await rowsOf(sql)).length === 0, { limitMs: 180_000 });
    victims.child.signal('TERM');
    const { code } = await victims.child.ended();
    const wrong = load.problems(await rowsOf(sql));
    if (code !== 0 || wrong !== undefined) throw new Error(wrong ?? `it ended with ${code}: ${victims.child.tail()}`);
    say(`kept: ${load.summary()}, at most ${Math.round(residentMax / 1_048_576)} MiB resident; seed ${seed}`);
    return 0;
  } catch (error) {
    say(`BROKEN with seed ${seed}: ${(error as Error).message}`);
    say(
      `missing: ${load
        .missing(await rowsOf(sql).catch(() => []))
        .slice(0, 10)
        .join(' ')}`,
    );
    return 1;
  } finally {
    clearInterval(measure);
    load.stop();
    await loading.catch(() => {});
    if (victims.child.alive()) victims.child.signal('KILL');
    await environment.close();
    await Promise.all([proxy.close(), kafka.stop(), postgres.stop()]);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Payloads in the table. */
async function rowsOf(sql: (text: string) => Promise<{ payload: string }[]>): Promise<readonly string[]> {
  return (await sql('SELECT payload FROM public.taken')).map(({ payload }) => payload);
}

async function once<R extends pg.QueryResultRow>(connectionString: string, text: string): Promise<R[]> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<R>(text)).rows;
  } finally {
    await client.end();
  }
}

function residentBytesOf(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
