import { TidemarkError } from '../../errors.ts';
import { type Clock, systemClock } from '../../platform/index.ts';
import type { Receiver, ReceiverContext } from '../receiver.ts';
import { LineSplitter, type LongLine } from './lineSplitter.ts';
import { SocketReader } from './socketReader.ts';

export interface SocketReceiverOptions {
  readonly host: string;
  readonly port: number;
  /** A longer line is reported and skipped. Default 1 MiB. */
  readonly lineBytesMax?: number;
  /** How long a connect may take, the look-up of the name included. Default 5000. */
  readonly connectTimeoutMs?: number;
}

/** Spark's socketTextStream: the same pause after a connect that failed and after the end of a connection, for ever. */
const reconnectDelayMs = 2000;

/**
 * Connects to a server that sends text, and stores each line as one record: its value is the bytes of the line as they came.
 * A server cannot be told what is safe: what is in memory when the process dies is lost, and what it sends while nobody is
 * connected.
 */
export function createSocketReceiver(options: SocketReceiverOptions, clock: Clock = systemClock): Receiver {
  let reception: Reception | undefined;
  return {
    start: (context) => {
      reception = new Reception(options, context, clock);
      void reception.run();
    },
    stop: () => reception?.end(),
  };
}

/** One start of the receiver: one connection. */
class Reception {
  readonly #name: string;
  readonly #lineBytesMax: number;
  readonly #connectTimeoutMs: number;
  readonly #context: ReceiverContext;
  readonly #clock: Clock;
  readonly #reader: SocketReader;
  readonly #splitter: LineSplitter;
  #isEnded = false;

  constructor(options: SocketReceiverOptions, context: ReceiverContext, clock: Clock) {
    const { host, port, lineBytesMax = 1_048_576, connectTimeoutMs = 5000 } = options;
    this.#name = `socket ${host}:${port}`;
    this.#lineBytesMax = lineBytesMax;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#context = context;
    this.#clock = clock;
    this.#reader = new SocketReader(host, port);
    this.#splitter = new LineSplitter(lineBytesMax);
  }

  /** A store that waits is not waited for: it is the context's to reject, and nothing follows it. */
  end(): void {
    this.#isEnded = true;
    this.#reader.close();
  }

  async run(): Promise<void> {
    let what = 'cannot connect';
    try {
      await this.#reader.connected(this.#connectTimeoutMs, this.#clock, () => this.#timedOut());
      what = 'the connection broke';
      await this.#receive();
      this.#restart('the connection ended');
    } catch (error) {
      this.#restart(`${what}${this.#unfinished()}`, error);
    } finally {
      this.#reader.close();
    }
  }

  async #receive(): Promise<void> {
    for (;;) {
      await this.#context.whenRoom();
      const piece = await this.#reader.read();
      if (this.#isOver) return;
      if (piece === undefined) break;
      for (const line of this.#splitter.push(piece)) {
        await this.#handIn(line);
        if (this.#isOver) return;
      }
    }
    const last = this.#splitter.end();
    if (last !== undefined) await this.#handIn(last);
  }

  async #handIn(line: Buffer | LongLine): Promise<void> {
    if (Buffer.isBuffer(line)) await this.#context.store({ value: line });
    else this.#reportLongLine(line);
  }

  #reportLongLine({ line, byteOffset, bytes }: LongLine): void {
    const where = `${this.#name}: line ${line} of the connection, at byte ${byteOffset},`;
    this.#context.reportError(
      bytes === undefined
        ? `${where} is longer than ${this.#lineBytesMax} bytes: it is skipped up to its end`
        : `${where} had ${bytes} bytes, more than ${this.#lineBytesMax}: it was skipped`,
    );
  }

  #restart(message: string, error?: unknown): void {
    if (!this.#isOver) this.#context.restart(`${this.#name}: ${message}`, error, reconnectDelayMs);
  }

  /** A connection that broke may have cut its last line in the middle: half a line is no record. */
  #unfinished(): string {
    const bytes = this.#splitter.unfinishedBytes;
    return bytes === 0 ? '' : ` and ${bytes} bytes of a line without its end are dropped`;
  }

  get #isOver(): boolean {
    return this.#isEnded || this.#context.signal.aborted;
  }

  #timedOut(): TidemarkError {
    return new TidemarkError('RECEIVER_FAILED', `${this.#name}: no connection within ${this.#connectTimeoutMs} ms`, {
      retriable: true,
      hint: 'Check host and port, and whether a firewall drops the packets.',
    });
  }
}
