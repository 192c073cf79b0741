import type { KafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';
import type { Facts, ProducedRecord } from './checker.ts';

/** A topic with what its producers know they wrote. */
export interface Input {
  readonly topic: string;
  /** Grows when a test adds some. */
  partitions: number;
  readonly produced: ProducedRecord[];
}

export interface InputOptions {
  /** Partitions with records; one more, the last, stays empty. */
  readonly filled: number;
  /** Rounds of: plain records, a committed transaction, an aborted transaction, plain records; in every partition. */
  readonly rounds: number;
  /** Records of each of the four steps. */
  readonly recordsPerStep: number;
}

/** Makes a topic whose partitions mix plain records with those of committed and of aborted transactions. */
export async function produceInput(environment: KafkaDriverEnvironment, options: InputOptions): Promise<Input> {
  const partitions = options.filled + 1;
  const topic = await environment.createTopic({ partitions });
  const input: Input = { topic, partitions, produced: [] };
  for (let round = 0; round < options.rounds; round += 1) await appendRound(environment, input, options);
  return input;
}

/** One more round of `produceInput`. */
export async function appendRound(
  environment: KafkaDriverEnvironment,
  input: Input,
  { filled, recordsPerStep }: Pick<InputOptions, 'filled' | 'recordsPerStep'>,
): Promise<void> {
  const partitions = Array.from({ length: filled }, (_, partition) => partition);
  await appendPlain(environment, input, partitions, recordsPerStep);
  await appendTransaction(environment, input, partitions, recordsPerStep, 'committed');
  await appendTransaction(environment, input, partitions, recordsPerStep, 'aborted');
  await appendPlain(environment, input, partitions, recordsPerStep);
}

export async function appendPlain(
  environment: KafkaDriverEnvironment,
  input: Input,
  partitions: readonly number[],
  count: number,
): Promise<void> {
  await Promise.all(
    partitions.map(async (partition) => {
      const records = newRecords(count);
      note(input, partition, await environment.produce(input.topic, partition, records), records, 'committed');
    }),
  );
}

/** `open` leaves the transaction as it is and returns how to end it. */
export async function appendTransaction(
  environment: KafkaDriverEnvironment,
  input: Input,
  partitions: readonly number[],
  count: number,
  fate: ProducedRecord['fate'],
): Promise<{ commit(): Promise<void>; abort(): Promise<void> }> {
  const transaction = await environment.beginTransaction();
  for (const partition of partitions) {
    const records = newRecords(count);
    note(input, partition, await transaction.send(input.topic, partition, records), records, fate);
  }
  if (fate === 'committed') await transaction.commit();
  if (fate === 'aborted') await transaction.abort();
  return transaction;
}

/** Without a transform every record is one row with the bytes of its value. */
export const plainRows: Facts['rowsOf'] = ({ value }) => [value];

/** What the worker's transform `split` does: nothing of every 7th record, two rows of every 5th, else one. */
export const splitRows: Facts['rowsOf'] = ({ value }) => {
  const { n } = JSON.parse(value) as { n: number };
  if (n % 7 === 0) return [];
  return n % 5 === 0 ? [`${n} a`, `${n} b`] : [`${n}`];
};

let counter = 0;

function newRecords(count: number): { key: string; value: string }[] {
  return Array.from({ length: count }, () => {
    counter += 1;
    return { key: `key ${counter % 100}`, value: JSON.stringify({ n: counter, text: `record ${counter}` }) };
  });
}

function note(
  input: Input,
  partition: number,
  baseOffset: bigint,
  records: readonly { readonly value: string }[],
  fate: ProducedRecord['fate'],
): void {
  for (const [index, { value }] of records.entries()) {
    input.produced.push({ partition, offset: baseOffset + BigInt(index), value, fate });
  }
}
