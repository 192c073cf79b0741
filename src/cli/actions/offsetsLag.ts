import { readPipelineFile, redactor } from '../../config/index.ts';
import { isTidemarkError, TidemarkError } from '../../errors.ts';
import { createDriver } from '../../kafka/index.ts';
import type { StoredOffset } from '../../offsets/index.ts';
import type { PipelineSpec } from '../../pipeline/index.ts';
import { type ExitCode, exitCodeOf, exitCodes } from '../exitCodes.ts';
import { type CommandContext, jsonLine } from '../host.ts';
import { type PartitionLag, partitionLags } from '../lag.ts';
import { textTable } from '../table.ts';
import { usageError } from '../usage.ts';

/** What the command line asks for, validated. */
export interface LagCommand {
  readonly file: string;
  readonly json: boolean;
  readonly topics: readonly string[];
  /** Exit code 5 when a partition lags by more. */
  readonly failOver: bigint | undefined;
}

/** Reads ledger and log, and shows the difference. */
export async function showLag(command: LagCommand, context: CommandContext): Promise<ExitCode> {
  const { spec, secrets } = await readPipelineFile(command.file, context.environment);
  context.hide(redactor(secrets));
  const driver = spec.kafka === undefined ? undefined : await createDriver(spec.kafka);
  let partitions: readonly PartitionLag[];
  try {
    const [stored] = await Promise.all([readLedger(spec), driver?.connect()]);
    partitions = await partitionLags(spec.source, stored, driver, command.topics);
  } finally {
    await driver?.close();
  }
  for (const topic of command.topics) {
    if (!partitions.some((partition) => partition.topic === topic)) {
      throw usageError('--topic', `the pipeline does not read it (${topic})`);
    }
  }
  const exceeded = partitions.filter((partition) => isOver(partition, command.failOver));
  const { redact } = context;
  context.out(command.json ? lagJson(spec.pipeline, partitions, command, exceeded, redact) : lagTable(partitions));
  for (const { topic, partition, lag: offsets } of command.json ? [] : exceeded) {
    context.err(`tidemark: ${topic}-${partition}: lag ${offsets ?? 'unknown'} is over ${command.failOver}\n`);
  }
  return exceeded.length > 0 ? exitCodeOf({ kind: 'checkFailed' }) : exitCodes.done;
}

/** A check that cannot tell must not pass. */
function isOver({ lag: offsets }: PartitionLag, failOver: bigint | undefined): boolean {
  return failOver !== undefined && (offsets === undefined || offsets > failOver);
}

/** Rows of the ledger, none where it was never made. Reads only: looking must not create a schema. */
async function readLedger({ sink, pipeline }: PipelineSpec): Promise<readonly StoredOffset[]> {
  if (!('type' in sink)) {
    throw new TidemarkError('CONFIG_INVALID', 'sink: a sink that brings itself has no ledger to look at from here', {
      path: 'sink',
    });
  }
  const { PostgresStore } = await import('../../offsets/stores/postgres/index.ts');
  const { connectionString, ledgerSchema: schema } = sink;
  const store = new PostgresStore({ connectionString, pipeline, schema });
  try {
    return await store.read();
  } catch (error) {
    // undefined_table and invalid_schema_name: no pipeline ever started with this ledger.
    if (isTidemarkError(error) && (error.foreignCode === '42P01' || error.foreignCode === '3F000')) return [];
    throw error;
  } finally {
    await store.close();
  }
}

function lagTable(partitions: readonly PartitionLag[]): string {
  const rows = partitions.map(({ topic, partition, storedOffset, logEndOffset, lag: offsets, state }) => [
    topic,
    String(partition),
    state,
    String(storedOffset ?? '-'),
    String(logEndOffset ?? '-'),
    String(offsets ?? '-'),
  ]);
  return textTable(['TOPIC', 'PARTITION', 'STATE', 'STORED', 'LOG-END', 'LAG'], rows);
}

function lagJson(
  pipeline: string,
  partitions: readonly PartitionLag[],
  { failOver }: LagCommand,
  exceeded: readonly PartitionLag[],
  redact: (text: string) => string,
): string {
  const totalLag = partitions.reduce((sum, { lag: offsets }) => sum + (offsets ?? 0n), 0n);
  const check = failOver === undefined ? {} : { failOver, exceeded: exceeded.length };
  const shown = partitions.map(({ reason, ...rest }) => ({
    ...rest,
    reason: reason === undefined ? undefined : redact(reason),
  }));
  return jsonLine({ pipeline, partitions: shown, totalLag, ...check });
}
