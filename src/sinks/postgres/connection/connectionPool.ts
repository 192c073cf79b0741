import type { Client } from 'pg';
import { TidemarkError } from '../../../errors.ts';
import type { Clock } from '../../../platform/index.ts';
import type { FramePool } from '../copyWriter.ts';
import { WriteConnection } from './writeConnection.ts';

/** The write connections of a sink: opened when needed, replaced when broken, never more than `connectionsMax`. */
export class ConnectionPool {
  readonly #open: () => Promise<Client>;
  readonly #connectionsMax: number;
  readonly #frames: FramePool;
  readonly #clock: Clock;
  readonly #idle: WriteConnection[] = [];
  readonly #waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];
  /** All that live, also those in use. */
  readonly #connections = new Set<WriteConnection>();
  #opening = 0;
  #isClosed = false;

  constructor(open: () => Promise<Client>, connectionsMax: number, frames: FramePool, clock: Clock) {
    this.#clock = clock;
    this.#open = open;
    this.#connectionsMax = connectionsMax;
    this.#frames = frames;
  }

  /** Waits its turn. Rejects with what `open` rejects with. */
  async take(): Promise<WriteConnection> {
    for (;;) {
      if (this.#isClosed) throw closedError();
      const idle = this.#idle.pop();
      if (idle !== undefined && idle.loss === undefined) return idle;
      if (idle !== undefined) {
        this.#forget(idle);
        continue;
      }
      if (this.#connections.size + this.#opening < this.#connectionsMax) return this.#openOne();
      await new Promise<void>((resolve, reject) => {
        this.#waiting.push({ resolve, reject });
      });
    }
  }

  /** Gives a connection back; a broken one is not used again. */
  give(connection: WriteConnection): void {
    if (connection.loss === undefined && !this.#isClosed) this.#idle.push(connection);
    else this.#forget(connection);
    this.#waiting.shift()?.resolve();
  }

  /** Closes what is idle and destroys what is in use. Resolves when all of it is gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(closedError());
    const idle = new Set(this.#idle.splice(0));
    for (const connection of this.#connections) if (!idle.has(connection)) connection.destroy(closedError());
    await Promise.all([...this.#connections].map((connection) => connection.close(this.#clock)));
    this.#connections.clear();
  }

  async #openOne(): Promise<WriteConnection> {
    this.#opening += 1;
    try {
      const connection = new WriteConnection(await this.#open(), this.#frames);
      if (this.#isClosed) {
        await connection.close(this.#clock);
        throw closedError();
      }
      this.#connections.add(connection);
      return connection;
    } catch (error) {
      // Whoever waits has to try for itself, and gets an error of its own.
      this.#waiting.shift()?.resolve();
      throw error;
    } finally {
      this.#opening -= 1;
    }
  }

  #forget(connection: WriteConnection): void {
    this.#connections.delete(connection);
  }
}

function closedError(): TidemarkError {
  return new TidemarkError('PIPELINE_STATE', 'The sink is closed');
}
