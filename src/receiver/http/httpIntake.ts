import type { IncomingMessage } from 'node:http';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { messageOf, TidemarkError } from '../../errors.ts';
import { type Clock, unlessAborted } from '../../platform/index.ts';
import type { ReceivedRecord, ReceiverContext } from '../receiver.ts';
import { describeBody } from './admission.ts';
import { readBody, unpackBody } from './body.ts';
import { recordsOf } from './records.ts';
import { Refusal, refusalOfStore } from './refusal.ts';
import { UnderWay } from './underWay.ts';

export interface IntakeOptions {
  readonly path: string;
  readonly bodyBytesMax: number;
  readonly requestTimeoutMs: number;
}

/** How long a stop waits for records that are being stored. */
const drainMs = 2000;

/** Bodies of this many times `bodyBytesMax` may be in memory, over all requests. */
const bodiesHeldMax = 16;

/**
 * One start of the HTTP receiver. A request is judged by its headers (onRequest), then by its body, then stored; what
 * is refused on the way is answered at once, and the rest of its body is thrown away.
 */
export class HttpIntake {
  readonly #options: IntakeOptions;
  readonly #context: ReceiverContext;
  readonly #clock: Clock;
  readonly #app: FastifyInstance;
  /** Requests until their answer is sent, and stores until they settle: a sender may go before its records are stored. */
  readonly #underWay = new UnderWay();
  readonly #stopping = new AbortController();
  /** Senders that wait for a word before they send the body. */
  readonly #waitingToSend = new WeakSet<IncomingMessage>();
  #heldBytes = 0;

  constructor(options: IntakeOptions, context: ReceiverContext, clock: Clock) {
    this.#options = options;
    this.#context = context;
    this.#clock = clock;
    this.#app = this.#createApp();
  }

  get address(): string | undefined {
    const taken = this.#app.addresses().find((address) => typeof address === 'object');
    if (taken === undefined) return undefined;
    return taken.family === 'IPv6' ? `[${taken.address}]:${taken.port}` : `${taken.address}:${taken.port}`;
  }

  async listen(host: string, port: number): Promise<void> {
    try {
      await this.#app.listen({ host, port });
    } catch (error) {
      await this.#app.close();
      const { code } = error as NodeJS.ErrnoException;
      throw new TidemarkError(
        'HTTP_LISTEN_FAILED',
        `http receiver: cannot listen on ${host}:${port}: ${messageOf(error)}`,
        {
          hint: 'Free the address, or set host and port of the receiver to another one (port 0 = any free one).',
          ...(code === undefined ? {} : { foreignCode: code }),
          cause: error,
        },
      );
    }
  }

  async close(): Promise<void> {
    this.#stopping.abort(new Refusal('UNAVAILABLE', 'the receiver is stopping'));
    await this.#app.close();
  }

  #createApp(): FastifyInstance {
    const { requestTimeoutMs, bodyBytesMax } = this.#options;
    const app = fastify({
      // At the end of the stop, when the answers are sent: keep-alive connections must not hold it up.
      forceCloseConnections: true,
      // Ours is told in the same words as every other refusal.
      return503OnClosing: false,
      requestTimeout: requestTimeoutMs,
      // By default Node looks every 30 s for what is late; and a time for the headers that is longer than the one for the
      // whole request (60 s by default) it exchanges with that.
      http: { headersTimeout: requestTimeoutMs, connectionsCheckingInterval: Math.min(1000, requestTimeoutMs) },
      bodyLimit: bodyBytesMax,
    });
    app.server.on('checkContinue', (request, response) => {
      this.#waitingToSend.add(request);
      app.server.emit('request', request, response);
    });
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.addHook('onRequest', async (request, reply) => {
      this.#underWay.begin();
      // Fastify's onResponse does not come when the sender has gone.
      reply.raw.once('close', () => this.#underWay.end());
      const refusal = this.#judge(request);
      if (refusal !== undefined) return this.#refuse(reply, refusal);
    });
    // New connections are still taken here, and refused in words.
    app.addHook('preClose', () => this.#drain());
    app.setErrorHandler((error, _request, reply) => this.#onError(error, reply));
    app.post('*', (request, reply) => this.#take(request, reply));
    return app;
  }

  /** What can be said before the body is read: the most expensive thing a full receiver can do is to read on. */
  #judge({ url, method, headers }: FastifyRequest): Refusal | undefined {
    const { path, bodyBytesMax } = this.#options;
    if (this.#stopping.signal.aborted) return this.#stopping.signal.reason as Refusal;
    if (url.split('?', 1)[0] !== path) return new Refusal('NOT_FOUND', `records are taken at ${path} only`);
    if (method !== 'POST') return new Refusal('METHOD_NOT_ALLOWED', 'records are taken by POST only');
    const description = describeBody(headers, bodyBytesMax);
    if (description instanceof Refusal) return description;
    return this.#context.hasRoom ? undefined : new Refusal('NO_ROOM', 'as much waits as may: try again later');
  }

  async #take(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    let heldBytes = 0;
    const hold = (bytes: number): boolean => {
      if (this.#heldBytes + bytes > bodiesHeldMax * this.#options.bodyBytesMax) return false;
      this.#heldBytes += bytes;
      heldBytes += bytes;
      return true;
    };
    if (this.#waitingToSend.delete(request.raw)) reply.raw.writeContinue();
    try {
      const records = await this.#receive(request, hold);
      if (records instanceof Refusal) return this.#refuse(reply, records);
      const refusal = await this.#store(records);
      if (refusal !== undefined) return this.#refuse(reply, refusal);
      return reply.headers(this.#connectionHeader).send({ accepted: records.length });
    } finally {
      this.#heldBytes -= heldBytes;
    }
  }

  async #receive(
    request: FastifyRequest,
    mayHold: (bytes: number) => boolean,
  ): Promise<readonly ReceivedRecord[] | Refusal> {
    const { bodyBytesMax } = this.#options;
    const description = describeBody(request.headers, bodyBytesMax);
    if (description instanceof Refusal) return description;
    // A stop does not wait for bodies: none of their records has been stored.
    const reading = readBody(request.raw, bodyBytesMax, (bytes) => !this.#stopping.signal.aborted && mayHold(bytes));
    let body = await this.#unlessStopping(reading);
    if (!(body instanceof Refusal) && description.isGzip) body = await unpackBody(body, bodyBytesMax);
    if (body instanceof Refusal) return body;
    return await recordsOf(body, description.format);
  }

  async #unlessStopping<T>(work: Promise<T>): Promise<T | Refusal> {
    try {
      return await unlessAborted(work, this.#stopping.signal);
    } catch (error) {
      if (error instanceof Refusal) return error;
      throw error;
    }
  }

  /** Undefined = durable. */
  async #store(records: readonly ReceivedRecord[]): Promise<Refusal | undefined> {
    const { signal } = this.#stopping;
    if (signal.aborted) return signal.reason as Refusal;
    this.#underWay.begin();
    try {
      await this.#context.storeBatch(records);
      return undefined;
    } catch (error) {
      const refusal = refusalOfStore(error);
      if (refusal.isUnknownOutcome) this.#context.reportError('http receiver: a store failed in the middle', error);
      return refusal;
    } finally {
      this.#underWay.end();
    }
  }

  #refuse(reply: FastifyReply, refusal: Refusal): FastifyReply {
    const { code, message, status, headers } = refusal;
    return reply
      .code(status)
      .headers({ ...headers, ...this.#connectionHeader })
      .send({ code, message });
  }

  /** Fastify's own refusals, e.g. of a content type that cannot be parsed, in the words of ours; anything else is a bug. */
  #onError(error: unknown, reply: FastifyReply): FastifyReply {
    const { statusCode = 500, code } = error as { statusCode?: number; code?: string };
    if (statusCode < 500) return reply.code(statusCode).send({ code, message: messageOf(error) });
    this.#context.reportError('http receiver: a request failed unexpectedly', error);
    return this.#refuse(reply, refusalOfStore(error));
  }

  get #connectionHeader(): Readonly<Record<string, string>> {
    return this.#stopping.signal.aborted ? { connection: 'close' } : {};
  }

  async #drain(): Promise<void> {
    const patience = new AbortController();
    const late = this.#clock.sleep(drainMs, patience.signal).catch(() => {});
    await Promise.race([this.#underWay.idle(), late]);
    patience.abort();
  }
}
