import { connect, type Socket } from 'node:net';
import type { TidemarkError } from '../../errors.ts';
import { type Clock, withDeadline } from '../../platform/index.ts';

const readBytes = 65_536;

interface Waiting {
  resolve(bytes: Buffer | undefined): void;
  reject(error: unknown): void;
}

/**
 * A connection that is read from only when asked. A paused stream of Node reads on until its own buffer is full, and loses what is in
 * there when the connection breaks; one buffer of our own is filled once for each call of `read`.
 */
export class SocketReader {
  readonly #socket: Socket;
  #waiting: Waiting | undefined;
  #isEnded = false;
  #error: unknown;

  constructor(host: string, port: number) {
    this.#socket = connect({
      host,
      port,
      // A peer that vanished without a word would be waited for for ever.
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      onread: {
        buffer: Buffer.allocUnsafeSlow(readBytes),
        callback: (size, buffer) => {
          this.#settle((waiting) => waiting.resolve(Buffer.from(buffer.buffer, buffer.byteOffset, size)));
          // No reads until the next call.
          return false;
        },
      },
    });
    this.#socket.pause();
    this.#socket.on('error', (error) => {
      this.#error = error;
      this.#settle((waiting) => waiting.reject(error));
    });
    for (const event of ['end', 'close']) {
      this.#socket.on(event, () => {
        this.#isEnded = true;
        this.#settle((waiting) => waiting.resolve(undefined));
      });
    }
  }

  /** Resolves when the connection stands; rejects with the error of the system, or `onTimeout()`. */
  async connected(timeoutMs: number, clock: Clock, onTimeout: () => TidemarkError): Promise<void> {
    const connecting = new Promise<void>((resolve, reject) => {
      this.#socket.once('connect', resolve);
      this.#socket.once('error', reject);
      this.#socket.once('close', resolve);
    });
    await withDeadline(connecting, timeoutMs, clock, onTimeout);
  }

  /** The next bytes, valid until the next call; undefined = the connection has ended. Rejects when it broke. */
  read(): Promise<Buffer | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) reject(this.#error);
      else if (this.#isEnded) resolve(undefined);
      else {
        this.#waiting = { resolve, reject };
        this.#socket.resume();
      }
    });
  }

  /** Ends the connection; a read that waits gives undefined. */
  close(): void {
    this.#socket.destroy();
  }

  #settle(how: (waiting: Waiting) => void): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) how(waiting);
  }
}
