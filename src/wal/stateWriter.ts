import { type DurableFile, failpoint } from '../platform/index.ts';
import { type LogState, writeSlot } from './state.ts';

/** Writes the state one change after the other; changes that come while one is written share the next write. */
export class StateWriter {
  readonly #file: DurableFile;
  #state: LogState;
  #changes: Partial<LogState> = {};
  #running: Promise<void> | undefined;
  #following: Promise<void> | undefined;

  constructor(file: DurableFile, state: LogState) {
    this.#file = file;
    this.#state = state;
  }

  /** As it was last written. */
  get state(): LogState {
    return this.#state;
  }

  /**
   * Resolves when the change is durable. Rejects with the system's error; the change is forgotten then, and the slot it went
   * to is the one the next change is written to: the good one is never touched.
   */
  update(changes: Partial<Omit<LogState, 'generation' | 'logId'>>): Promise<void> {
    this.#changes = { ...this.#changes, ...changes };
    // First this: between the end of a write and the start of the one that follows nothing is running.
    if (this.#following !== undefined) return this.#following;
    if (this.#running === undefined) return this.#start();
    const next = () => {
      this.#following = undefined;
      return this.#start();
    };
    this.#following = this.#running.then(next, next);
    return this.#following;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #start(): Promise<void> {
    const state = { ...this.#state, ...this.#changes, generation: this.#state.generation + 1n };
    this.#changes = {};
    this.#running = this.#write(state).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #write(state: LogState): Promise<void> {
    failpoint('wal.beforeState');
    await writeSlot(this.#file, state);
    this.#state = state;
    failpoint('wal.afterState');
  }
}
