/**
 * How fast record batches are scanned and walked, by the built code in dist/ (`npm run build` first):
 * node --import jiti/register bench/micro/decode.ts
 *
 * Prints JSON: for each case records per second (median, least and most of the runs) and CPU seconds per million records.
 */
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

type Records = typeof import('../../src/kafka/records/index.ts');
type Testkit = typeof import('../../src/testkit/index.ts');

const settings = { recordBytes: 183, recordsPerRun: 800_000, runs: 9, warmUpRuns: 2 };

interface Case {
  readonly name: string;
  readonly bytes: Buffer;
  readonly fromOffset: bigint;
  readonly use: 'scan' | 'walk' | 'objects';
}

interface Figures {
  readonly name: string;
  readonly bytes: number;
  readonly recordsPerSecond: { readonly median: number; readonly min: number; readonly max: number };
  readonly cpuSecondsPerMillion: number;
}

const started = performance.now();
const { chunkOf } = await built<Records>('kafka/records/index.js');
const { encodeRecordBatch } = await built<Testkit>('testkit/index.js');
const cases = [
  made('scan of headers, 5000 records a batch', 'scan', 5_000),
  made('walk, 5000 records a batch', 'walk', 5_000),
  made('walk, 500 records a batch', 'walk', 500),
  made('walk, 10 records a batch', 'walk', 10),
  made('walk, 1 record a batch', 'walk', 1),
  made('record objects and their values, 5000 records a batch', 'objects', 5_000),
  made('gzip, walk, 5000 records a batch', 'walk', 5_000, 'gzip'),
  made('snappy, walk, 5000 records a batch', 'walk', 5_000, 'snappyJava'),
  made('lz4, walk, 5000 records a batch', 'walk', 5_000, 'lz4'),
  zstd(),
];
const startUpMs = Math.round(performance.now() - started);
const figures = cases.map(measure);
const cpu = cpus();
console.log(
  JSON.stringify(
    {
      benchmark: 'decode',
      machine: { cpu: cpu[0]?.model, cores: cpu.length, memoryBytes: totalmem() },
      node: process.version,
      settings,
      startUpMs,
      cases: figures,
    },
    undefined,
    2,
  ),
);

async function built<T>(path: string): Promise<T> {
  return (await import(new URL(`../../dist/${path}`, import.meta.url).href)) as T;
}

function made(
  name: string,
  use: Case['use'],
  recordsPerBatch: number,
  codec: 'none' | 'gzip' | 'snappyJava' | 'lz4' = 'none',
): Case {
  const batches: Buffer[] = [];
  for (let base = 0; base < 20_000; base += recordsPerBatch) {
    const records = Array.from({ length: recordsPerBatch }, (_, index) => recordOf(base + index));
    batches.push(encodeRecordBatch({ baseOffset: BigInt(base), records, codec }));
  }
  return { name, use, bytes: Buffer.concat(batches), fromOffset: 0n };
}

/** An order event of 183 bytes. */
function recordOf(id: number): { timestamp: number; value: string } {
  const amount = ((id * 7_919) % 100_000) / 100;
  const event = `{"id":${id},"account":"acc-${id % 1_000}","amount":${amount},"currency":"EUR","status":"open","note":"`;
  return { timestamp: 1_700_000_000_000 + id, value: `${event.padEnd(settings.recordBytes - 2, 'x')}"}` };
}

/** Node 20 cannot pack zstd: a batch of Kafka's own client, 500 records of 300 bytes. */
function zstd(): Case {
  const fixtures = new URL('../../test/fixtures/recordBatches.json', import.meta.url);
  const batch = (JSON.parse(readFileSync(fixtures, 'utf8')) as Record<string, string>)['large-zstd'] ?? '';
  return {
    name: 'zstd, walk, 500 records of 300 bytes a batch',
    use: 'walk',
    bytes: Buffer.from(batch, 'base64'),
    fromOffset: 5_000_000_000n,
  };
}

function measure({ name, bytes, fromOffset, use }: Case): Figures {
  const read = { topic: 'bench', partition: 0, bytes, fromOffset, abortedTransactions: [], batchBytesMax: 1 << 27 };
  const once = () => {
    const chunk = chunkOf(read);
    if (chunk === undefined) throw new Error(`${name}: no complete batch`);
    if (use === 'scan') return chunk.recordCountMax;
    const cursor = chunk.cursor();
    let count = 0;
    let valueBytes = 0;
    while (cursor.next()) {
      count += 1;
      valueBytes += use === 'walk' ? cursor.valueEnd - cursor.valueStart : (cursor.record().value?.length ?? 0);
    }
    if (valueBytes < count) throw new Error(`${name}: values are missing`);
    return count;
  };
  const rates: number[] = [];
  let cpuMicros = 0;
  let records = 0;
  for (let run = -settings.warmUpRuns; run < settings.runs; run++) {
    const before = process.cpuUsage();
    const start = performance.now();
    let count = 0;
    while (count < settings.recordsPerRun) count += once();
    const seconds = (performance.now() - start) / 1_000;
    const used = process.cpuUsage(before);
    if (run < 0) continue;
    rates.push(Math.round(count / seconds));
    cpuMicros += used.user + used.system;
    records += count;
  }
  rates.sort((a, b) => a - b);
  const [min, median, max] = [rates[0], rates[rates.length >> 1], rates.at(-1)] as [number, number, number];
  const cpuSecondsPerMillion = Number((cpuMicros / records).toFixed(4));
  return { name, bytes: bytes.length, recordsPerSecond: { median, min, max }, cpuSecondsPerMillion };
}
