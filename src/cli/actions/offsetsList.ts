import { type ListedProgress, listProgress } from '../../operations/index.ts';
import { ageText } from '../ages.ts';
import { csvText } from '../csv.ts';
import { type ExitCode, exitCodes } from '../exitCodes.ts';
import { type CommandContext, jsonLine } from '../host.ts';
import type { RawPlace } from '../placeOptions.ts';
import { placesOf } from '../progress.ts';
import { statesText } from '../states.ts';
import { textTable } from '../table.ts';
import type { OutputForm } from '../usage.ts';

export interface ListCommand {
  readonly file: string | undefined;
  readonly raw: Pick<RawPlace, 'store' | 'schema' | 'brokers'>;
  readonly form: OutputForm;
}

/** Shows what a store and a cluster have. Exit code 1 when one of them could not be looked at. */
export async function listOffsets({ file, raw, form }: ListCommand, context: CommandContext): Promise<ExitCode> {
  const { place, driver } = await placesOf({ file, raw }, context);
  let found: readonly ListedProgress[];
  try {
    await driver?.connect();
    found = await listProgress({ place, driver });
  } finally {
    await driver?.close();
  }
  const { redact } = context;
  if (form === 'json')
    context.out(jsonLine({ lagUnit: 'offsets', progress: found.map((one) => fieldsOf(one, redact)) }));
  else context.out(form === 'csv' ? csvOf(found, redact) : listTable(found));
  const failed = found.filter(({ error }) => error !== undefined);
  for (const { kind, name, error } of form === 'json' ? [] : failed) {
    context.err(`tidemark: ${kind} ${name}: ${redact(error?.message ?? '')} [${error?.code}]\n`);
  }
  return failed.length > 0 ? exitCodes.failed : exitCodes.done;
}

function fieldsOf(one: ListedProgress, redact: (text: string) => string) {
  const { name, kind, topics, partitions, ownersAlive, lag, lastCommitMs, states, error } = one;
  return {
    ...{ name, kind, topics, partitions, ownersAlive, lag },
    ...{ lastCommitMs: lastCommitMs === undefined ? undefined : Math.round(lastCommitMs), states },
    error: error && { code: error.code, message: redact(error.message) },
  };
}

function csvOf(found: readonly ListedProgress[], redact: (text: string) => string): string {
  const head = ['name', 'kind', 'topics', 'partitions', 'ownersAlive', 'lag', 'lastCommitMs', 'states', 'error'];
  const rows = found.map((one) => {
    const { topics, states, error, ...fields } = fieldsOf(one, redact);
    const cells = { ...fields, topics: topics.join(' '), states: statesText(states), error: error?.code };
    return head.map((name) => String((cells as Readonly<Record<string, unknown>>)[name] ?? ''));
  });
  return csvText(head, rows);
}

function listTable(found: readonly ListedProgress[]): string {
  const rows = found.map(({ name, kind, topics, partitions, ownersAlive, lag, lastCommitMs, states, error }) => [
    ...[name, kind, topicsText(topics), String(partitions), String(ownersAlive), String(lag ?? '-')],
    ...[ageText(lastCommitMs), error === undefined ? statesText(states) : error.code],
  ]);
  return textTable(['NAME', 'KIND', 'TOPICS', 'PARTITIONS', 'OWNERS', 'LAG-OFFSETS', 'LAST-COMMIT', 'STATE'], rows);
}

const topicsShown = 3;

function topicsText(topics: readonly string[]): string {
  if (topics.length === 0) return '-';
  const more = topics.length > topicsShown ? `, … ${topics.length - topicsShown} more` : '';
  return `${topics.slice(0, topicsShown).join(', ')}${more}`;
}
