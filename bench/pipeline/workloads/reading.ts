import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { reportOf } from '../childProcess.ts';
import type { Environment, FilledTopic } from '../environment.ts';
import { throughput } from '../measures.ts';
import type { Contestant, Workload } from './workload.ts';

const run = promisify(execFile);

/** Our fetcher and cursor against the tool that Kafka itself measures consumers with, and against the clients' own consumers. */
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
    const contestants = [ours, eachBatch(environment, topic, 'kafkajs')];
    const missing: string[] = [];
    const { classPath } = environment.kafka;
    if (classPath === undefined) missing.push('ConsumerPerformance: the broker was not started from local jars');
    else contestants.push(consumerPerformance(environment, classPath, topic.name));
    const problem = await confluentProblem();
    if (problem === undefined) contestants.push(eachBatch(environment, topic, 'confluent'));
    else missing.push(`confluent: ${problem}`);
    return { contestants, missing };
  },
};

/** What keeps the optional client from being a contestant; undefined where it is there. */
async function confluentProblem(): Promise<string | undefined> {
  // In a process of its own, as the contestant would be.
  const library = new URL('../../../dist/kafka/drivers/confluent/library.js', import.meta.url);
  const look = `try { (await import('${library.href}')).loadLibrary() } catch ({ message }) { console.log(message) }`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', look]);
  return stdout === '' ? undefined : stdout.trimEnd();
}

function eachBatch(environment: Environment, topic: FilledTopic, client: 'kafkajs' | 'confluent'): Contestant {
  return {
    name: client,
    title: `${client} eachBatch`,
    isOurs: false,
    measure: async (number) => {
      const { brokers } = environment.kafka;
      const groupId = `${topic.name}-${client}-${number}`;
      const task = { brokers, topic: topic.name, groupId, client, records: topic.records };
      return throughput(await reportOf('readingRival.mjs', task));
    },
  };
}

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
