import { createPostgresSink } from '../../../dist/sinks/postgres/index.js';

/**
 * The PostgreSQL sink with the offsets not in its transactions: rows are committed alone, the ledger afterwards and without
 * anybody waiting, as clients do that commit offsets in the background. A crash in between repeats rows. This is what
 * exactly-once is compared with.
 */
export function ledgerOutside(options) {
  return {
    createSink: async (context) => {
      const sink = await createPostgresSink(options, context);
      const background = new BackgroundCommits(sink.store);
      const release = sink.store.release.bind(sink.store);
      // What is still on its way belongs to claims that must not be given back before.
      sink.store.release = async (claims) => {
        await background.settled();
        return release(claims);
      };
      return {
        kind: sink.kind,
        guarantee: 'at-least-once',
        store: sink.store,
        concurrentTransactionsMax: sink.concurrentTransactionsMax,
        open: (how) => sink.open(how),
        close: () => sink.close(),
        begin: async (partitions) => {
          const transaction = await sink.begin(partitions);
          const commitRows = transaction.commitRanges.bind(transaction);
          // On the object itself, so that the calls for each record stay the sink's own.
          transaction.commitRanges = async (commits) => {
            await commitRows([]);
            background.add(commits);
          };
          return transaction;
        },
      };
    },
  };
}

/** One commit under way; ranges that come meanwhile go together with the next one. */
class BackgroundCommits {
  #store;
  #waiting = new Map();
  #running = Promise.resolve();
  #isRunning = false;

  constructor(store) {
    this.#store = store;
  }

  add(commits) {
    for (const commit of commits) {
      const { partition } = commit.range;
      this.#waiting.set(partition, merged(this.#waiting.get(partition), commit));
    }
    if (!this.#isRunning) this.#running = this.#run();
  }

  async settled() {
    await this.#running;
  }

  async #run() {
    this.#isRunning = true;
    while (this.#waiting.size > 0) {
      const commits = [...this.#waiting.values()];
      this.#waiting.clear();
      await this.#store.commitRanges(commits);
    }
    this.#isRunning = false;
  }
}

/** Two ranges of a partition, the second right behind the first. */
function merged(earlier, later) {
  if (earlier === undefined) return later;
  const counts = { ...earlier.counts };
  for (const name of Object.keys(counts)) counts[name] += later.counts[name];
  const { topic, partition, untilOffset } = later.range;
  const Range = later.range.constructor;
  return { ...later, counts, range: new Range(topic, partition, earlier.range.fromOffset, untilOffset) };
}
