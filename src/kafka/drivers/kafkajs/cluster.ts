import { setMaxListeners } from 'node:events';
import { isTidemarkError, messageOf, TidemarkError } from '../../../errors.ts';
import { backoffMs, type Clock, withDeadline } from '../../../platform/index.ts';
import { addressText, type BrokerAddress, type ResolvedClientOptions } from '../../clientOptions.ts';
import { type BrokerAnswer, type BrokerRequest, metadataRequest, type TopicMetadata } from '../../protocol/index.ts';
import { retryBaseMs, retryCapMs, retryRequest } from '../../reading/index.ts';
import { requestTimedOut } from './brokerConnection.ts';
import { ClusterMetadata } from './clusterMetadata.ts';
import { Connections } from './connections.ts';

/** A cluster as a client sees it: its metadata, its connections, and requests that are tried again. */
export class Cluster {
  readonly metadata = new ClusterMetadata();
  readonly connections: Connections;
  readonly options: ResolvedClientOptions;
  readonly clock: Clock;
  readonly #closing = new AbortController();
  #turn = 0;

  constructor(options: ResolvedClientOptions, clock: Clock) {
    this.options = options;
    this.clock = clock;
    this.connections = new Connections(options, clock);
    setMaxListeners(0, this.#closing.signal); // one for every request that waits for its next try
  }

  /** Aborted when the driver closes, with the error to reject with. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  close(reason: TidemarkError): void {
    this.#closing.abort(reason);
    this.connections.closeAll(reason);
  }

  /**
   * Connects to the brokers of the list, all at once, and goes on with the first that accepts us. Tries again within
   * `connectTimeoutMs`, unless what one of them says cannot change by itself. Ends after twice that in any case.
   */
  async bootstrap(): Promise<void> {
    const limitMs = this.options.connectTimeoutMs * 2;
    await withDeadline(this.#bootstrap(), limitMs, this.clock, () => {
      return this.#noneAnswers(this.options.brokers, [
        new Error(`Connected, but without metadata after ${limitMs} ms.`),
      ]);
    });
  }

  async #bootstrap(): Promise<void> {
    const giveUpAt = this.clock.monotonic() + this.options.connectTimeoutMs;
    for (let attempt = 1; ; attempt += 1) {
      const failure = await this.#tryBootstrap();
      if (failure === undefined) return;
      this.closing.throwIfAborted();
      const waitMs = backoffMs(attempt, retryBaseMs, retryCapMs);
      if (!failure.retriable || this.clock.monotonic() + waitMs > giveUpAt) throw failure;
      await this.clock.sleep(waitMs, this.closing);
    }
  }

  /** Fresh metadata of the named topics, of all for null. Topics that do not exist carry an error code. */
  async refresh(topics: readonly string[] | null): Promise<readonly TopicMetadata[]> {
    const answer = await this.askAny(metadataRequest(topics));
    this.metadata.update(answer);
    return answer.topics;
  }

  /** Sends a request that any broker can answer, to one after the other until one does. */
  async askAny<A extends BrokerAnswer>(request: BrokerRequest<A>): Promise<A> {
    const timeoutMs = Math.min(this.options.connectTimeoutMs, this.options.requestTimeoutMs);
    let failure: unknown;
    const candidates = this.#candidates();
    for (const address of candidates) {
      try {
        return await (await this.connections.shared(address)).send(request, timeoutMs);
      } catch (error) {
        this.closing.throwIfAborted();
        failure = error;
      }
    }
    throw this.#noneAnswers(candidates, [failure]);
  }

  /** Sends a request to one broker. */
  async ask<A extends BrokerAnswer>(address: BrokerAddress, request: BrokerRequest<A>): Promise<A> {
    const connection = await this.connections.shared(address);
    return connection.send(request, this.options.requestTimeoutMs);
  }

  /**
   * Runs `attempt` until it succeeds, fails for good, or `requestTimeoutMs` is over; then its last error counts. The
   * argument is the number of the attempt: from the second on metadata should be fetched anew.
   */
  retrying<T>(attempt: (number: number) => Promise<T>): Promise<T> {
    const { clock, closing, options } = this;
    return retryRequest(attempt, { clock, closing, requestTimeoutMs: options.requestTimeoutMs });
  }

  async #tryBootstrap(): Promise<TidemarkError | undefined> {
    try {
      await Promise.any(this.options.brokers.map((address) => this.connections.shared(address)));
    } catch (error) {
      const failures: unknown[] = error instanceof AggregateError ? error.errors : [error];
      const refusal = failures.find((failure) => isTidemarkError(failure) && isRefusal(failure));
      return isTidemarkError(refusal) ? refusal : this.#noneAnswers(this.options.brokers, failures);
    }
    try {
      await this.refresh([]);
      return undefined;
    } catch (error) {
      return this.#explainFirstRequest(error);
    }
  }

  /** A listener that wants SASL lets a client without it ask for versions, and hangs up at anything else. */
  #explainFirstRequest(error: unknown): TidemarkError {
    const cause = isTidemarkError(error) ? error.cause : undefined;
    const hungUp = isTidemarkError(cause, 'KAFKA_CONNECTION_LOST') && cause.foreignCode !== requestTimedOut;
    if (this.options.sasl !== undefined || !hungUp) return this.#noneAnswers(this.options.brokers, [error]);
    return new TidemarkError(
      'KAFKA_AUTHENTICATION_FAILED',
      `The brokers end the connection at the first request: ${messageOf(cause)}`,
      {
        retriable: true,
        hint: 'If the listener asks for SASL, set kafka.sasl.',
        cause: error,
      },
    );
  }

  #noneAnswers(addresses: readonly BrokerAddress[], failures: readonly unknown[]): TidemarkError {
    const last = failures.at(-1);
    const list = addresses.map(addressText).join(', ');
    return new TidemarkError('KAFKA_UNREACHABLE', `No broker of the list answers (${list}). ${messageOf(last)}`, {
      retriable: failures.some((failure) => !isTidemarkError(failure) || failure.retriable),
      cause: last,
      ...(isTidemarkError(last) && last.hint !== undefined ? { hint: last.hint } : {}),
      ...(isTidemarkError(last) && last.foreignCode !== undefined ? { foreignCode: last.foreignCode } : {}),
    });
  }

  /**
   * Brokers to ask: those with an open connection, then those of the cluster and of the options. Begins with another one
   * each time, because one that has lost touch with the cluster answers with what it knew.
   */
  #candidates(): BrokerAddress[] {
    const all = new Map([...this.metadata.addresses, ...this.options.brokers].map((at) => [addressText(at), at]));
    const addresses = [...all.values()];
    this.#turn = (this.#turn + 1) % addresses.length;
    const turned = [...addresses.slice(this.#turn), ...addresses.slice(0, this.#turn)];
    return turned.sort((a, b) => Number(this.connections.isReady(b)) - Number(this.connections.isReady(a)));
  }
}

/** What a broker says about us rather than about itself: other brokers of the list will say the same. */
function isRefusal(error: TidemarkError): boolean {
  return error.code === 'KAFKA_AUTHENTICATION_FAILED' || error.code === 'KAFKA_UNSUPPORTED_BROKER';
}
