import pg from 'pg';
import { TidemarkError } from '../../../errors.ts';
import { type Clock, systemClock, withDeadline } from '../../../platform/index.ts';
import { classifyPgError, type FailureContext, storeContext } from './failures.ts';

export interface ConnectionOptions {
  readonly connectionString: string;
  /** Shown in pg_stat_activity; carries the instance id, by which a successor finds the backends of an owner it fenced. */
  readonly applicationName: string;
  /** Longest wait until the server has let us in. Default 10 000. */
  readonly deadlineMs?: number;
  readonly clock?: Clock;
  /** Aborted when nobody wants the connection any more: connecting ends at once. */
  readonly signal?: AbortSignal;
  /** How failures are called. Default: as the offset store's. */
  readonly context?: FailureContext;
}

/** A peer that vanished without a word is noticed by the probes that follow this silence. */
const keepAliveDelayMs = 10_000;
const goodbyeMs = 1000;

/**
 * A connected client. A connection that dies while nobody uses it raises no error in the process: the next query on it fails
 * instead. Rejects with the codes of the context; no message quotes the connection string.
 */
export async function openConnection(options: ConnectionOptions): Promise<pg.Client> {
  const { connectionString, applicationName, deadlineMs = 10_000, clock = systemClock, signal } = options;
  const context = options.context ?? storeContext('The ledger cannot be reached');
  const client = newClient(connectionString, applicationName, context);
  client.on('error', () => {});
  const late = () =>
    new TidemarkError(context.unreachable, `${context.doing}: no answer within ${deadlineMs} ms`, {
      retriable: true,
      hint: 'Check that the server runs and that host and port of the connection string are right.',
    });
  const giveUp = () => destroy(client);
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    signal?.throwIfAborted();
    await withDeadline(client.connect(), deadlineMs, clock, late);
    return client;
  } catch (error) {
    destroy(client);
    throw classifyPgError(error, context);
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

/** Ends a connection in good order, within a second: a server that does not answer the goodbye must not keep us. */
export async function leave(client: pg.Client, clock: Clock): Promise<void> {
  const late = () => new TidemarkError('STORE_UNREACHABLE', 'The goodbye was not answered');
  await withDeadline(client.end(), goodbyeMs, clock, late).catch(() => destroy(client));
}

/** Ends a connection without waiting for the server. */
export function destroy(client: pg.Client): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}

function newClient(connectionString: string, applicationName: string, context: FailureContext): pg.Client {
  try {
    return new pg.Client({
      connectionString: withoutOwnName(connectionString),
      // The server cuts it at 63 bytes.
      application_name: applicationName.slice(0, 63),
      keepAlive: true,
      keepAliveInitialDelayMillis: keepAliveDelayMs,
    });
  } catch {
    // The parser's own message quotes the string, password and all.
    throw new TidemarkError('CONFIG_INVALID', `${context.doing}: the connection string is not a postgres:// URL`, {
      hint: 'Write it as postgres://user:password@host:port/database, special characters of the password as %XX.',
    });
  }
}

/** What the URL sets wins in `pg`, and `application_name` is not a matter of taste here. */
function withoutOwnName(connectionString: string): string {
  const [address = '', query] = connectionString.split(/\?(.*)/s);
  if (query === undefined || !query.includes('application_name')) return connectionString;
  const rest = query.split('&').filter((pair) => !/^(?:fallback_)?application_name=/.test(pair));
  return rest.length === 0 ? address : `${address}?${rest.join('&')}`;
}
