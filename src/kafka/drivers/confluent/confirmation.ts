import type { FetcherCore } from './fetcherParts.ts';
import { identityFailure } from './identity.ts';
import { knownTopics } from './lookups.ts';
import type { Delivery, Reading } from './reading.ts';

/** Least time between two looks: how many requests this costs, and how much a record may wait. */
const paceMs = 10;
const retryMs = 100;

/**
 * Hands out what was read once the identity of its topic is known. The library fetches by the topic id that it learnt last and
 * takes up another one without a word, as its source says itself: after
 *
 * 1. we look, and the topic has the id that was asked for,
 * 2. the topic is deleted and made again, and gets more records than we have read of the old one,
 * 3. the library learns the new id and fetches on at the old offset,
 *
 * records of the new topic arrive as if they followed those of the old one. So the look comes *after* the records: a topic id
 * is never used twice, and where the old one is found after a record has arrived, it was the topic's when it was fetched.
 * What a look cannot see is a broker cut off from its controller that answers with what it knew; the library chooses whom to ask.
 * Records that arrive while a look is under way wait for the next one. A commit needs no look of its own: all that it can hold
 * was looked at after it was read.
 */
export class Confirmation {
  readonly #fetcher: FetcherCore;
  #isRunning = false;

  constructor(fetcher: FetcherCore) {
    this.#fetcher = fetcher;
  }

  /** Something was delivered. */
  soon(): void {
    if (this.#isRunning || this.#fetcher.ending.aborted) return;
    this.#isRunning = true;
    void this.#run().finally(() => {
      this.#isRunning = false;
    });
  }

  async #run(): Promise<void> {
    const { clock, ending } = this.#fetcher;
    for (;;) {
      const waiting = [...this.#fetcher.readings].filter((reading) => reading.hasWaiting);
      if (waiting.length === 0 || ending.aborted) return;
      const isAnswered = await this.#confirm(waiting.map((reading) => [reading, reading.mark()]));
      await clock.sleep(isAnswered ? paceMs : retryMs, ending).catch(() => {});
    }
  }

  /** False where nobody answers; the survey tells the streams about that. */
  async #confirm(deliveries: readonly (readonly [Reading, Delivery])[]): Promise<boolean> {
    const fetcher = this.#fetcher;
    let topics: Awaited<ReturnType<typeof knownTopics>>;
    try {
      topics = await knownTopics(
        fetcher.client,
        deliveries.map(([{ stream }]) => stream.topic),
      );
    } catch {
      return false;
    }
    for (const [reading, delivery] of deliveries) {
      const failure = identityFailure(reading.stream, topics.get(reading.stream.topic));
      if (failure === undefined) reading.handOut(delivery, fetcher.watermarks(reading));
      else fetcher.failed(reading, failure);
    }
    fetcher.changed();
    return true;
  }
}
