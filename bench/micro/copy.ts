/**
 * How fast records that lie in memory get into a table, by the built code in dist/ (`npm run build` first):
 * node --import jiti/register bench/micro/copy.ts [records] [runs]
 *
 * The sink's part of the work alone: encoding, COPY, ledger. Beside it `psql \copy` of the same rows from files, in turn
 * with ours: the disk's noise is larger than most effects. Prints JSON; ratios are ours to psql's.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { RecordChunk } from '../../src/model/index.ts';
import type { HeldClaim, RangeCommit } from '../../src/offsets/index.ts';
import type { Sink } from '../../src/sinks/index.ts';
import { postgresService, stopServices } from '../../test/services/index.ts';
import { eventJson, orderEvent } from '../pipeline/orderEvents.ts';

const settings = {
  records: Number(process.argv[2] ?? 2_000_000),
  runs: Number(process.argv[3] ?? 3),
  partitions: 4,
  recordsPerBatch: 5_000,
  recordsPerTransaction: 50_000,
};

interface Workload {
  readonly name: string;
  readonly table: string;
  readonly columns: Readonly<Record<string, string>>;
}

const raw = { partition: '$partition', offset: '$offset', payload: '$value' };
const workloads: readonly Workload[] = [
  { name: 'raw', table: '(partition int, "offset" bigint, payload text)', columns: raw },
  {
    name: 'raw with key',
    table: '(partition int, "offset" bigint, payload text, PRIMARY KEY (partition, "offset"))',
    columns: raw,
  },
  {
    name: 'parsed',
    table:
      '(id bigint, account text, amount numeric(10,2), quantity int, paid boolean, created timestamptz, currency text, note text)',
    columns: Object.fromEntries(
      ['id', 'account', 'amount', 'quantity', 'paid', 'created', 'currency', 'note'].map((name) => [
        name,
        `$value.${name}`,
      ]),
    ),
  },
];

const { createPostgresSink } =
  await built<typeof import('../../src/sinks/postgres/index.ts')>('sinks/postgres/index.js');
const { chunkOf } = await built<typeof import('../../src/kafka/records/index.ts')>('kafka/records/index.js');
const { encodeRecordBatch } = await built<typeof import('../../src/testkit/index.ts')>('testkit/index.js');
const { systemClock } = await built<typeof import('../../src/platform/index.ts')>('platform/index.js');
const { OffsetRange } = await built<typeof import('../../src/model/index.ts')>('model/index.js');

const postgres = await postgresService({ say: () => {} });
const database = await postgres.createDatabase('bench_copy');
const folder = mkdtempSync(join(tmpdir(), 'tidemark-bench-'));
const client = new Client({ connectionString: database.url });
await client.connect();
const chunks = Array.from({ length: settings.partitions }, (_, partition) => chunksOf(partition));
const server = (await client.query<{ server_version: string }>('SHOW server_version')).rows[0]?.server_version;
const results = [];
for (const workload of workloads) results.push(await measure(workload));
await client.end();
await database.drop();
rmSync(folder, { recursive: true });
await stopServices();
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, memoryBytes: totalmem() };
const versions = {
  node: process.version,
  postgres: server,
  psql: execFileSync('psql', ['--version']).toString().trim(),
};
console.log(JSON.stringify({ benchmark: 'copy', machine, versions, settings, workloads: results }, undefined, 2));

async function built<T>(path: string): Promise<T> {
  return (await import(new URL(`../../dist/${path}`, import.meta.url).href)) as T;
}

/** All records of a partition, in chunks of one transaction each. */
function chunksOf(partition: number): RecordChunk[] {
  const count = settings.records / settings.partitions;
  const made: RecordChunk[] = [];
  for (let from = 0; from < count; from += settings.recordsPerTransaction) {
    const until = Math.min(from + settings.recordsPerTransaction, count);
    const batches: Buffer[] = [];
    for (let base = from; base < until; base += settings.recordsPerBatch) {
      const records = Array.from({ length: Math.min(settings.recordsPerBatch, until - base) }, (_, index) => ({
        value: eventJson(orderEvent((base + index) * settings.partitions + partition)),
      }));
      batches.push(encodeRecordBatch({ baseOffset: BigInt(base), records }));
    }
    const chunk = chunkOf({
      topic: 'orders',
      partition,
      bytes: Buffer.concat(batches),
      fromOffset: BigInt(from),
      abortedTransactions: [],
      batchBytesMax: 1 << 27,
    });
    if (chunk !== undefined) made.push(chunk);
  }
  return made;
}

async function measure(workload: Workload) {
  const files = { text: join(folder, 'rows.text'), binary: join(folder, 'rows.binary') };
  const times: Record<string, number[]> = { ours1: [], ours2: [], text: [], binary: [] };
  const cpu: number[] = [];
  for (let run = 0; run < settings.runs; run++) {
    for (const connections of [1, 2]) {
      await client.query(`DROP TABLE IF EXISTS target; CREATE TABLE target ${workload.table}`);
      const { seconds, cpuSeconds } = await ours(workload, connections);
      times[`ours${connections}`]?.push(seconds);
      if (connections === 1) cpu.push(cpuSeconds);
    }
    if (run === 0) {
      for (const format of ['text', 'binary'] as const) {
        psql(`\\copy target to '${files[format]}' with (format ${format})`);
      }
    }
    for (const format of ['text', 'binary'] as const) {
      await client.query(`DROP TABLE target; CREATE TABLE target ${workload.table}`);
      await client.query('CHECKPOINT');
      const start = performance.now();
      psql(`\\copy target from '${files[format]}' with (format ${format})`);
      times[format]?.push((performance.now() - start) / 1000);
    }
  }
  const seconds = Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)]));
  const best = Math.min(seconds.ours1 ?? 0, seconds.ours2 ?? 0);
  return {
    name: workload.name,
    seconds,
    rowsPerSecond: Math.round(settings.records / best),
    toText: ratio((seconds.text ?? 0) / best),
    toBinary: ratio((seconds.binary ?? 0) / best),
    cpuSecondsPerMillion: ratio((median(cpu) * 1e6) / settings.records),
    spread: times,
  };
}

function psql(command: string): void {
  execFileSync('psql', ['-X', '-q', '-d', database.url, '-c', command]);
}

async function ours(workload: Workload, connections: number): Promise<{ seconds: number; cpuSeconds: number }> {
  const pipeline = `bench-${workload.name}`;
  const sink = createPostgresSink(
    {
      type: 'postgres',
      connectionString: database.url,
      table: 'target',
      mode: 'insert',
      columns: workload.columns,
      createTable: false,
      ledgerSchema: `tidemark_${connections}`,
      connections,
      lockTimeoutMs: 5_000,
      commitTimeoutMs: 60_000,
    },
    { pipeline, instanceId: 'bench', clock: systemClock },
  );
  await client.query(`DROP SCHEMA IF EXISTS tidemark_${connections} CASCADE`);
  await sink.store.open();
  await sink.store.registerOwner({ instanceId: 'bench', host: 'bench', bootId: '', pid: process.pid });
  await sink.open({ hasTransform: false });
  const held = await claim(sink);
  await client.query('CHECKPOINT');
  const start = performance.now();
  const before = process.cpuUsage();
  await Promise.all(chunks.map((list, partition) => writeAll(sink, list, held[partition] as HeldClaim)));
  const used = process.cpuUsage(before);
  const seconds = (performance.now() - start) / 1000;
  await sink.close();
  await sink.store.close();
  return { seconds, cpuSeconds: (used.user + used.system) / 1e6 };
}

async function claim(sink: Sink): Promise<HeldClaim[]> {
  const partitions = chunks.map((_, partition) => ({ topic: 'orders', partition }));
  await sink.store.initialise(partitions.map((of) => ({ ...of, nextOffset: 0n, topicId: 'bench' })));
  const outcomes = await sink.store.claim(partitions.map((of) => ({ ...of, seenClaim: null })));
  return outcomes.map((outcome) => {
    if (!outcome.claimed) throw new Error('the partition is claimed');
    return outcome.held;
  });
}

async function writeAll(sink: Sink, list: readonly RecordChunk[], held: HeldClaim): Promise<void> {
  for (const chunk of list) {
    const transaction = await sink.begin([chunk]);
    const cursor = chunk.cursor();
    let rows = 0;
    while (cursor.next()) {
      rows += transaction.appendRecord(cursor);
      if (transaction.needsDrain) await transaction.drain();
    }
    await transaction.commitRanges([commitOf(chunk, held, rows)]);
  }
}

function commitOf(chunk: RecordChunk, held: HeldClaim, rows: number): RangeCommit {
  return {
    range: new OffsetRange(chunk.topic, chunk.partition, chunk.fromOffset, chunk.nextOffset),
    held,
    counts: { records: rows, produced: rows, rows, dropped: 0, skipped: 0, deadLettered: 0 },
    leaderEpoch: 0,
    batchTimeMs: Date.now(),
    kind: 'batch',
    reason: null,
  };
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0;
}

function ratio(value: number): number {
  return Number(value.toFixed(3));
}
