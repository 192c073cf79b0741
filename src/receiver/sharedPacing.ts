import Bottleneck from 'bottleneck';
import { isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import { type Clock, withDeadline } from '../platform/index.ts';
import { dropJobs, nothing, type SliceSource } from './pace.ts';

const connectMsMax = 5000;
/** What a process that died had under way is forgotten after that. */
const jobExpirationMs = 10_000;
/** Redis forgets a pace that nobody asked for a slice for so long. */
const keysExpireMs = 3_600_000;

export interface SharedSlicesOptions {
  readonly redisUrl: string;
  readonly name: string;
  /** Distance of slices; whoever opens last decides. */
  readonly sliceMs: number;
  /** Forget where the pace stood before. */
  readonly startsAnew: boolean;
  readonly clock: Clock;
}

/**
 * A pace that all processes share which give the same name, kept in Redis under `tidemark:rate:<name>:`. Connections are not
 * mended here: the first trouble ends the source, because bottleneck does not come through a Redis that lost its keys.
 */
export async function openSharedSlices(options: SharedSlicesOptions): Promise<SliceSource> {
  const { name, startsAnew, sliceMs, clock } = options;
  const place = placeOf(options.redisUrl);
  const { Redis } = await import('ioredis');
  const client = new Redis(options.redisUrl, {
    keyPrefix: `tidemark:rate:${name}:`,
    retryStrategy: () => null,
    connectTimeout: connectMsMax,
  });
  const connection = new Bottleneck.IORedisConnection({ client, Redis });
  const limiter = new Bottleneck({
    // Names the channel as well, and channels know no prefix.
    id: `tidemark:rate:${name}`,
    connection,
    minTime: sliceMs,
    clearDatastore: startsAnew,
    timeout: keysExpireMs,
  });
  let trouble: unknown;
  const close = () => {
    dropJobs(limiter);
    connection.disconnect(false).catch(nothing);
  };
  const troubled = new Promise<never>((_, reject) => {
    // A script that fails after its job was queued is told here alone: without being dropped the job would wait for ever.
    const end = (error: unknown) => {
      trouble ??= error;
      close();
      reject(error);
    };
    limiter.on('error', end);
    connection.on('error', end);
    client.on('end', () => end(new Error('the connection ended')));
  });
  troubled.catch(nothing);
  try {
    // What Redis has of another process's options counts, so the distance is set again.
    const ready = Promise.race([limiter.updateSettings({ minTime: sliceMs }), troubled]);
    await withDeadline(ready, connectMsMax, clock, () => unreachable(place, `no answer within ${connectMsMax} ms`));
  } catch (error) {
    close();
    throw isTidemarkError(error) ? error : unreachable(place, error);
  }
  const next = async () => {
    try {
      await limiter.schedule({ expiration: jobExpirationMs }, nothing);
      return sliceMs;
    } catch (error) {
      throw unreachable(place, trouble ?? error);
    }
  };
  return { next, close };
}

/** Host and port, which may be shown; the rest of the URL may hold a password. */
function placeOf(redisUrl: string): string {
  const url = URL.canParse(redisUrl) ? new URL(redisUrl) : undefined;
  if (url !== undefined && /^rediss?:$/.test(url.protocol) && url.hostname !== '') return url.host;
  throw new TidemarkError('CONFIG_INVALID', 'The URL of the shared rate is not one of Redis', {
    hint: 'Write redis://host:port, or rediss:// for TLS.',
  });
}

function unreachable(place: string, reason: unknown): TidemarkError {
  return new TidemarkError('RATE_LIMITER_UNREACHABLE', `Redis at ${place} keeps no pace: ${messageOf(reason)}`, {
    retriable: true,
    hint: 'Check that Redis runs, its address and its password.',
    cause: reason,
  });
}
