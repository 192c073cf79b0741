import { quoteIdentifier } from '../../offsets/stores/postgres/index.ts';
import type { CopyShape } from './mapping/copyShape.ts';
import type { TargetTable } from './target.ts';

/** Value of the setting `tidemark.transaction` while a transaction of ours is open; it ends with the transaction. */
const openMark = 'open';

/** Begins every transaction, whatever the role's defaults are. Nothing of it outlives the transaction (PgBouncer). */
export function beginText(settings: Readonly<Record<string, string | number>>): string {
  const local = Object.entries(settings).map(([name, value]) => `SET LOCAL ${name} = ${value}`);
  const mark = `SET LOCAL tidemark.transaction = ${openMark}`;
  return ['BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE', ...local, mark].join(';');
}

/** The statements of a sink's COPY transactions, each made once. */
export class CopyTexts {
  readonly begin: string;
  readonly #table: TargetTable;
  readonly #copies = new Map<CopyShape, string>();
  readonly #guards = new Map<CopyShape, string>();

  constructor(table: TargetTable, begin: string) {
    this.#table = table;
    this.begin = begin;
  }

  copy(shape: CopyShape): string {
    let text = this.#copies.get(shape);
    if (text === undefined) {
      text = copyText(this.#table.name, shape);
      this.#copies.set(shape, text);
    }
    return text;
  }

  /** For all that the transaction copied; at least that it is a transaction. */
  guards(shapes: readonly CopyShape[]): string {
    if (shapes.length === 0) return transactionGuard;
    return shapes.map((shape) => this.#guard(shape)).join(';');
  }

  #guard(shape: CopyShape): string {
    let text = this.#guards.get(shape);
    if (text === undefined) {
      text = guardText(this.#table, shape);
      this.#guards.set(shape, text);
    }
    return text;
  }
}

function copyText(table: string, shape: CopyShape): string {
  return `COPY ${table} (${shape.columns.map(quoteIdentifier).join(',')}) FROM STDIN (FORMAT ${shape.format})`;
}

/**
 * Ends every transaction: checks, ledger, commit, in one string that the server finishes alone. Constraints are checked
 * before the ledger, so that a violation is known as one of the rows. `ledger` undefined: it is elsewhere.
 */
export function endText(guard: string, ledger: string | undefined): string {
  const steps = [guard, 'SET CONSTRAINTS ALL IMMEDIATE', ledger, 'COMMIT'];
  return steps.filter((step) => step !== undefined).join(';');
}

/**
 * A statement that fails unless it runs in the transaction `beginText` began, and, for binary COPY, unless the columns
 * still have the types the rows were written in.
 *
 * The string with COMMIT is sent without waiting for the answers to what was sent before. Should BEGIN itself have failed (a
 * server in recovery), that string would otherwise run on its own: a ledger without rows. Types: the bytes of a bigint are
 * a valid double precision, so a column altered under us would take them without a word. COPY holds a lock that keeps
 * the types from changing once it has begun.
 */
function guardText(table: TargetTable, shape: CopyShape): string {
  if (shape.format !== 'binary') return transactionGuard;
  const changed = table.columns
    .filter((column) => shape.columns.includes(column.name))
    .map((column) => `pg_typeof((NULL::${table.name}).${quoteIdentifier(column.name)}) <> ${column.typeOid}`);
  // The text is no integer: the cast is what fails.
  return `SELECT (CASE WHEN ${isNotOurs} THEN '${guardMarks.transaction}' WHEN ${changed.join(' OR ')} THEN '${guardMarks.types}' ELSE '0' END)::int`;
}

/** What the guard's error quotes. */
export const guardMarks = {
  transaction: 'tidemark: not in the transaction',
  types: 'tidemark: column types changed',
} as const;

const isNotOurs = `current_setting('tidemark.transaction', true) IS DISTINCT FROM '${openMark}'`;

/** The guard of a transaction without binary rows. */
export const transactionGuard = `SELECT (CASE WHEN ${isNotOurs} THEN '${guardMarks.transaction}' ELSE '0' END)::int`;
