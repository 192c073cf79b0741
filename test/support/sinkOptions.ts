import type { PostgresSinkOptions } from '../../src/sinks/postgres/index.ts';

/** Options of the PostgreSQL sink with defaults for tests. */
export function sinkOptions(
  url: string,
  options: Partial<PostgresSinkOptions> & { readonly table: string },
): PostgresSinkOptions {
  return {
    type: 'postgres',
    connectionString: url,
    mode: 'insert',
    createTable: false,
    ledgerSchema: 'tidemark',
    connections: 2,
    lockTimeoutMs: 5000,
    commitTimeoutMs: 30_000,
    ...options,
  };
}
