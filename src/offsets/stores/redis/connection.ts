import type { Cluster, Redis } from 'ioredis';
import { TidemarkError } from '../../../errors.ts';
import { type Clock, unlessAborted, withDeadline } from '../../../platform/index.ts';
import type { RedisAddress } from './address.ts';
import { classifyRedisError } from './failures.ts';

export type RedisClient = Redis | Cluster;

export interface ConnectionOptions {
  readonly address: RedisAddress;
  /** Shown by CLIENT LIST. */
  readonly connectionName: string;
  readonly clock: Clock;
  /** Longest wait until the server has let us in. */
  readonly deadlineMs: number;
  /** Aborted when nobody wants the connection any more. */
  readonly signal: AbortSignal;
}

/**
 * A connected client that never connects again by itself and never sends a command twice: what became of a command whose connection
 * was lost is for the caller to decide. No error quotes the URL.
 */
export async function openConnection(options: ConnectionOptions): Promise<RedisClient> {
  const { address, clock, deadlineMs, signal } = options;
  const client = await newClient(options);
  let trouble: unknown;
  const ended = new Promise<never>((_, reject) => {
    // The first error says why; that the connection is closed comes after it.
    const remember = (error: unknown) => {
      trouble ??= error;
    };
    client.on('error', remember);
    client.on('node error', remember);
    client.once('end', () => reject(trouble ?? new Error('the connection ended')));
  });
  ended.catch(() => {});
  const late = () =>
    new TidemarkError('STORE_UNREACHABLE', `No answer within ${deadlineMs} ms${because(trouble)}`, { retriable: true });
  try {
    await unlessAborted(withDeadline(Promise.race([enter(client, address), ended]), deadlineMs, clock, late), signal);
    return client;
  } catch (error) {
    client.disconnect();
    throw classifyRedisError(signal.aborted ? error : (trouble ?? error), `${address.name} cannot be reached`);
  }
}

/** The client would stay in database 0, with no more than an event, where the server has no such database. */
async function enter(client: RedisClient, { db }: RedisAddress): Promise<void> {
  await client.connect();
  if (db > 0) await client.select(db);
}

function because(trouble: unknown): string {
  return trouble instanceof Error ? ` (${trouble.message})` : '';
}

async function newClient({ address, connectionName, deadlineMs }: ConnectionOptions): Promise<RedisClient> {
  const { Cluster, Redis } = await import('ioredis');
  const { kind, hosts, username, password, tls, db } = address;
  const common = {
    connectionName,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
    protocol: 2,
    connectTimeout: deadlineMs,
    lazyConnect: true,
    autoResendUnfulfilledCommands: false,
    // The ready check asks INFO, which not every user may; behind sentinels it sees whether this still is the master.
    enableReadyCheck: kind === 'sentinel',
  } as const;
  if (kind === 'cluster') {
    return new Cluster([...hosts], {
      redisOptions: common,
      lazyConnect: true,
      enableOfflineQueue: false,
      slotsRefreshTimeout: deadlineMs,
      clusterRetryStrategy: () => null,
      // It would send a command again whose connection was lost.
      retryDelayOnFailover: 0,
    });
  }
  const once = { ...common, db, enableOfflineQueue: false, retryStrategy: () => null } as const;
  if (kind === 'single') return new Redis({ ...once, ...hosts[0] });
  return new Redis({
    ...once,
    sentinels: [...hosts],
    name: address.masterName ?? '',
    sentinelRetryStrategy: () => null,
    ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
  });
}

/** The servers that have keys: all masters of a cluster, or the one. */
export function mastersOf(client: RedisClient): readonly Redis[] {
  return 'nodes' in client ? client.nodes('master') : [client];
}
