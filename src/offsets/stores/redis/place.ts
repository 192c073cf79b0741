import { isTidemarkError } from '../../../errors.ts';
import { type Clock, systemClock } from '../../../platform/index.ts';
import type { StorePlace } from '../../storePlace.ts';
import { parseAddress, type RedisAddress } from './address.ts';
import { mastersOf } from './connection.ts';
import { pipelineOfTopicsKey, StoreKeys, topicsPattern } from './keys.ts';
import { RedisStore, type RedisStoreOptions } from './redisStore.ts';
import { RedisRequests } from './requests.ts';

/** Keys that one step of a search looks at. */
const scanCount = 1000;

/** A Redis, a database of it where the URL names one, or a cluster, as a place of ledgers. */
export class RedisPlace implements StorePlace {
  readonly #options: Omit<RedisStoreOptions, 'pipeline'>;
  readonly #address: RedisAddress;

  /** Rejects a URL that is none with CONFIG_INVALID. */
  constructor(options: Omit<RedisStoreOptions, 'pipeline'>) {
    this.#options = options;
    this.#address = parseAddress(options.url);
  }

  get name(): string {
    return this.#address.name;
  }

  /** Looks at the names of all keys there are: of every master, step by step, without keeping others waiting. */
  async pipelines(): Promise<readonly string[]> {
    const requests = this.#newRequests();
    try {
      const keys = await requests.repeatable('Looking for pipelines', async (client) => {
        const found = await Promise.all(mastersOf(client).map(scan));
        return new Set(found.flat());
      });
      const names = [...keys].flatMap((key) => pipelineOfTopicsKey(key) ?? []);
      const withRows = await Promise.all(names.map((name) => hasRows(requests, name)));
      return names.filter((_, index) => withRows[index]).sort();
    } finally {
      await requests.close();
    }
  }

  store(pipeline: string): RedisStore {
    return new RedisStore({ ...this.#options, pipeline });
  }

  #newRequests(): RedisRequests {
    const { clock = systemClock, connectDeadlineMs = 10_000, requestDeadlineMs = 10_000 } = this.#options;
    const options: { clock: Clock; deadlineMs: number; requestDeadlineMs: number } = {
      clock,
      deadlineMs: connectDeadlineMs,
      requestDeadlineMs,
    };
    return new RedisRequests({ ...options, address: this.#address, connectionName: 'tidemark:' });
  }
}

async function scan(server: ReturnType<typeof mastersOf>[number]): Promise<readonly string[]> {
  const keys: string[] = [];
  let cursor = '0';
  do {
    const [next, some] = await server.scan(cursor, 'MATCH', topicsPattern, 'COUNT', scanCount, 'TYPE', 'set');
    keys.push(...some);
    cursor = next;
  } while (cursor !== '0');
  return keys;
}

/** The topics of a pipeline stay when its last row is removed. One whose keys are damaged is named: who looks at it hears why. */
function hasRows(requests: RedisRequests, pipeline: string): Promise<boolean> {
  const keys = new StoreKeys(pipeline);
  const look = requests.repeatable('Looking for pipelines', async (client) => {
    const topics = await client.smembers(keys.topics.name);
    return topics.length > 0 && (await client.exists(...topics.map((topic) => keys.offsets(topic).name))) > 0;
  });
  return look.catch((error: unknown) => {
    if (isTidemarkError(error, 'STORE_REQUEST_FAILED')) return true;
    throw error;
  });
}
