import type { Duplex } from 'node:stream';
import type { Client } from 'pg';
import { leave } from '../../../offsets/stores/postgres/index.ts';
import type { Clock } from '../../../platform/index.ts';
import type { FramePool } from '../copyWriter.ts';
import { type Answer, Exchange } from './exchange.ts';

/** What the driver's types leave out. */
interface ClientInternals {
  readonly connection: { readonly stream: Duplex };
  readonly processID: number | null;
}

/** A connection that rows are written on: raw frames out, answers in. Used by one transaction at a time. */
export class WriteConnection {
  readonly client: Client;
  readonly #frames: FramePool;
  readonly #exchange: Exchange;
  readonly #ended: Promise<void>;
  #loss: Error | undefined;
  #isCut = false;
  #bytesInFlight = 0;
  #onRoom: (() => void) | undefined;
  readonly #lossListeners = new Set<(loss: Error) => void>();

  constructor(client: Client, frames: FramePool) {
    this.client = client;
    this.#frames = frames;
    this.#exchange = new Exchange(client);
    client.on('error', (error) => this.#lost(error));
    this.#ended = new Promise((resolve) => {
      client.once('end', () => {
        this.#lost(new Error('the connection ended'));
        resolve();
      });
    });
  }

  /** Why the connection cannot be used any more. */
  get loss(): Error | undefined {
    return this.#loss;
  }

  /** The backend's process id; behind a pooler some other number. */
  get processId(): number {
    return (this.client as unknown as ClientInternals).processID ?? 0;
  }

  /** Bytes handed to the socket that it has not taken yet. */
  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  /** Sends the first `length` bytes of a frame; `onTaken` is called when the operating system has them. */
  send(frame: Buffer, length: number, onTaken?: () => void): void {
    this.#bytesInFlight += length;
    const taken = () => {
      this.#bytesInFlight -= length;
      this.#frames.give(frame);
      onTaken?.();
      this.#onRoom?.();
    };
    if (this.#loss === undefined) this.#stream.write(frame.subarray(0, length), taken);
    else taken();
  }

  /** The answer to the next query string that is sent. */
  expect(): Promise<Answer> {
    return this.#exchange.expect();
  }

  /** Resolves when at most `bytes` are in flight, or the connection is lost. */
  async whenRoom(bytes: number): Promise<void> {
    while (this.#bytesInFlight > bytes && this.#loss === undefined) {
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
    }
    this.#onRoom = undefined;
  }

  /** Calls back when the connection is lost, at once when it is already; the returned function ends that. */
  onLoss(callback: (loss: Error) => void): () => void {
    if (this.#loss !== undefined) callback(this.#loss);
    else this.#lossListeners.add(callback);
    return () => this.#lossListeners.delete(callback);
  }

  /** Whether it was ended by us in the middle of something. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Ends it at once, whatever is under way: pending answers become errors. */
  destroy(reason: Error): void {
    if (this.#loss === undefined) this.#isCut = true;
    this.#lost(reason);
    this.#stream.destroy();
  }

  /** Ends it in good order, though never waiting for a silent server; resolves when it is closed. */
  async close(clock: Clock): Promise<void> {
    if (this.#loss === undefined) {
      this.#lost(new Error('the connection was closed'));
      await leave(this.client, clock);
    } else {
      this.#stream.destroy();
    }
    await this.#ended;
  }

  get #stream(): Duplex {
    return (this.client as unknown as ClientInternals).connection.stream;
  }

  #lost(error: Error): void {
    if (this.#loss !== undefined) return;
    this.#loss = error;
    this.#onRoom?.();
    for (const callback of this.#lossListeners) callback(error);
  }
}
