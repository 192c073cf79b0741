/** The services that a test run shares: started by the main process when the first worker asks. */
import { startSharedKafka } from './kafka/index.ts';
import { startSharedPostgres } from './postgres/index.ts';
import { startSharedRedis } from './redis.ts';
import { hostSharedServices } from './shared.ts';

export function hostTestServices(): Promise<{ close(): Promise<void> }> {
  return hostSharedServices({ kafka: startSharedKafka, postgres: startSharedPostgres, redis: startSharedRedis });
}
