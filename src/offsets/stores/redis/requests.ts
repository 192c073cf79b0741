import { TidemarkError } from '../../../errors.ts';
import { withDeadline } from '../../../platform/index.ts';
import { type ConnectionOptions, openConnection, type RedisClient } from './connection.ts';
import { classifyRedisError, isAnswer } from './failures.ts';
import type { StoreKey } from './keys.ts';
import type { Script } from './script.ts';

export interface RequestOptions extends Omit<ConnectionOptions, 'signal'> {
  /** Longest wait for the answer to one request. */
  readonly requestDeadlineMs: number;
}

/** What a script returns: strings, and of hashes lists of them. */
export type Answer = readonly (string | readonly string[])[];

/** Sends one request on a client. */
export type Request<T> = (client: RedisClient) => Promise<T>;

/** Work under way was cut without an answer; only inside of this file. */
class Lost extends Error {}

/** The store's connection, made again when it is lost. Requests may go at the same time. */
export class RedisRequests {
  readonly #options: RequestOptions;
  readonly #closing = new AbortController();
  /** Ends the requests under way. A set, and not listeners of a signal: there may be one for every partition. */
  readonly #underWay = new Set<(error: TidemarkError) => void>();
  #client: Promise<RedisClient> | undefined;

  constructor(options: RequestOptions) {
    this.#options = options;
  }

  /**
   * A request that is a compare-and-set or idempotent. When the connection is lost on the way it is sent a second time on a new
   * one: it does not matter whether the first one was executed.
   */
  async repeatable<T>(doing: string, request: Request<T>): Promise<T> {
    try {
      return await this.#send(doing, request);
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
    }
    try {
      return await this.#send(doing, request);
    } catch (error) {
      throw error instanceof Lost ? classifyRedisError(error.cause, doing) : error;
    }
  }

  /** A request that must not be executed twice. COMMIT_IN_DOUBT once it was sent and the answer is missing. */
  async once<T>(doing: string, request: Request<T>): Promise<T> {
    let isSent = false;
    try {
      return await this.#send(doing, (client) => {
        isSent = true;
        return request(client);
      });
    } catch (error) {
      const reason = error instanceof Lost ? classifyRedisError(error.cause, doing) : (error as TidemarkError);
      const isOpen = error instanceof Lost || isLate(reason) || this.#closing.signal.aborted;
      if (!isSent || !isOpen) throw reason;
      throw new TidemarkError(
        'COMMIT_IN_DOUBT',
        `${doing}: the answer is missing, whether it happened is unknown: ${reason.message}`,
        { cause: reason, hint: 'The row of the ledger says what happened; claim it afresh before reading it.' },
      );
    }
  }

  /** Cuts what is under way: whoever closes does not wait for a server that may be gone. */
  async close(): Promise<void> {
    this.#closing.abort(closedError());
    for (const end of this.#underWay) end(closedError());
    const client = this.#client;
    this.#client = undefined;
    (await client?.catch(() => undefined))?.disconnect();
  }

  async #send<T>(doing: string, request: Request<T>): Promise<T> {
    const { clock, requestDeadlineMs } = this.#options;
    const connected = this.#connected();
    const client = await connected;
    try {
      this.#closing.signal.throwIfAborted();
      const answered = withDeadline(request(client), requestDeadlineMs, clock, () => late(doing, requestDeadlineMs));
      return await this.#unlessClosed(answered);
    } catch (error) {
      const failure = classifyRedisError(error, doing);
      if (failure.code === 'STORE_UNREACHABLE') {
        // A master that has become a replica keeps its connections: a new one finds the new master.
        if (this.#client === connected) this.#client = undefined;
        client.disconnect();
      }
      const isLost = failure !== error && failure.code === 'STORE_UNREACHABLE' && !isAnswer(error);
      throw isLost ? new Lost('', { cause: error }) : failure;
    }
  }

  #unlessClosed<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#underWay.add(reject);
      work.then(resolve, reject).finally(() => this.#underWay.delete(reject));
    });
  }

  #connected(): Promise<RedisClient> {
    if (this.#client !== undefined) return this.#client;
    const connecting = this.#connect();
    // Only itself: by then another one may have taken its place.
    const forget = () => {
      if (this.#client === connecting) this.#client = undefined;
    };
    connecting.then((client) => client.once('end', forget), forget);
    this.#client = connecting;
    return connecting;
  }

  async #connect(): Promise<RedisClient> {
    const { signal } = this.#closing;
    signal.throwIfAborted();
    return openConnection({ ...this.#options, signal });
  }
}

/** A script by its digest, or by its text where the server does not know it yet or has forgotten it: then nothing was executed. */
export async function run(
  client: RedisClient,
  { text, sha }: Script,
  keys: readonly StoreKey[],
  args: unknown,
): Promise<Answer> {
  const names = keys.map(({ name }) => name);
  const types = JSON.stringify(keys.map(({ type }) => type));
  const rest = [...names, types, JSON.stringify(args, storable)];
  try {
    return (await client.evalsha(sha, names.length, ...rest)) as Answer;
  } catch (error) {
    if (!isAnswer(error) || !(error as Error).message.startsWith('NOSCRIPT')) throw error;
    return (await client.eval(text, names.length, ...rest)) as Answer;
  }
}

/** 64-bit numbers as text; half of a surrogate pair is in no UTF-8 and Redis' JSON refuses it. */
function storable(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return typeof value === 'string' ? value.toWellFormed() : value;
}

const lateCode = 'ETIMEDOUT';

function late(doing: string, ms: number): TidemarkError {
  return new TidemarkError('STORE_UNREACHABLE', `${doing}: no answer within ${ms} ms`, {
    retriable: true,
    foreignCode: lateCode,
    hint: 'Look at what Redis is busy with (SLOWLOG GET), and at the network between.',
  });
}

function isLate(error: TidemarkError): boolean {
  return error.foreignCode === lateCode;
}

function closedError(): TidemarkError {
  return new TidemarkError('PIPELINE_STATE', 'The offset store is closed');
}
