/**
 * A process that moves the positions of two partitions in a file store, until it is killed or through: fileStoreWorker.ts DIR.
 * It tells what was answered on standard output, a file: what is told outlives the process.
 */
import { noCounts, OffsetRange } from '../../src/model/index.ts';
import { FileStore } from '../../src/offsets/stores/file/index.ts';
import { identifyProcess } from '../../src/platform/index.ts';

const store = new FileStore({ dir: process.argv[2] ?? '', pipeline: 'orders' });
await store.open();
await store.registerOwner(identifyProcess());
const places = [0, 1].map((partition) => ({ topic: 'orders', partition }));
await store.initialise(places.map((of) => ({ ...of, nextOffset: 0n, topicId: 'id' })));
const rows = await store.read();
const outcomes = await store.claim(rows.map((row) => ({ ...row, seenClaim: row.claim })));
for (let step = 1n; step <= 10n; step += 1n) {
  const commits = outcomes.map((outcome, at) => {
    if (!outcome.claimed) throw new Error('the claim missed');
    const from = (rows[at]?.nextOffset ?? 0n) + step - 1n;
    const range = new OffsetRange('orders', at, from, from + 1n);
    const counts = { ...noCounts(), records: 1, dropped: 1 };
    return { range, held: outcome.held, counts, leaderEpoch: 1, batchTimeMs: 0, kind: 'batch', reason: null } as const;
  });
  await store.commitRanges(commits);
  process.stdout.write(`${commits[0]?.range.untilOffset}\n`);
}
await store.close();
