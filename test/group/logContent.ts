import type { KafkaService } from '../services/index.ts';

/** Committed records of a partition in the order of the log, as parallel lists. */
export interface LogContent {
  readonly offsets: number[];
  readonly values: string[];
}

/** Of a run of the tool: what it writes becomes one text. */
const recordsAtOnceMax = 3_000_000;
const readersMax = 3;

/**
 * What Kafka's own consumer finds in a topic under read committed: the truth about producers whose brokers were killed, by
 * code that is not ours. By number of the partition. A reader that waited `idleMs` for nothing has seen everything.
 */
export async function readLog(
  kafka: KafkaService,
  topic: string,
  partitions: number,
  { expectedRecords, idleMs }: { readonly expectedRecords: number; readonly idleMs: number },
): Promise<readonly LogContent[]> {
  const contents = Array.from({ length: partitions }, (): LogContent => ({ offsets: [], values: [] }));
  const options = [
    ...['--bootstrap-server', kafka.brokers.join(','), '--topic', topic, '--isolation-level', 'read_committed'],
    ...['--timeout-ms', String(idleMs)],
    ...['print.partition', 'print.offset'].flatMap((name) => ['--formatter-property', `${name}=true`]),
  ];
  const read = async (which: readonly string[]) => {
    const text = await kafka.runTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [...options, ...which]);
    for (const line of text.split('\n')) {
      const match = /^Partition:(\d+)\tOffset:(\d+)\t(.*)$/.exec(line);
      if (match === null) continue;
      const content = contents[Number(match[1])];
      content?.offsets.push(Number(match[2]));
      content?.values.push(match[3] ?? '');
    }
  };
  if (expectedRecords <= recordsAtOnceMax) {
    await read(['--from-beginning']);
    return contents;
  }
  const waiting = contents.map((_, partition) => partition);
  const readers = Array.from({ length: readersMax }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await read(['--partition', String(next), '--offset', 'earliest']);
    }
  });
  await Promise.all(readers);
  return contents;
}
