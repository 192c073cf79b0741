import { partitionKey, type TopicPartition } from '../../../model/index.ts';
import type { CommittedRange } from '../../ledgerEntries.ts';

interface Waiting {
  readonly of: TopicPartition;
  readonly resolve: (newest: CommittedRange | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Questions that are asked in one go become one request: a start asks of every partition. */
export class NewestRanges {
  readonly #ask: (of: readonly TopicPartition[]) => Promise<readonly CommittedRange[]>;
  #waiting: Waiting[] = [];

  constructor(ask: (of: readonly TopicPartition[]) => Promise<readonly CommittedRange[]>) {
    this.#ask = ask;
  }

  of(of: TopicPartition): Promise<CommittedRange | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) queueMicrotask(() => void this.#askAll());
      this.#waiting.push({ of, resolve, reject });
    });
  }

  async #askAll(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      const found = await this.#ask(waiting.map(({ of }) => of));
      const byPartition = new Map(found.map((range) => [partitionKey(range), range]));
      for (const { of, resolve } of waiting) resolve(byPartition.get(partitionKey(of)));
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}
