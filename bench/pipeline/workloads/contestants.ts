import type { BenchTable } from '../benchTable.ts';
import { quoted } from '../benchTable.ts';
import { type ChildReport, reportOf } from '../childProcess.ts';
import type { Environment } from '../environment.ts';
import { type Measures, throughput } from '../measures.ts';
import type { Contestant } from './workload.ts';

const rivalRowsPerInsert = 1_000;
let pipelines = 0;

/** Options that nobody has used before: a pipeline of its own name begins at the first offset. */
export function pipelineOptions(
  environment: Environment,
  table: BenchTable,
  topic: string,
  source: Readonly<Record<string, unknown>> = {},
) {
  pipelines += 1;
  return {
    pipeline: `bench-${pipelines}`,
    kafka: { brokers: environment.kafka.brokers },
    source: { topics: [topic], ...source },
    sink: {
      type: 'postgres',
      connectionString: environment.databaseUrl,
      table: table.name,
      columns: table.sources,
    },
  };
}

/** tidemark in receiver mode with its default options: through a log in a fresh directory, on the disk of the bench. */
export function tidemarkReceiving(environment: Environment, table: BenchTable): Contestant {
  const title = 'tidemark, receiver mode';
  return {
    name: 'receiver',
    title,
    isOurs: false,
    measure: inEmptyTable(environment, table, title, async () => {
      const topic = await environment.filledTopic();
      const wal = { dir: environment.freshFolder() };
      const options = { ...pipelineOptions(environment, table, topic.name, { mode: 'receiver' }), wal };
      return reportOf('pipeline.mjs', { options, until: 'end' });
    }),
  };
}

/** tidemark with its default options, or with some of `batch` changed. */
export function tidemark(
  environment: Environment,
  table: BenchTable,
  variant: {
    readonly name?: string;
    readonly title?: string;
    readonly batch?: Readonly<Record<string, unknown>>;
    /** The offsets are committed behind the rows and not with them. */
    readonly isLedgerOutside?: boolean;
  } = {},
): Contestant {
  const { name = 'tidemark', title = 'tidemark, exactly-once', batch = {}, isLedgerOutside = false } = variant;
  return {
    name,
    title,
    isOurs: !isLedgerOutside,
    measure: inEmptyTable(environment, table, title, async () => {
      const topic = await environment.filledTopic();
      const delivery = isLedgerOutside ? 'at-least-once' : 'exactly-once';
      const options = { ...pipelineOptions(environment, table, topic.name), delivery, batch };
      return reportOf('pipeline.mjs', { options, until: 'end', isLedgerOutside });
    }),
  };
}

/** psql's `\copy` of a prepared file. */
export function copyFile(
  environment: Environment,
  table: BenchTable,
  format: 'text' | 'binary',
  file: () => Promise<string>,
): Contestant {
  const title = `psql \\copy, ${format}`;
  return {
    name: format === 'text' ? 'copyText' : 'copyBinary',
    title,
    isOurs: false,
    measure: inEmptyTable(environment, table, title, async () => {
      const command = `\\copy ${table.name} FROM '${await file()}' (FORMAT ${format})`;
      return { records: environment.settings.records, seconds: await environment.psql.secondsOf(command) };
    }),
  };
}

/** kafkajs and INSERT. */
export function rival(environment: Environment, table: BenchTable, isParsed: boolean): Contestant {
  const title = `kafkajs eachBatch, INSERT of ${rivalRowsPerInsert} rows`;
  return {
    name: 'rival',
    title,
    isOurs: false,
    measure: inEmptyTable(environment, table, title, async (run) => {
      const topic = await environment.filledTopic();
      return reportOf('rival.mjs', {
        brokers: environment.kafka.brokers,
        topic: topic.name,
        groupId: `${topic.name}-${table.name}-rival-${run}`,
        databaseUrl: environment.databaseUrl,
        insert: `INSERT INTO ${table.name} (${table.columns.map(([column]) => quoted(column))})`,
        conflict: table.key.length > 0 ? 'ON CONFLICT DO NOTHING' : '',
        isParsed,
        rowsPerInsert: rivalRowsPerInsert,
        records: topic.records,
      });
    }),
  };
}

export type Run = Pick<ChildReport, 'records' | 'seconds'> & Partial<ChildReport>;

/** A contestant's run: into the empty table, and afterwards all rows have to be there. */
export function inEmptyTable(
  environment: Environment,
  table: BenchTable,
  title: string,
  run: (run: number) => Promise<Run>,
): Contestant['measure'] {
  return async (number): Promise<Measures> => {
    await table.empty();
    const report = await run(number);
    await table.requireRows(environment.settings.records);
    if (number === 0) await table.requireSameRows(title);
    return throughput(report);
  };
}
