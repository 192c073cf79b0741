import type { Redis } from 'ioredis';
import { mastersOf, type RedisClient } from './connection.ts';

/** What decides about what survives, as a server tells it; undefined where it does not. */
interface Durability {
  readonly appendOnly: string | undefined;
  readonly evictionPolicy: string | undefined;
}

/**
 * Warnings about servers that may lose the ledger. CONFIG is asked, and where that is forbidden INFO; where both are, nothing is
 * known and nothing said. Never rejects: a connection that is lost here is noticed by the next request.
 */
export async function durabilityWarnings(client: RedisClient, name: string): Promise<readonly string[]> {
  const servers = await Promise.all(mastersOf(client).map(ask));
  const policies = servers.map(({ evictionPolicy }) => evictionPolicy);
  const evicting = policies.find((policy) => policy !== undefined && policy !== 'noeviction');
  const warnings: string[] = [];
  if (servers.some(({ appendOnly }) => appendOnly === 'no')) {
    const consequence = 'a restart may take the newest commits back, and their records are processed again';
    warnings.push(`${name} has no append-only file: ${consequence}. Set "appendonly yes".`);
  }
  if (evicting !== undefined) {
    const consequence = 'it may throw keys of the ledger away when its memory is full';
    warnings.push(`${name} has the maxmemory-policy ${evicting}: ${consequence}. Set "maxmemory-policy noeviction".`);
  }
  return warnings;
}

async function ask(server: Redis): Promise<Durability> {
  const [appendOnly, evictionPolicy] = await Promise.all([
    configOf(server, 'appendonly'),
    configOf(server, 'maxmemory-policy'),
  ]);
  if (appendOnly !== undefined && evictionPolicy !== undefined) return { appendOnly, evictionPolicy };
  const info = await server.info().catch(() => '');
  const told = (field: string) => new RegExp(`^${field}:(\\S*)`, 'm').exec(info)?.[1];
  const isEnabled = told('aof_enabled');
  return {
    appendOnly: appendOnly ?? (isEnabled === undefined ? undefined : isEnabled === '1' ? 'yes' : 'no'),
    evictionPolicy: evictionPolicy ?? told('maxmemory_policy'),
  };
}

async function configOf(server: Redis, name: string): Promise<string | undefined> {
  const answer = await server.config('GET', name).catch(() => undefined);
  return Array.isArray(answer) && typeof answer[1] === 'string' ? answer[1] : undefined;
}
