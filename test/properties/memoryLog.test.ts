import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock, MemoryCluster, type MemoryTransaction } from '../../src/testkit/index.ts';

const topic = 't';

/** What is known of an offset without looking into the log: a record of a transaction, a plain one, or a marker. */
interface Known {
  readonly text: string | undefined;
  readonly transaction: number | undefined;
}

type Fate = 'open' | 'committed' | 'aborted';

type Deed =
  | { readonly kind: 'plain'; readonly count: number }
  | { readonly kind: 'send'; readonly who: number; readonly count: number }
  | { readonly kind: 'end'; readonly who: number; readonly commits: boolean }
  | { readonly kind: 'delete'; readonly share: number };

const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('plain' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('send' as const), who: fc.nat(2), count: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('end' as const), who: fc.nat(2), commits: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('delete' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
);

/** Does the deeds to a log and keeps its own account of them. */
function write(deeds: readonly Deed[]) {
  const cluster = new MemoryCluster({ clock: new ManualClock() });
  const topicId = cluster.createTopic(topic);
  const known: Known[] = [];
  const fates: Fate[] = [];
  const open = new Map<number, { readonly transaction: MemoryTransaction; readonly id: number }>();
  const records = (count: number, transaction: number | undefined) =>
    Array.from({ length: count }, () => {
      const text = `${known.length}`;
      known.push({ text, transaction });
      return { value: text };
    });
  let logStart = 0;
  for (const step of deeds) {
    if (step.kind === 'plain') cluster.produce(topic, 0, records(step.count, undefined));
    else if (step.kind === 'send') {
      const mine = open.get(step.who) ?? { transaction: cluster.beginTransaction(), id: fates.push('open') - 1 };
      open.set(step.who, mine);
      mine.transaction.send(topic, 0, records(step.count, mine.id));
    } else if (step.kind === 'end') {
      const mine = open.get(step.who);
      if (mine === undefined) continue;
      open.delete(step.who);
      if (step.commits) mine.transaction.commit();
      else mine.transaction.abort();
      fates[mine.id] = step.commits ? 'committed' : 'aborted';
      known.push({ text: undefined, transaction: undefined });
    } else {
      logStart = Math.max(logStart, Math.floor(step.share * known.length));
      cluster.deleteRecords(topic, 0, BigInt(logStart));
    }
  }
  const firstOpen = known.findIndex(({ transaction }) => transaction !== undefined && fates[transaction] === 'open');
  const stable = Math.max(firstOpen < 0 ? known.length : firstOpen, logStart);
  const readable = known.map(({ text, transaction }) =>
    transaction === undefined || fates[transaction] === 'committed' ? text : undefined,
  );
  return { cluster, topicId, logStart, stable, end: known.length, readable };
}

test('a log gives, from every offset on, what was committed below the first open transaction and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(deed, { maxLength: 25 }),
      fc.integer({ min: 80, max: 400 }),
      async (deeds, fetchBytesMax) => {
        const { cluster, topicId, logStart, stable, end, readable } = write(deeds);
        expect(cluster.bounds(topic, 0)).toEqual({
          logStartOffset: BigInt(logStart),
          highWatermark: BigInt(end),
          lastStableOffset: BigInt(stable),
        });
        const driver = cluster.driver();
        await driver.connect();
        const fetcher = driver.openFetcher({ fetchBytesMax });
        for (let from = logStart; from <= stable; from += 1) {
          const start = { topic, partition: 0, topicId, fromOffset: BigInt(from), onChange: () => {} };
          const stream = fetcher.follow(start);
          while (stream.fetchedUntil < BigInt(stable)) await new Promise((resolve) => setImmediate(resolve));
          const texts: (string | null)[] = [];
          for (let chunk = stream.take(); chunk !== undefined; chunk = stream.take()) {
            for (const cursor = chunk.cursor(); cursor.next(); ) texts.push(cursor.record().text());
          }
          stream.close();
          expect(texts).toEqual(readable.slice(from, stable).filter((text) => text !== undefined));
        }
        await driver.close();
      },
    ),
    { numRuns: 150 },
  );
});
