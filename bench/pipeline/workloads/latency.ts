import { BenchTable, rawColumns } from '../benchTable.ts';
import { BenchChild, type ChildReport, type CommitSeen } from '../childProcess.ts';
import type { Environment } from '../environment.ts';
import { type Measures, percentile } from '../measures.ts';
import { eventJson, orderEvent } from '../orderEvents.ts';
import { pipelineOptions } from './contestants.ts';
import type { Contestant, Workload } from './workload.ts';

const distinctValues = 100;

/** A steady stream: from the producer's call of send to the moment the pipeline knows that the record is committed. */
export const latency: Workload = {
  name: 'latency',
  title: 'latency, send to commit',
  open: async (environment) => {
    const table = new BenchTable(environment, 'latency', rawColumns);
    await table.create();
    return {
      contestants: [
        latencyOf(environment, table, 'defaultLinger', 'default linger', {}),
        latencyOf(environment, table, 'noLinger', 'lingerMs: 0', { lingerMs: 0 }),
      ],
    };
  },
};

function latencyOf(
  environment: Environment,
  table: BenchTable,
  name: string,
  title: string,
  batch: Readonly<Record<string, number>>,
): Contestant {
  return {
    name,
    title: `tidemark, ${title}`,
    isOurs: true,
    measure: async () => {
      await table.empty();
      return streamOnce(environment, table, batch);
    },
  };
}

type Send = readonly [partition: number, baseOffset: number, count: number, sentMs: number, answeredMs: number];

async function streamOnce(
  environment: Environment,
  table: BenchTable,
  batch: Readonly<Record<string, number>>,
): Promise<Measures> {
  const { settings, kafka } = environment;
  const topic = await environment.emptyTopic();
  const options = { ...pipelineOptions(environment, table, topic), batch };
  const pipeline = new BenchChild('pipeline.mjs', { options, until: 'stopped', tellsCommits: true });
  try {
    await pipeline.message('running');
    const producer = new BenchChild('producer.mjs', {
      brokers: kafka.brokers,
      topic,
      partitions: settings.partitions,
      recordsPerSecond: settings.recordsPerSecond,
      seconds: settings.warmUpSeconds + settings.latencySeconds,
      values: Array.from({ length: distinctValues }, (_, index) => eventJson(orderEvent(index))),
    });
    const { sends } = await producer.message<{ sends: Send[] }>('report');
    await producer.end();
    pipeline.tell('stop');
    const report = await pipeline.message<ChildReport & { commits: CommitSeen[] }>('report');
    await pipeline.end();
    await table.requireRows(sends.reduce((sum, [, , count]) => sum + count, 0));
    const counted = afterWarmUp(sends, settings.warmUpSeconds * 1_000);
    const latencies = latenciesOf(counted, report.commits);
    return {
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      maxMs: percentile(latencies, 1),
      producerP50Ms: percentile(
        Float64Array.from(counted, ([, , , sentMs, answeredMs]) => answeredMs - sentMs).sort(),
        0.5,
      ),
      cpuShare: report.cpuSeconds / report.seconds,
      peakRssMiB: report.peakRssBytes / 1_048_576,
      startUpMs: report.startUpMs,
    };
  } finally {
    pipeline.kill();
  }
}

function afterWarmUp(sends: readonly Send[], warmUpMs: number): readonly Send[] {
  const firstMs = sends.reduce((least, [, , , sentMs]) => Math.min(least, sentMs), Number.POSITIVE_INFINITY);
  return sends.filter(([, , , sentMs]) => sentMs - firstMs >= warmUpMs);
}

/** One for each record, rising. */
function latenciesOf(sends: readonly Send[], commits: readonly CommitSeen[]): Float64Array {
  const latencies: number[] = [];
  for (const partition of new Set(sends.map(([of]) => of))) {
    // Both rise with the offset, so one walk over the commits finds that of every record.
    const inOrder = sends.filter(([of]) => of === partition).sort((a, b) => a[1] - b[1]);
    const ends = commits.filter(([of]) => of === partition);
    let next = 0;
    for (const [, baseOffset, count, sentMs] of inOrder) {
      for (let offset = baseOffset; offset < baseOffset + count; offset++) {
        while ((ends[next]?.[2] ?? Number.POSITIVE_INFINITY) <= offset) next += 1;
        const committedMs = ends[next]?.[3];
        if (committedMs === undefined) throw new Error(`no commit of ${partition}/${offset} was seen`);
        latencies.push(committedMs - sentMs);
      }
    }
  }
  return Float64Array.from(latencies).sort();
}
