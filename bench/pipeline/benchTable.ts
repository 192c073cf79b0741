import type { Environment } from './environment.ts';

/** What a column is called, its type, and where the pipeline's sink takes it from. */
export type TableColumns = readonly (readonly [name: string, type: string, source: string])[];

export const rawColumns: TableColumns = [
  ['partition', 'int NOT NULL', '$partition'],
  ['offset', 'bigint NOT NULL', '$offset'],
  ['payload', 'text', '$value'],
];

export const parsedColumns: TableColumns = [
  ['id', 'bigint', '$value.id'],
  ['account', 'text', '$value.account'],
  ['amount', 'numeric(12,2)', '$value.amount'],
  ['quantity', 'int', '$value.quantity'],
  ['paid', 'boolean', '$value.paid'],
  ['created', 'timestamptz', '$value.created'],
  ['currency', 'text', '$value.currency'],
  ['note', 'text', '$value.note'],
];

/** The table that all contestants of a workload write, one after the other, each into the empty table. */
export class BenchTable {
  readonly name: string;
  readonly columns: TableColumns;
  /** Of the key; empty without one. */
  readonly key: readonly string[];
  readonly #environment: Environment;
  #digest: string | undefined;

  constructor(environment: Environment, name: string, columns: TableColumns, key: readonly string[] = []) {
    this.#environment = environment;
    this.name = `public.${name}`;
    this.columns = columns;
    this.key = key;
  }

  async create(): Promise<void> {
    const columns = this.columns.map(([name, type]) => `${quoted(name)} ${type}`);
    if (this.key.length > 0) columns.push(`PRIMARY KEY (${this.key.map(quoted).join(', ')})`);
    await this.#environment.psql.run(`CREATE TABLE ${this.name} (${columns.join(', ')})`);
  }

  /** Before every run: the same start for everyone, and no checkpoint that is somebody else's debt. */
  async empty(): Promise<void> {
    await this.#environment.psql.run(`TRUNCATE ${this.name}`, 'CHECKPOINT');
  }

  /** After every run: a contestant that lost rows has not won. */
  async requireRows(rows: number): Promise<void> {
    const count = await this.#environment.psql.run(`SELECT count(*) FROM ${this.name}`);
    if (Number(count) !== rows) throw new Error(`${this.name} has ${count} rows, expected ${rows}`);
  }

  /** After a first run: every contestant has to write the same rows, in whatever order. */
  async requireSameRows(contestant: string): Promise<void> {
    const digest = await this.#environment.psql.run(
      `SELECT sum(hashtextextended(row_of::text, 0)) FROM ${this.name} AS row_of`,
    );
    this.#digest ??= digest;
    if (digest !== this.#digest) throw new Error(`${contestant} wrote other rows into ${this.name} than the first one`);
  }

  /** `columns` of the pipeline's sink. */
  get sources(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.columns.map(([name, , source]) => [name, source]));
  }
}

export function quoted(name: string): string {
  return `"${name}"`;
}
