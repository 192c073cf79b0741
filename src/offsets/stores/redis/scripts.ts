import type { KeyList } from './operations.ts';
import { requireSound } from './refusals.ts';
import { type Answer, type RedisRequests, type Request, run } from './requests.ts';
import type { Script } from './script.ts';

/** Scripts and single commands of one pipeline, with what every script may refuse turned into an error. */
export class Scripts {
  readonly #requests: RedisRequests;

  constructor(requests: RedisRequests) {
    this.#requests = requests;
  }

  /** A compare-and-set or something idempotent: see `RedisRequests.repeatable`. */
  async run(doing: string, script: Script, list: KeyList, args: unknown): Promise<Answer> {
    return requireSound(
      doing,
      await this.#requests.repeatable(doing, (client) => run(client, script, list.keys, args)),
    );
  }

  /** Something that must not be done twice: see `RedisRequests.once`. */
  async runOnce(doing: string, script: Script, list: KeyList, args: unknown): Promise<Answer> {
    return requireSound(doing, await this.#requests.once(doing, (client) => run(client, script, list.keys, args)));
  }

  /** Commands that may be repeated. */
  command<T>(doing: string, request: Request<T>): Promise<T> {
    return this.#requests.repeatable(doing, request);
  }
}
