import { setTimeout as delay } from 'node:timers/promises';
import { appendRound, type Input } from '../crash/input.ts';
import type { KafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';

export const size = { filled: 3, recordsPerStep: 15 };

/** Writes round after round, and knows between two rounds what is in the log. */
export class Producer {
  readonly #environment: KafkaDriverEnvironment;
  readonly #input: Input;
  #stopped = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(environment: KafkaDriverEnvironment, input: Input) {
    this.#environment = environment;
    this.#input = input;
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      await this.#inTurn(() => appendRound(this.#environment, this.#input, size));
      await delay(300);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Runs `work` between two rounds: a broker that goes away would leave open what was written. */
  whilePaused<T>(work: () => Promise<T>): Promise<T> {
    return this.#inTurn(work);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}
