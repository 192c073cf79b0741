import { expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/platform/index.ts';
import { waitUntil } from '../services/index.ts';
import { HandReceiver, produce, type ReceiverProcess, receiverWorld, texts, topic } from '../support/receiverWorld.ts';

/** The machine's clock, which somebody sets. */
function settableClock(): Clock & { set(byMs: number): void } {
  let shiftMs = 0;
  return {
    ...systemClock,
    now: () => systemClock.now() + shiftMs,
    set: (byMs) => {
      shiftMs += byMs;
    },
  };
}

/** Batches that had something to do, in the order in which they were planned. */
const batchesOf = ({ heard }: ReceiverProcess) => heard.batchPlanned.filter(({ ranges }) => ranges.length > 0);

function expectRising(times: readonly number[]): void {
  for (const [at, time] of times.entries()) if (at > 0) expect(time).toBeGreaterThan(times[at - 1] ?? 0);
}

/** Every block was in one batch, blocks of a partition in the order of their offsets. */
function expectEachBlockOnce(process: ReceiverProcess, of: string, partition: number): void {
  const here = <T extends { readonly topic: string; readonly partition: number }>(all: readonly T[]) =>
    all.filter((one) => one.topic === of && one.partition === partition);
  const planned = here(batchesOf(process).flatMap(({ ranges }) => ranges));
  const blocks = here(process.heard.blockLogged);
  const ends = ({ fromOffset, untilOffset }: { fromOffset: bigint; untilOffset: bigint }) => [fromOffset, untilOffset];
  expect(planned.map(ends)).toEqual(blocks.map(ends));
}

// Spark, ReceivedBlockTracker: a batch takes what waits, once; JobGenerator: batch times are multiples of the interval.
test('with an interval batch times are ticks, and a batch takes every block that waits, once', async () => {
  const world = receiverWorld(2);
  const receiver = new HandReceiver();
  const process = await world.start({
    batch: { intervalMs: 200 },
    source: { blockIntervalMs: 20, receivers: [{ name: 'hand', createReceiver: () => receiver }] },
  });
  const hand = process.pipeline.status().partitions.find((one) => one.topic !== topic)?.topic ?? '';
  const context = await receiver.started;
  for (let round = 0; round < 6; round += 1) {
    const before = process.heard.batchPlanned.length;
    for (const partition of [0, 1]) produce(world.cluster, [`p${partition}-${round}`], partition);
    await context.storeBatch([{ value: `h${round}` }]);
    await waitUntil('a tick', () => process.heard.batchPlanned.length > before);
  }
  await process.pipeline.stop();
  const ticks = process.heard.batchPlanned.slice(0, -1).map(({ batchTimeMs }) => batchTimeMs);
  expect(ticks.filter((time) => time % 200 !== 0)).toEqual([]);
  expectRising(batchesOf(process).map(({ batchTimeMs }) => batchTimeMs));
  for (const [of, partition] of [
    [topic, 0],
    [topic, 1],
    [hand, 0],
  ] as const)
    expectEachBlockOnce(process, of, partition);
  expect(world.values(hand)).toEqual(texts(6, 'h'));
  expect(world.values().toSorted()).toEqual([...texts(6, 'p0-'), ...texts(6, 'p1-')]);
});

test('one transaction for a batch: it takes all blocks that wait, of all partitions', async () => {
  const world = receiverWorld(2);
  const { cluster, database } = world;
  const hold = database.faults.hold('commitRanges');
  const process = await world.start({ batch: { transaction: 'batch' }, source: { blockIntervalMs: 10 } });
  produce(cluster, ['first']);
  await hold.waited();
  for (let round = 0; round < 3; round += 1) {
    const before = process.heard.blockLogged.length;
    for (const partition of [0, 1]) produce(cluster, [`p${partition}-${round}`], partition);
    await waitUntil('blocks of both', () => process.heard.blockLogged.length >= before + 2);
  }
  expect(batchesOf(process)).toHaveLength(1);
  hold.release();
  await waitUntil('all of it', () => world.values().length === 7);
  expect(batchesOf(process)).toHaveLength(2);
  expect(batchesOf(process)[1]?.ranges).toHaveLength(process.heard.blockLogged.length - 1);
  const committed = process.heard.rangeCommitted.map(({ range }) => [
    range.partition,
    range.fromOffset,
    range.untilOffset,
  ]);
  expect(committed.toSorted((a, b) => Number(a[0]) - Number(b[0]) || Number(a[1]) - Number(b[1]))).toEqual([
    [0, 0n, 1n],
    [0, 1n, 4n],
    [1, 0n, 3n],
  ]);
});

test.each([
  { intervalMs: 0, name: 'as soon as there is something' },
  { intervalMs: 100, name: 'by ticks' },
])(
  'a clock that is set back by an hour: batch times go on rising, and nothing is lost ($name)',
  async ({ intervalMs }) => {
    const world = receiverWorld();
    const clock = settableClock();
    const process = await world.start({ batch: { intervalMs } }, { clock });
    produce(world.cluster, texts(3));
    await waitUntil('the first records', () => world.nextOffset(topic) === 3n);
    clock.set(-3_600_000);
    for (let n = 3; n < 6; n += 1) {
      produce(world.cluster, [`r${n}`]);
      await waitUntil(`record ${n}`, () => world.nextOffset(topic) === BigInt(n + 1), { limitMs: 20_000 });
    }
    await process.pipeline.stop();
    expect(world.values()).toEqual(texts(6));
    expectRising(batchesOf(process).map(({ batchTimeMs }) => batchTimeMs));
  },
);
