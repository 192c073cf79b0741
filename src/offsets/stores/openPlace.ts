import { fileURLToPath } from 'node:url';
import { TidemarkError } from '../../errors.ts';
import type { StorePlace } from '../storePlace.ts';

export interface PlaceOptions {
  /** Schema of the ledgers, in PostgreSQL. Default `tidemark`. */
  readonly schema?: string;
}

const schemes = 'postgres://, redis://, rediss://, redis+sentinel://, redis+cluster://, file:///directory';

/** Where ledgers live, by a URL. Loads only what the URL needs and connects to nothing. Throws CONFIG_INVALID for any other URL. */
export async function openPlace(url: string, { schema }: PlaceOptions = {}): Promise<StorePlace> {
  const scheme = /^([a-z+]+):\/\//i.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'postgres':
    case 'postgresql': {
      const { PostgresPlace } = await import('./postgres/index.ts');
      return new PostgresPlace({ connectionString: url, ...(schema === undefined ? {} : { schema }) });
    }
    case 'redis':
    case 'rediss':
    case 'redis+sentinel':
    case 'redis+cluster':
    case 'rediss+sentinel':
    case 'rediss+cluster': {
      const { RedisPlace } = await import('./redis/index.ts');
      return new RedisPlace({ url });
    }
    case 'file': {
      const { FilePlace } = await import('./file/index.ts');
      return new FilePlace(directoryOf(url));
    }
    default:
      throw new TidemarkError(
        'CONFIG_INVALID',
        `${scheme === undefined ? 'The URL of the offset store has no scheme' : `${scheme}:// is no offset store`}, allowed: ${schemes}`,
        {
          path: '--store',
          hint: 'A Kafka group is named by --group and --brokers.',
        },
      );
  }
}

function directoryOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new TidemarkError('CONFIG_INVALID', 'file:// needs an absolute path: file:///var/lib/tidemark', {
      path: '--store',
      cause,
    });
  }
}
