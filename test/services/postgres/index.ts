export { missingForPostgres } from './binaries.ts';
export { answers, type StopMode } from './server.ts';
export {
  type PostgresOptions,
  type PostgresService,
  postgresService,
  startSharedPostgres,
  type TestDatabase,
} from './service.ts';
