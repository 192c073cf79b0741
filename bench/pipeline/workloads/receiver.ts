/** Receiver mode: what the way through the log costs, and what it is worth against a consumer that writes a log itself. */
import { BenchTable, rawColumns } from '../benchTable.ts';
import { reportOf } from '../childProcess.ts';
import type { Environment, FilledTopic } from '../environment.ts';
import { throughput } from '../measures.ts';
import { tidemark, tidemarkReceiving } from './contestants.ts';
import type { Contestant, Workload } from './workload.ts';

export const receiver: Workload = {
  name: 'receiver',
  title: 'receiver mode against direct mode: (partition, offset, payload), no index',
  open: async (environment) => {
    const table = new BenchTable(environment, 'received', rawColumns);
    await table.create();
    await environment.filledTopic();
    return { contestants: [tidemark(environment, table), tidemarkReceiving(environment, table)] };
  },
};

export const receiving: Workload = {
  name: 'receiving',
  title: 'from Kafka into a durable log, offsets of the group committed after',
  open: async (environment) => {
    const topic = await environment.filledTopic();
    return {
      contestants: [
        logging(environment, topic, 'tidemark', 'tidemark, blocks', 'receiving.mjs'),
        logging(environment, topic, 'kafkajs', 'kafkajs eachBatch', 'receivingRival.mjs'),
      ],
    };
  },
};

function logging(
  environment: Environment,
  topic: FilledTopic,
  name: string,
  title: string,
  script: string,
): Contestant {
  return {
    name,
    title,
    isOurs: name === 'tidemark',
    measure: async (number) => {
      const { brokers } = environment.kafka;
      const task = { brokers, topic: topic.name, records: topic.records, dir: environment.freshFolder() };
      const report = await reportOf(script, { ...task, groupId: `${topic.name}-${name}-logged-${number}` });
      if (report.records !== topic.records)
        throw new Error(`${report.records} of ${topic.records} records are in the log`);
      return throughput(report);
    },
  };
}
