import { expect, test } from 'vitest';
import { TidemarkError } from '../../../src/errors.ts';
import { GroupOffsets } from '../../../src/kafka/index.ts';
import { ManualClock } from '../../../src/testkit/memory/index.ts';

const [first, second] = [0, 1].map((partition) => ({ topic: 'orders', partition })) as [
  { topic: string; partition: number },
  { topic: string; partition: number },
];

/** A group whose commits the test ends. */
function setting(intervalMs?: number) {
  const clock = new ManualClock();
  const commits: { readonly offsets: readonly string[]; resolve(): void; reject(error: Error): void }[] = [];
  const group = new GroupOffsets(
    (offsets) =>
      new Promise((resolve, reject) => {
        commits.push({ offsets: offsets.map(({ partition, offset }) => `${partition}:${offset}`), resolve, reject });
      }),
    'tidemark:orders',
    clock,
    intervalMs,
  );
  return { clock, commits, group };
}

const away = (code: 'KAFKA_UNREACHABLE' | 'GROUP_MEMBERSHIP_LOST') =>
  new TidemarkError(code, 'away', { retriable: true });

test('one commit at a time; what becomes durable meanwhile is told with the next one, the newest offset only', async () => {
  const { clock, commits, group } = setting();
  group.tell(first, 1n);
  group.tell(first, 2n);
  group.tell(second, 7n);
  await clock.settle();
  group.tell(first, 3n);
  expect(commits.map(({ offsets }) => offsets)).toEqual([['0:1']]);
  commits[0]?.resolve();
  await clock.settle();
  expect(commits[1]?.offsets.toSorted()).toEqual(['0:3', '1:7']);
});

test('a commit that fails is repeated after a while, with what is newer by then, and says why meanwhile', async () => {
  const { clock, commits, group } = setting();
  group.tell(first, 1n);
  await clock.settle();
  commits[0]?.reject(away('KAFKA_UNREACHABLE'));
  await clock.settle();
  expect(group.failing).toMatchObject({ code: 'KAFKA_UNREACHABLE' });
  group.tell(first, 5n);
  group.tell(second, 2n);
  await clock.advance(1_000);
  expect(commits[1]?.offsets.toSorted()).toEqual(['0:5', '1:2']);
  commits[1]?.resolve();
  await clock.settle();
  expect(group.failing).toBeUndefined();
});

test('a partition that is not ours any more is not told', async () => {
  const { clock, commits, group } = setting();
  group.tell(first, 1n);
  await clock.settle();
  group.tell(second, 2n);
  group.forget(second);
  commits[0]?.resolve();
  await clock.settle();
  expect(commits).toHaveLength(1);
});

test('a partition that is given up while its commit fails is not told later', async () => {
  const { clock, commits, group } = setting();
  group.tell(first, 1n);
  group.tell(second, 1n);
  await clock.settle();
  group.tell(first, 2n);
  group.forget(first);
  commits[0]?.reject(away('KAFKA_UNREACHABLE'));
  await clock.advance(1_000);
  expect(commits[1]?.offsets).toEqual(['1:1']);
});

test('at the end there is one more try, and then no other', async () => {
  const { clock, commits, group } = setting();
  group.tell(first, 1n);
  await clock.settle();
  commits[0]?.reject(away('KAFKA_UNREACHABLE'));
  await clock.settle();
  const flushed = group.flush();
  await clock.settle();
  expect(commits[1]?.offsets).toEqual(['0:1']);
  commits[1]?.reject(away('KAFKA_UNREACHABLE'));
  await flushed;
  await clock.advance(60_000);
  expect(commits).toHaveLength(2);
});

test('with an interval, what is told after a commit waits for it, and the newest offset wins, be it lower', async () => {
  const { clock, commits, group } = setting(1000);
  group.tell(first, 5n);
  await clock.settle();
  commits[0]?.resolve();
  await clock.settle();
  group.tell(first, 7n);
  group.tell(second, 1n);
  group.tell(first, 2n);
  await clock.advance(999);
  expect(commits).toHaveLength(1);
  await clock.advance(1);
  expect(commits[1]?.offsets.toSorted()).toEqual(['0:2', '1:1']);
  commits[1]?.resolve();
  await clock.advance(1000);
  expect(commits).toHaveLength(2);
});

test('abandoned, it tries nothing any more', async () => {
  const { clock, commits, group } = setting(1000);
  group.tell(first, 5n);
  await clock.settle();
  commits[0]?.resolve();
  await clock.settle();
  group.tell(first, 7n);
  group.abandon();
  await clock.advance(60_000);
  expect(commits).toHaveLength(1);
});
