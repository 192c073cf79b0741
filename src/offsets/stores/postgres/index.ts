export { commitSql } from './commitSql.ts';
export { type ConnectionOptions, destroy, leave, openConnection } from './connection.ts';
export { classifyPgError, type FailureContext, ledgerFailure, ledgerStates } from './failures.ts';
export { PostgresPlace, type PostgresPlaceOptions } from './place.ts';
export { PostgresStore, type PostgresStoreOptions } from './postgresStore.ts';
export { quoteIdentifier, quoteLiteral, storable } from './quote.ts';
