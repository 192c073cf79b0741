import type { Socket } from 'node:net';
import { isTidemarkError, messageOf, TidemarkError } from '../../../errors.ts';
import { type Clock, withDeadline } from '../../../platform/index.ts';
import { addressText, type BrokerAddress, type ResolvedClientOptions } from '../../clientOptions.ts';
import {
  type ApiRange,
  type ApiVersion,
  apiVersionsRequest,
  type BrokerAnswer,
  type BrokerRequest,
  brokerErrorKind,
  missingApis,
  releaseOf,
  WireReader,
} from '../../protocol/index.ts';
import { RecycledMemory } from '../../records/index.ts';
import { AnswerFramer } from './answerFramer.ts';
import { openBrokerSocket } from './brokerSocket.ts';
import { type ConnectStage, explainConnectFailure, isSaslRefusal } from './connectFailure.ts';
import { type KafkajsConnection, KafkajsConnectionClass, silentLogger } from './kafkajsShim.ts';
import { kafkajsSasl } from './sasl.ts';

/** `foreignCode` of a connection that was given up because an answer did not come. */
export const requestTimedOut = 'REQUEST_TIMED_OUT';

/**
 * One connection to one broker, for one socket's life: it is opened once and replaced, not reconnected, after it
 * ended. TLS, SASL, header and correlation are kafkajs'; requests, answers, framing and deadlines are ours.
 *
 * States: `connecting` → `greeting` (ApiVersions) → `authenticating` (SASL) → `ready`, and from each of them closed,
 * which rejects everything under way with the reason.
 */
export class BrokerConnection {
  readonly address: BrokerAddress;
  readonly #options: ResolvedClientOptions;
  readonly #clock: Clock;
  readonly #bodies: RecycledMemory;
  readonly #kafkajs: KafkajsConnection;
  #stage: ConnectStage = 'connecting';
  #socket: Socket | undefined;
  #socketError: Error | undefined;
  #closedBy: TidemarkError | undefined;
  #apis: readonly ApiRange[] = [];
  #endOpening: (reason: TidemarkError) => void = () => {};

  /** `bodies`: memory for what the broker answers. */
  constructor(address: BrokerAddress, options: ResolvedClientOptions, clock: Clock, bodies = new RecycledMemory()) {
    this.#bodies = bodies;
    this.address = address;
    this.#options = options;
    this.#clock = clock;
    this.#kafkajs = new KafkajsConnectionClass({
      ...address,
      clientId: options.clientId,
      logger: silentLogger,
      socketFactory: ({ onConnect }) => this.#openSocket(onConnect),
      ssl: null, // the socket factory knows
      sasl: options.sasl === undefined ? null : kafkajsSasl(options.sasl),
      // The deadlines are ours: kafkajs would look at every connection every 100 ms. Its timer of the connecting
      // phase cannot be switched off and must never come first.
      connectionTimeout: options.connectTimeoutMs * 2,
      requestTimeout: options.requestTimeoutMs,
      enforceRequestTimeout: false,
    });
    const queue = this.#kafkajs.requestQueue;
    const schedule = queue.scheduleCheckPendingRequests.bind(queue);
    // kafkajs sets this timer again whenever it fires, requests pending or not: 1 000 wake-ups a second for ever.
    queue.scheduleCheckPendingRequests = () => {
      if (queue.pending.length > 0) schedule();
    };
  }

  get isOpen(): boolean {
    return this.#stage === 'ready' && this.#closedBy === undefined;
  }

  get isEnded(): boolean {
    return this.#closedBy !== undefined;
  }

  /** Connects, asks for the broker's API versions and authenticates, all within `connectTimeoutMs`. Call once. */
  async open(): Promise<void> {
    const { connectTimeoutMs } = this.#options;
    const ended = new Promise<never>((_, reject) => {
      this.#endOpening = reject;
    });
    try {
      await withDeadline(Promise.race([this.#handshake(), ended]), connectTimeoutMs, this.#clock, () =>
        this.#tooSlow(),
      );
    } catch (error) {
      this.close(this.#explain(error));
      throw this.#closedBy;
    }
  }

  /**
   * Sends one request. One that is not answered within `timeoutMs` closes the connection: what answers later is not waited for.
   * Rejects with KAFKA_UNSUPPORTED_BROKER, and goes on, for an API that this broker does not have.
   */
  async send<A extends BrokerAnswer>(request: BrokerRequest<A>, timeoutMs: number): Promise<A> {
    if (this.#closedBy !== undefined) throw this.#closedBy;
    this.#checkSpoken(request);
    try {
      return await withDeadline(this.#exchange(request), timeoutMs, this.#clock, () => {
        return this.#lost(`did not answer ${request.apiName} within ${timeoutMs} ms`, requestTimedOut);
      });
    } catch (error) {
      this.close(this.#explain(error));
      throw this.#closedBy;
    }
  }

  /** Ends the connection in any state; what is under way is rejected with `reason`. Again is a no-op. */
  close(reason: TidemarkError): void {
    if (this.#closedBy !== undefined) return;
    this.#closedBy = reason;
    this.#endOpening(reason);
    this.#kafkajs.rejectRequests(reason);
    // With an error, because only the socket's `error` event ends kafkajs' timer of the connecting phase.
    this.#socket?.destroy(reason);
    void this.#kafkajs.disconnect();
  }

  async #handshake(): Promise<void> {
    await this.#kafkajs.connect();
    this.#stage = 'greeting';
    const greeting = await this.#exchange(apiVersionsRequest());
    this.#checkVersions(greeting.errorCode, greeting.apis);
    this.#apis = greeting.apis;
    this.#kafkajs.setVersions(Object.fromEntries(greeting.apis.map((api) => [api.apiKey, api])));
    this.#kafkajs.setSupportAuthenticationProtocol(true);
    this.#stage = 'authenticating';
    await this.#kafkajs.authenticate();
    this.#stage = 'ready';
  }

  #exchange<A extends BrokerAnswer>(request: BrokerRequest<A>): Promise<A> {
    const { apiKey, apiName, apiVersion } = request;
    return this.#kafkajs.send({
      request: {
        apiKey,
        apiName,
        apiVersion,
        encode: async () => {
          const bytes = request.encode();
          return { buf: bytes, buffer: bytes };
        },
      },
      response: {
        decode: async (payload) => {
          const answer = request.decode(new WireReader(payload, `${apiName} answer of ${addressText(this.address)}`));
          return { answer, clientSideThrottleTime: answer.throttleMs };
        },
        parse: async ({ answer }) => answer,
      },
    });
  }

  #openSocket(onConnect: () => void): Socket {
    const queue = this.#kafkajs.requestQueue;
    const framer = new AnswerFramer(this.#bodies, (correlationId, payload, size) => {
      queue.fulfillRequest({ correlationId, payload, size });
    });
    const socket = openBrokerSocket({
      ...this.address,
      tls: this.#options.ssl,
      onConnect,
      room: () => framer.room,
      onBytes: (bytes) => {
        try {
          framer.push(bytes);
        } catch (error) {
          socket.destroy(error instanceof Error ? error : new Error(messageOf(error)));
        }
      },
    });
    socket.once('error', (error) => {
      this.#socketError ??= error;
    });
    socket.once('close', () =>
      this.close(this.#explain(this.#socketError ?? new Error('the broker ended the connection'))),
    );
    this.#socket = socket;
    return socket;
  }

  #explain(thrown: unknown): TidemarkError {
    if (this.#closedBy !== undefined) return this.#closedBy;
    const noToken = this.#stage === 'authenticating' && isTidemarkError(thrown, 'KAFKA_AUTHENTICATION_FAILED');
    if (isTidemarkError(thrown) && !noToken) return thrown;
    const ended =
      this.#socketError !== undefined || this.#socket?.readableEnded === true || this.#socket?.destroyed === true;
    // A session that has to authenticate again (KIP-368) fails while it is `ready`.
    const refused = isSaslRefusal(thrown);
    if (this.#stage === 'ready' && !refused) return this.#lost(`was lost: ${messageOf(this.#socketError ?? thrown)}`);
    const stage = refused ? 'authenticating' : this.#stage;
    const { address } = this;
    return explainConnectFailure({
      address,
      options: this.#options,
      stage,
      socketError: this.#socketError,
      thrown,
      ended,
    });
  }

  #lost(what: string, foreignCode?: string): TidemarkError {
    const message = `The connection to ${addressText(this.address)} ${what}`;
    return new TidemarkError('KAFKA_CONNECTION_LOST', message, {
      retriable: true,
      cause: this.#socketError,
      ...(foreignCode === undefined ? {} : { foreignCode }),
    });
  }

  #tooSlow(): TidemarkError {
    const where = addressText(this.address);
    const text = `${where} was still ${this.#stage} after ${this.#options.connectTimeoutMs} ms`;
    return new TidemarkError('KAFKA_UNREACHABLE', text, {
      retriable: true,
      hint: 'Check the address and that no firewall swallows the packets; raise kafka.connectTimeoutMs if it is far away.',
    });
  }

  /** The broker would end the connection, and with it everything that is under way on it. */
  #checkSpoken(api: ApiVersion): void {
    const [missing] = missingApis(this.#apis, [api]);
    if (missing === undefined) return;
    const text = `${addressText(this.address)} seems to be Kafka ${releaseOf(this.#apis)}: it speaks ${missing}`;
    throw new TidemarkError('KAFKA_UNSUPPORTED_BROKER', text, { hint: 'A newer Kafka has what is asked of it here.' });
  }

  #checkVersions(errorCode: number, apis: readonly ApiRange[]): void {
    const where = addressText(this.address);
    const hint = 'tidemark needs Kafka 3.7 or newer.';
    if (errorCode !== 0) {
      const foreignCode = brokerErrorKind(errorCode).name;
      const text = `${where} does not answer ApiVersions 3, which Kafka knows since 2.4: ${foreignCode}`;
      throw new TidemarkError('KAFKA_UNSUPPORTED_BROKER', text, { hint, foreignCode });
    }
    const missing = missingApis(apis);
    if (missing.length === 0) return;
    const text = `${where} seems to be Kafka ${releaseOf(apis)}: it speaks ${missing.join(', ')}`;
    throw new TidemarkError('KAFKA_UNSUPPORTED_BROKER', text, { hint });
  }
}
