import { describe, expect, it, type TestContext } from 'vitest';
import {
  type FailpointName,
  failpointNames,
  type ReceiverFailpointName,
  receiverFailpointNames,
  type WalFailpointName,
  walFailpointNames,
} from '../../src/platform/index.ts';
import { waitUntil } from '../services/index.ts';
import {
  expectOrderlyEnd,
  expectPostsKept,
  expectTopicKept,
  newReceiverTrial,
  partitions,
  type ReceiverTrial,
} from './receiverTrial.ts';
import { sharedSetting } from './setting.ts';
import type { Worker, WorkerEvent } from './workerProcess.ts';

const setting = sharedSetting({ filled: 1, rounds: 0, recordsPerStep: 1 });

/** On which passes a process in receiver mode is killed; `release`: on the first one, which comes when it is told to stop. */
const passes: Readonly<
  Record<FailpointName | WalFailpointName | ReceiverFailpointName, readonly number[] | 'release'>
> = {
  'direct.beforeRead': [5],
  'direct.afterRead': [5],
  'sink.beforeWrite': [5],
  'sink.midCopy': [5],
  'sink.beforeCommit': [5],
  'sink.commitSent': [5],
  'sink.afterCommit': [5],
  'store.beforeClaim': [1],
  'store.afterClaim': [1],
  'store.beforeRelease': 'release',
  // The rows of the topic, then that of the receiver.
  'store.afterInitialise': [1, 2],
  'store.midMigration': [1],
  'wal.beforeWrite': [1, 9],
  'wal.beforeSync': [9],
  'wal.afterSync': [9],
  'wal.beforeSegment': [1],
  'wal.beforeSegmentNoted': [2],
  'wal.afterSegment': [2],
  'wal.beforeState': [4],
  'wal.afterState': [4],
  'wal.beforeDelete': [1],
  'wal.afterDelete': [1],
  'receiver.beforeBlockLogged': [8],
  'receiver.afterBlockLogged': [8],
  'receiver.beforeGroupCommit': [3],
  'receiver.afterGroupCommit': [3],
  'receiver.beforeAllocation': [4],
  'receiver.afterAllocation': [4],
  'receiver.beforeCleanup': [2],
  'receiver.afterCleanup': [2],
  'receiver.beforeWatermark': [1],
  'receiver.afterWatermark': [2],
};
const cases = Object.entries(passes).flatMap(([name, at]) =>
  at === 'release' ? [{ name, pass: 1, isAtRelease: true }] : at.map((pass) => ({ name, pass, isAtRelease: false })),
);

const killed = { signal: 'SIGKILL', code: null };
const timeout = 240_000;
const limitMs = 120_000;

describe('a process in receiver mode that is killed', { timeout }, () => {
  it('every failpoint of the program has its case', () => {
    const names = [...failpointNames, ...walFailpointNames, ...receiverFailpointNames];
    expect(Object.keys(passes).sort()).toEqual(names.sort());
  });

  it.concurrent.for(cases)('at $name, pass $pass: acknowledged records are there, once', async (one, context) => {
    const { name, pass, isAtRelease } = one;
    const { place, sender, expectKeptAtEnd } = await startReceiving(context);
    const first = await place.start({}, `${name}@${pass}:kill`);
    if (isAtRelease) {
      await waitUntilFar(first, 30);
      first.signal('SIGTERM');
    }
    expect(await first.ended(), first.logTail()).toEqual(killed);
    const next = await place.start();
    await sender.waitForMore(30);
    await expectKeptAtEnd(next);
  });

  it.concurrent.for([1, 1_000, 2_000])(
    'three times in a row at any time (seed %i): the same',
    async (seed, context) => {
      const random = randomFrom(seed);
      const { place, sender, expectKeptAtEnd } = await startReceiving(context);
      for (let round = 0; round < 3; round += 1) {
        const worker = await place.start();
        await waitUntilFar(worker, Math.floor(random() * 120));
        await kill(worker);
      }
      const last = await place.start();
      await sender.waitForMore(30);
      await expectKeptAtEnd(last);
    },
  );
});

describe('a process in receiver mode that another one takes the topic from', { timeout }, () => {
  it.concurrent('frozen past its heartbeat: it is fenced, its receiver goes on, and so does the topic when it is back', async (context) => {
    const { receiverTrial, place, sender, expectKeptAtEnd } = await startReceiving(context);
    const { topic } = receiverTrial.input;
    const frozen = await place.start();
    await withBlocksWaiting(receiverTrial, frozen, async () => {
      frozen.signal('SIGSTOP');
      await frozen.waitUntilStopped();
    });
    const elsewhere = await receiverTrial.newPlace();
    const senderElsewhere = elsewhere.startSender();
    const other = await elsewhere.start();
    await waitFor(other, 'rangeCommitted', topic, 4);
    frozen.signal('SIGCONT');
    await waitFor(frozen, 'partitionStandby', topic, partitions.length);
    await waitFor(frozen, 'blocksDiscarded', topic, 1);
    await sender.waitForMore(30);
    await expectOrderlyEnd(other);
    await expectPostsKept(elsewhere, senderElsewhere);
    await waitFor(frozen, 'partitionClaimed', topic, 2 * partitions.length);
    await expectKeptAtEnd(frozen);
  });

  it.concurrent('killed, and the other one too: when the topic is back, the blocks of the first claim are discarded', async (context) => {
    const { receiverTrial, place, sender, expectKeptAtEnd } = await startReceiving(context);
    const { topic } = receiverTrial.input;
    const elsewhere = await receiverTrial.newPlace();
    const senderElsewhere = elsewhere.startSender();
    const first = await place.start();
    await withBlocksWaiting(receiverTrial, first, async () => {
      await kill(first);
      const other = await elsewhere.start();
      await waitFor(other, 'blockLogged', topic, 2);
      await kill(other);
    });
    const back = await place.start();
    await waitFor(back, 'blocksDiscarded', topic, partitions.length);
    const other = await elsewhere.start();
    await waitFor(other, 'partitionStandby', topic, partitions.length);
    await Promise.all([sender.waitForMore(30), senderElsewhere.waitForMore(30)]);
    await expectKeptAtEnd(back);
    // Its log has blocks of the topic until it has the topic again.
    await waitFor(other, 'partitionClaimed', topic, partitions.length);
    await expectOrderlyEnd(other);
    await expectPostsKept(elsewhere, senderElsewhere);
  });
});

type Context = Pick<TestContext, 'onTestFinished'>;

/** A topic that is produced to and a receiver that is posted to all the time, before anything runs. */
async function startReceiving({ onTestFinished }: Context) {
  const receiverTrial = await newReceiverTrial(setting(), onTestFinished);
  const place = await receiverTrial.newPlace();
  const sender = place.startSender();
  const stopProducing = receiverTrial.startProducing();
  const expectKeptAtEnd = async (worker: Worker) => {
    await stopProducing();
    await receiverTrial.waitUntilTopicDone(worker);
    await expectOrderlyEnd(worker);
    await expectPostsKept(place, sender);
    await expectTopicKept(receiverTrial);
  };
  return { receiverTrial, place, sender, expectKeptAtEnd };
}

/** While it works, nothing can be committed, and blocks of both partitions wait. */
async function withBlocksWaiting({ trial, input }: ReceiverTrial, worker: Worker, work: () => Promise<void>) {
  await waitUntilFar(worker, 30);
  await trial.holding('LOCK TABLE target IN ACCESS EXCLUSIVE MODE', async () => {
    const blocks = (partition: number) =>
      worker.events('blockLogged').filter((event) => event.topic === input.topic && event.partition === partition);
    const before = partitions.map((partition) => blocks(partition).length);
    const isFar = () => partitions.every((partition) => blocks(partition).length >= (before[partition] ?? 0) + 4);
    await waitUntil('blocks of the topic to wait', isFar, { limitMs });
    await work();
  });
}

async function kill(worker: Worker): Promise<void> {
  worker.signal('SIGKILL');
  expect(await worker.ended(), worker.logTail()).toEqual(killed);
}

/** The n-th event of that name about the topic. */
async function waitFor(worker: Worker, event: string, topic: string, nth: number): Promise<void> {
  const isThere = () => worker.events(event).filter(isOf(topic)).length >= nth;
  await waitUntil(`event ${nth} ${event} of ${topic}`, isThere, { limitMs });
}

function isOf(topic: string) {
  return ({ topic: own, range }: WorkerEvent) => (own ?? (range as { topic?: string } | undefined)?.topic) === topic;
}

/** Until so much has happened, or it has ended. */
async function waitUntilFar(worker: Worker, events: number): Promise<void> {
  const isFar = () => worker.events().length >= events || !worker.alive();
  await waitUntil('events of the worker', isFar, { limitMs, everyMs: 5 });
}

/** Numbers from 0 to 1, the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
