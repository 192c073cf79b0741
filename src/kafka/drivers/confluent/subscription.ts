import { topicPattern } from '../../balancing/index.ts';
import type { MembershipOptions } from '../../membership.ts';
import { topicsMissing } from '../../reading/index.ts';
import type { ConfluentClient } from './client.ts';
import { knownTopics, topicNames } from './lookups.ts';

/**
 * The topics a membership is subscribed to. A pattern is resolved here: the library has patterns too, of POSIX kind, which
 * do not mean what the same text means in JavaScript.
 */
export class Subscription {
  readonly #client: ConfluentClient;
  readonly #everyMs: number;
  readonly #names: readonly string[] | undefined;
  readonly #pattern: RegExp | undefined;
  /**
   * Every topic that ever matched. One that was deleted stays: a broker that lags behind must not take partitions from
   * everybody, and of a deleted topic whoever reads it has to speak.
   */
  readonly #matched = new Set<string>();

  /** Throws CONFIG_INVALID for a pattern that is none. */
  constructor(client: ConfluentClient, subscription: MembershipOptions['subscription'], everyMs: number) {
    this.#client = client;
    this.#everyMs = everyMs;
    if ('topics' in subscription) this.#names = [...new Set(subscription.topics)].sort();
    else this.#pattern = topicPattern(subscription.pattern);
  }

  /** Calls back with the names, and again whenever a pattern matches more of them, until the signal is aborted. */
  async watch(
    first: readonly string[],
    signal: AbortSignal,
    onNames: (names: readonly string[]) => void,
  ): Promise<void> {
    let names = first;
    for (let told: string | undefined; !signal.aborted; ) {
      if (names.join() !== told) onNames(names);
      told = names.join();
      if (this.#pattern === undefined) return;
      await this.#client.clock.sleep(this.#everyMs, signal).catch(() => {});
      // Brokers out of reach are reported by the consumer; here the next look is soon enough.
      names = await this.names().catch(() => names);
    }
  }

  /** The names now. Rejects with KAFKA_TOPIC_MISSING where a named one does not exist. */
  async names(): Promise<readonly string[]> {
    const names = this.#names;
    if (names === undefined) {
      for (const topic of await topicNames(this.#client)) if (this.#pattern?.test(topic)) this.#matched.add(topic);
      return [...this.#matched].sort();
    }
    await this.#client.retrying(async () => {
      const known = await knownTopics(this.#client, names);
      const missing = names.filter((topic) => !known.has(topic));
      if (missing.length > 0) throw topicsMissing(missing);
    });
    return names;
  }
}
