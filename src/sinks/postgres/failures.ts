import { type ErrorCode, TidemarkError } from '../../errors.ts';
import { partitionName } from '../../model/index.ts';
import { isServerError, type ServerError } from './connection/exchange.ts';
import type { RecordAddress } from './rowMap.ts';

/**
 * SQLSTATE classes after which the same rows can pass later without anyone changing them (PostgreSQL's manual, appendix A):
 * connection, rollback (deadlock, serialization), resources, operator intervention, system error.
 */
const retriableClasses: ReadonlySet<string> = new Set(['08', '40', '53', '57', '58']);
/** Lock not available; a table in use by a command that is under way; a server that takes no writes (now: it may be promoted). */
const retriableStates: ReadonlySet<string> = new Set(['55P03', '55006', '25006']);
/** The rows themselves are to blame: data, constraints, a trigger's exception, a view's check, a limit such as an index entry's size. */
const refusalClasses: ReadonlySet<string> = new Set(['22', '23', 'P0', '44', '54']);

const codesByState: ReadonlyMap<string, ErrorCode> = new Map([
  ['42P01', 'SINK_TABLE_MISSING'],
  ['3F000', 'SINK_TABLE_MISSING'],
  ['42703', 'SINK_COLUMN_MISSING'],
  ['42501', 'SINK_TABLE_UNSUITABLE'],
  ['42804', 'SINK_COLUMN_TYPE'],
  // Bytes of one type in a column of another: the table was altered since the sink looked.
  ['22P03', 'SINK_COLUMN_TYPE'],
  ['22P04', 'SINK_COLUMN_TYPE'],
  ['08P01', 'SINK_COLUMN_TYPE'],
]);

export interface FailureContext {
  /** For messages. */
  readonly table: string;
  /** The record that row `line` of the failed COPY, counted from 1, came from. */
  readonly recordOfLine: (line: number) => RecordAddress | undefined;
}

export const transactionHint =
  'Leave BEGIN, COMMIT and ROLLBACK to the sink; SAVEPOINT and ROLLBACK TO are free to use.';

const alteredHint =
  'The table is not what it was when the pipeline started: restart the pipeline, which checks it again.';

/** The columns have other types than those the rows were written in. */
export function typesChanged(table: string, cause: Error): TidemarkError {
  return new TidemarkError('SINK_COLUMN_TYPE', `Columns of ${table} changed their types under the pipeline`, {
    cause,
    hint: alteredHint,
  });
}

/** The transaction is not the one that was begun: somebody rolled that one back. (A COMMIT would have been noticed.) */
export function transactionGone(cause?: Error): TidemarkError {
  return new TidemarkError(
    'SINK_TRANSACTION_ENDED',
    'The transaction was ended before its commit; nothing of the range is committed by tidemark',
    {
      hint: transactionHint,
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

/** The connection was lost at a time when nothing can have been committed. */
export function connectionLost(cause: Error): TidemarkError {
  return new TidemarkError(
    'SINK_UNREACHABLE',
    `The connection to the database was lost before the commit was sent: ${cause.message}`,
    { retriable: true, cause, ...(isServerError(cause) ? { foreignCode: cause.code } : {}) },
  );
}

/** What the server said against the rows of a transaction, of which nothing is committed. */
export function rowsFailure(error: Error, context: FailureContext): TidemarkError {
  if (!isServerError(error)) return connectionLost(error);
  const state = error.code;
  const stateClass = state.slice(0, 2);
  const known = codesByState.get(state);
  if (known === undefined && (retriableClasses.has(stateClass) || retriableStates.has(state))) {
    return new TidemarkError('SINK_REQUEST_FAILED', `${context.table}: ${error.message} (${state})`, {
      retriable: true,
      foreignCode: state,
      cause: error,
    });
  }
  if (known === undefined && refusalClasses.has(stateClass)) return refusal(error, context);
  return new TidemarkError(known ?? 'SINK_REQUEST_FAILED', `${context.table}: ${error.message} (${state})`, {
    foreignCode: state,
    cause: error,
    hint: known === undefined ? (error.hint ?? 'Look into the log of the database.') : alteredHint,
  });
}

function refusal(error: ServerError, context: FailureContext): TidemarkError {
  const { line, column } = copyPlace(error.where);
  const record = line === undefined ? undefined : context.recordOfLine(line);
  const place = column ?? error.column;
  const target = place === undefined ? context.table : `${context.table}.${place}`;
  const detail = error.detail === undefined ? '' : ` ${error.detail}`;
  const reason = `${error.message} (${error.code}).${constraintOf(error)}${detail}`;
  const subject =
    record === undefined
      ? `The database refused the rows for ${target}`
      : `The database refused the record of ${partitionName(record)} at offset ${record.offset} for ${target}`;
  return new TidemarkError('SINK_REFUSED', `${subject}: ${reason}`, {
    ...record,
    foreignCode: error.code,
    cause: error,
    ...(place === undefined ? {} : { path: place }),
    hint:
      record === undefined
        ? 'Correct the rows or the constraint. Which record it was the database does not say: look for the values it names, or run with batch.maxRecordsPerPartition: 1, then the partition parks at that record.'
        : 'Correct the record or the constraint, or let onError.record: skip pass such records over.',
  });
}

/** The names that the server gives beside its message, where that does not hold them already: a trigger's RAISE need not. */
function constraintOf({
  message,
  constraint,
  schema,
  table,
}: ServerError & { schema?: string; table?: string }): string {
  const named = constraint === undefined || message.includes(`"${constraint}"`) ? [] : [`Constraint ${constraint}`];
  const at =
    table === undefined || message.includes(`"${table}"`) ? [] : [`table ${schema ? `${schema}.` : ''}${table}`];
  const names = [...named, ...at].join(' of ');
  return names === '' ? '' : ` ${names.charAt(0).toUpperCase()}${names.slice(1)}.`;
}

/**
 * Line and column out of an error's context: `COPY orders, line 17, column amount: "x"`. The words between are in the
 * server's language, so the numbers are found by their place. Functions of triggers come before it, on lines of their own.
 */
export function copyPlace(where: string | undefined): { readonly line?: number; readonly column?: string } {
  const copyLine = where?.split('\n').find((text) => text.startsWith('COPY '));
  const match = copyLine === undefined ? null : /^COPY .*?, \D*?(\d+)(?:, \S+ ([^:]+?))?(?::|$)/.exec(copyLine);
  if (match === null) return {};
  const [, line, column] = match;
  return { line: Number(line), ...(column === undefined ? {} : { column: column.trim() }) };
}
