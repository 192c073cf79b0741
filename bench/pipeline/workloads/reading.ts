import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { reportOf } from '../childProcess.ts';
import type { Environment } from '../environment.ts';
import { throughput } from '../measures.ts';
import type { Contestant, Workload } from './workload.ts';

const run = promisify(execFile);

/** Our fetcher and cursor against the tool that Kafka itself measures consumers with. */
export const reading: Workload = {
  name: 'reading',
  title: 'reading only',
  open: async (environment) => {
    const topic = await environment.filledTopic();
    const ours: Contestant = {
      name: 'tidemark',
      title: 'tidemark, fetcher and cursor',
      isOurs: true,
      measure: async () => {
        const report = await reportOf('reading.mjs', { brokers: environment.kafka.brokers, topic: topic.name });
        if (report.records !== topic.records) throw new Error(`read ${report.records} of ${topic.records} records`);
        return throughput(report);
      },
    };
    const { classPath } = environment.kafka;
    if (classPath === undefined) {
      return { contestants: [ours], missing: ['ConsumerPerformance: the broker was not started from local jars'] };
    }
    return { contestants: [ours, consumerPerformance(environment, classPath, topic.name)] };
  },
};

function consumerPerformance(environment: Environment, classPath: string, topic: string): Contestant {
  const { kafka, settings } = environment;
  return {
    name: 'consumerPerformance',
    title: "Kafka's ConsumerPerformance",
    isOurs: false,
    measure: async (number) => {
      const { stdout } = await run('java', [
        ...settings.toolHeap,
        '-cp',
        classPath,
        'org.apache.kafka.tools.ConsumerPerformance',
        `--bootstrap-server=${kafka.brokers.join(',')}`,
        `--topic=${topic}`,
        `--group=${topic}-performance-${number}`,
        `--num-records=${settings.records}`,
      ]);
      return { recordsPerSecond: fetchedPerSecond(stdout) };
    },
  };
}

/** Of its columns the rate without the time that joining the group took: start-up stands apart for both. */
function fetchedPerSecond(printed: string): number {
  const lines = printed
    .trim()
    .split('\n')
    .map((line) => line.split(',').map((field) => field.trim()));
  const header = lines.findIndex((fields) => fields.includes('fetch.nMsg.sec'));
  const column = lines[header]?.indexOf('fetch.nMsg.sec') ?? -1;
  const rate = Number(lines[header + 1]?.[column]);
  if (!Number.isFinite(rate)) throw new Error(`ConsumerPerformance printed no rate:\n${printed}`);
  return rate;
}
