import { noCounts, OffsetRange, type RangeCounts } from '../../src/model/index.ts';
import type { HeldClaim, RangeCommit } from '../../src/offsets/index.ts';
import type { Progress } from '../../src/operations/index.ts';
import { MemoryCluster, MemoryDatabase, type MemoryStore } from '../../src/testkit/index.ts';

export const orders = { topic: 'orders', partition: 0 };

/** A cluster with the topic `orders` of one partition, and a ledger: what operators look at, in memory. */
export interface OperatorScene {
  readonly cluster: MemoryCluster;
  readonly database: MemoryDatabase;
  readonly store: MemoryStore;
  readonly progress: Progress;
  /** Claims the partition, if it is not ours, and commits from its position on. */
  commit(length: number, more?: CommitMore): Promise<void>;
}

export type CommitMore = Partial<Omit<RangeCommit, 'counts'>> & { readonly counts?: Partial<RangeCounts> };

/** `nextOffset`: where the pipeline began. */
export async function operatorScene({
  nextOffset = 0n,
}: {
  readonly nextOffset?: bigint;
} = {}): Promise<OperatorScene> {
  const [cluster, database] = [new MemoryCluster(), new MemoryDatabase()];
  const topicId = cluster.createTopic('orders');
  const store = database.store('pipeline');
  await store.open();
  await store.registerOwner({ instanceId: 'worker', host: 'h', bootId: '', pid: 1 });
  await store.initialise([{ ...orders, nextOffset, topicId }]);
  const driver = cluster.driver();
  await driver.connect();
  let held: HeldClaim | undefined;
  let batches = 0;
  return {
    cluster,
    database,
    store,
    progress: { pipeline: 'pipeline', place: 'memory', store, driver, selection: undefined, groupId: undefined },
    commit: async (length, { counts, ...more } = {}) => {
      const [row] = await store.read();
      if (row === undefined) throw new Error('no row');
      if (held === undefined || row.claim !== held.claim) {
        const [outcome] = await store.claim([{ ...orders, seenClaim: row.claim }]);
        held = outcome?.claimed === true ? outcome.held : undefined;
      }
      if (held === undefined) throw new Error('the claim missed');
      batches += 1;
      const records = more.kind === 'gap' ? 0 : length;
      await store.commitRanges([
        {
          range: new OffsetRange(orders.topic, orders.partition, row.nextOffset, row.nextOffset + BigInt(length)),
          held,
          counts: { ...noCounts(), records, produced: records, rows: records, ...counts },
          leaderEpoch: -1,
          // A minute apart: each commit is a row of the history.
          batchTimeMs: Date.UTC(2026, 0, 1, 0, batches),
          kind: 'batch',
          reason: null,
          ...more,
        },
      ]);
    },
  };
}
