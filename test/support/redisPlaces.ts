/** Ledgers of Redis for tests: under a name of their own each in one Redis, and what someone does to them by hand. */
import { randomUUID } from 'node:crypto';
import { Cluster, Redis } from 'ioredis';
import { RedisStore, type RedisStoreOptions } from '../../src/offsets/stores/redis/index.ts';
import type { LedgerPlace } from '../../src/testkit/index.ts';

export class RedisPlaces {
  readonly client: Redis | Cluster;
  readonly #url: string;
  readonly #stores: RedisStore[] = [];

  /** `url`: redis://host:port or redis+cluster://host:port,…. `storeUrl`: where stores connect, when something stands between. */
  constructor(url: string, storeUrl = url) {
    this.#url = storeUrl;
    const hosts = url.replace(/^.*\/\//, '').split(',');
    const nodes = hosts
      .map((text) => new URL(`redis://${text}`))
      .map((u) => ({ host: u.hostname, port: Number(u.port) }));
    this.client = url.startsWith('redis+cluster:') ? new Cluster(nodes) : new Redis(url);
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()));
    this.client.disconnect();
  }

  newPipeline(name = 'conformance'): string {
    return `${randomUUID()} ${name}`;
  }

  newStore(options: Partial<RedisStoreOptions> & { readonly pipeline: string }): RedisStore {
    const store = new RedisStore({ url: this.#url, ...options });
    this.#stores.push(store);
    return store;
  }

  async newPlace(): Promise<LedgerPlace> {
    const place = this.newPipeline('');
    const offsets = (pipeline: string, topic: string) => keyOf(place + pipeline, `offsets:${topic}`);
    return {
      newStore: (pipeline) => this.newStore({ pipeline: place + pipeline }),
      moveByHand: async (pipeline, { topic, partition }, nextOffset) => {
        const key = offsets(pipeline, topic);
        const row = JSON.parse((await this.client.hget(key, String(partition))) ?? '');
        await this.client.hset(key, String(partition), JSON.stringify({ ...row, next: String(nextOffset) }));
      },
      removeByHand: async (pipeline, { topic, partition }) => {
        await this.client.hdel(offsets(pipeline, topic), String(partition));
      },
    };
  }
}

/** A key of a pipeline whose name has no braces. */
export function keyOf(pipeline: string, rest: string): string {
  return `tidemark:{${pipeline}}:${rest}`;
}
