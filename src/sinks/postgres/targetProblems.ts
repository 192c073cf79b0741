import { type ErrorCode, TidemarkError } from '../../errors.ts';
import type { TargetTable } from './target.ts';

/** One thing that is wrong between the options and the table. */
export interface Problem {
  readonly code: ErrorCode;
  readonly text: string;
  readonly hint?: string;
  /** Of the option it is about. */
  readonly path?: string;
}

/** Tables a commit does not make durable, or rows cannot be copied into. */
export function tableProblems(table: TargetTable): Problem[] {
  const problems: Problem[] = [];
  for (const [index, relation] of table.relations.entries()) {
    const subject = index === 0 ? table.name : `${relation.name}, a partition of ${table.name},`;
    const unsuitable = (what: string, hint: string) =>
      problems.push({ code: 'SINK_TABLE_UNSUITABLE', text: `${subject} ${what}`, hint, path: 'sink.table' });
    if (relation.persistence === 'u') {
      unsuitable(
        'is unlogged: a crash of the server empties it while the ledger says its rows are there',
        `ALTER TABLE ${relation.name} SET LOGGED.`,
      );
    } else if (relation.persistence === 't') {
      unsuitable('is temporary: its rows end with the session', 'Name a permanent table.');
    } else if (relation.kind === 'f') {
      unsuitable(
        'is a foreign table: its rows are not in the transaction of the ledger',
        'Name a table of the database that holds the ledger.',
      );
    } else if (relation.kind !== 'r' && relation.kind !== 'p') {
      unsuitable(`is ${kindNames.get(relation.kind) ?? 'no table'}`, 'Name an ordinary or a partitioned table.');
    }
  }
  if (table.hasRowSecurity) {
    problems.push({
      code: 'SINK_TABLE_UNSUITABLE',
      text: `${table.name} has row-level security that applies to this role, with which PostgreSQL refuses COPY`,
      hint: 'Connect as a role with BYPASSRLS or as the owner.',
      path: 'sink.table',
    });
  }
  return problems;
}

const kindNames: ReadonlyMap<string, string> = new Map([
  ['v', 'a view'],
  ['m', 'a materialized view'],
  ['S', 'a sequence'],
  ['i', 'an index'],
  ['c', 'a composite type'],
]);

/** All problems in one error, under the code of the first. */
export function problemsError(problems: readonly Problem[]): TidemarkError {
  const [first] = problems;
  if (first === undefined) throw new TidemarkError('INVARIANT_BROKEN', 'No problem to report');
  const message =
    problems.length === 1
      ? `The sink cannot start: ${first.text}`
      : `The sink cannot start:\n${problems.map(({ text }) => `- ${text}`).join('\n')}`;
  const hints = [...new Set(problems.map(({ hint }) => hint).filter((hint) => hint !== undefined))];
  return new TidemarkError(first.code, message, {
    ...(first.path === undefined ? {} : { path: first.path }),
    ...(hints.length === 0 ? {} : { hint: hints.join(' ') }),
  });
}
