/** A column's source, or its source with the type that `createTable` gives the column. */
export type ColumnOption = string | { readonly from: string; readonly type: string };

/** The sink `type: postgres`. */
export interface PostgresSinkOptions {
  readonly type: 'postgres';
  readonly connectionString: string;
  /** `schema.table`, read as SQL reads a name. */
  readonly table: string;
  readonly mode: 'insert';
  /**
   * Column to source: `$key $value $headers $topic $partition $offset $timestamp`, `$value.a["b c"][0]` for a place in a
   * value that is JSON, and a name without `$` for a field of the transform's row. A place that is missing, or null, gives
   * null. Default: with a transform each field goes to the column of its name, without one the columns named as
   * the parts of a record take these.
   */
  readonly columns?: Readonly<Record<string, ColumnOption>> | undefined;
  /** Create the table when it is missing; places in JSON and fields of rows then need a type. */
  readonly createTable: boolean;
  /** Schema of the ledger, in the same database. */
  readonly ledgerSchema: string;
  /** Write connections: transactions open at once. */
  readonly connections: number;
  /** Longest wait for a lock of the target. */
  readonly lockTimeoutMs: number;
  /** Longest wait for the answer of a commit, or for the server to take more data. */
  readonly commitTimeoutMs: number;
}
