import { transaction } from './functionSink.ts';

export type {
  TransactionBatch,
  TransactionFunction,
  TransactionOptions,
} from './functionSink.ts';
export type { ColumnOption, PostgresSinkOptions } from './options.ts';
export { createPostgresSink } from './postgresSink.ts';
export type { TransactionClient } from './transactionClient.ts';

/** The function sink: `sink: postgres.transaction(async (batch, client) => { … })`. */
export const postgres = { transaction } as const;
