import { expect, test } from 'vitest';
import { isTidemarkError } from '../../src/errors.ts';
import type { Receiver, ReceiverContext } from '../../src/index.ts';
import { turnEventLoop } from '../../src/platform/index.ts';
import { waitUntil } from '../services/index.ts';
import {
  HandReceiver,
  logged,
  produce,
  type ReceiverProcess,
  receiverWorld,
  texts,
  topic,
} from '../support/receiverWorld.ts';

/** Options of a pipeline with one receiver and no topic. */
const only = (receiver: Receiver) => ({
  kafka: undefined,
  source: { topics: undefined, receivers: [{ name: 'hand', createReceiver: () => receiver }], blockIntervalMs: 20 },
});

const receiverTopic = ({ pipeline }: ReceiverProcess) => pipeline.status().partitions[0]?.topic ?? '';

/** Counts what it has handed in, as fast as it may, until it is stopped. */
class CountingReceiver implements Receiver {
  stored = 0;
  #done = Promise.resolve();

  start(context: ReceiverContext): void {
    this.#done = this.#run(context);
  }

  async stop(): Promise<void> {
    await this.#done;
  }

  async #run(context: ReceiverContext): Promise<void> {
    while (!context.signal.aborted) {
      await context.whenRoom().catch(() => {});
      if (context.signal.aborted) return;
      await context.store({ value: String(this.stored) });
      this.stored += 1;
      await turnEventLoop();
    }
  }
}

/** Hands in 15 records one by one, each in its own time, and does not let itself be stopped before. */
class SlowReceiver implements Receiver {
  readonly #gates: (() => void)[] = [];
  #done = Promise.resolve();
  sent = 0;
  isStopping = false;

  start(context: ReceiverContext): void {
    this.#done = (async () => {
      while (this.sent < 15) {
        await new Promise<void>((resolve) => this.#gates.push(resolve));
        await context.storeBatch([{ value: String(this.sent) }]);
        this.sent += 1;
      }
    })();
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    await this.#done;
  }

  /** Lets it send the next one. */
  async next(): Promise<void> {
    const gate = await waitUntil('the receiver to be ready', () => this.#gates.shift());
    gate();
  }
}

// Spark, StreamingContextSuite "stop gracefully": counter of the receiver == records processed.
test('after a graceful stop everything that the receiver has handed in is in the table, and nothing is in the log', async () => {
  const world = receiverWorld();
  const receiver = new CountingReceiver();
  const process = await world.start(only(receiver));
  const of = receiverTopic(process);
  await waitUntil('some rows', () => world.values(of).length > 500);
  await process.pipeline.stop({ deadlineMs: 60_000 });
  expect(world.values(of)).toEqual(Array.from({ length: receiver.stored }, (_, n) => String(n)));
  expect(process.heard.intakeClosed).toEqual([{ dir: process.dir, waiting: [] }]);
});

// Spark, StreamingContextSuite "stop slow receiver gracefully": the stop waits for its 15 records.
test('a stop waits for a slow receiver that has more to hand in', async () => {
  const world = receiverWorld();
  const receiver = new SlowReceiver();
  const process = await world.start(only(receiver));
  const of = receiverTopic(process);
  await receiver.next();
  const stopped = process.pipeline.stop({ deadlineMs: 60_000 });
  await waitUntil('the receiver to be told', () => receiver.isStopping);
  expect(world.values(of).length).toBeLessThan(15);
  for (let n = 1; n < 15; n += 1) await receiver.next();
  await stopped;
  expect(world.values(of)).toEqual(Array.from({ length: 15 }, (_, n) => String(n)));
});

test('a stop right after the start is prompt, and leaves nothing', async () => {
  const world = receiverWorld();
  const receiver = new HandReceiver();
  const process = await world.start({ source: { receivers: [{ name: 'hand', createReceiver: () => receiver }] } });
  await process.pipeline.stop();
  await process.pipeline.finished;
  expect(receiver.stops).toBe(1);
  expect(process.heard.intakeClosed[0]?.waiting).toEqual([]);
  expect(world.database.offsets(topic).map(({ claim }) => claim)).toEqual([null, null]);
});

test('a stop during a stop ends with it', async () => {
  const world = receiverWorld();
  const { database } = world;
  const receiver = new HandReceiver();
  const process = await world.start(only(receiver));
  const of = receiverTopic(process);
  const hold = database.faults.hold('commitRanges');
  await (await receiver.started).storeBatch([{ value: 'a' }]);
  await hold.waited();
  const [first, second] = [process.pipeline.stop(), process.pipeline.stop()];
  hold.release();
  await Promise.all([first, second]);
  expect(world.values(of)).toEqual(['a']);
  expect(receiver.stops).toBe(1);
});

test('a receiver that is stopped is refused what it hands in later', async () => {
  const world = receiverWorld();
  const receiver = new HandReceiver();
  const process = await world.start(only(receiver));
  const context = await receiver.started;
  await process.pipeline.stop();
  for (const late of [context.store({ value: 'late' }), context.storeBatch([{ value: 'late' }]), context.whenRoom()]) {
    expect(isTidemarkError(await late.catch((error: unknown) => error), 'RECEIVER_STOPPED')).toBe(true);
  }
});

test('stop while the sink is away: the deadline is missed, the log says what is left, the next start commits it', async () => {
  const world = receiverWorld();
  const { cluster, database } = world;
  const receivers = [new HandReceiver(), new HandReceiver()];
  const source = { receivers: [{ name: 'hand', createReceiver: () => receivers.shift() as HandReceiver }] };
  const [receiver] = receivers;
  const first = await world.start({ source });
  const hand = await waitUntil('the partition of the receiver', () =>
    first.pipeline.status().partitions.find((one) => one.topic !== topic),
  );
  database.away();
  await (await receiver?.started)?.storeBatch([{ value: 'a' }, { value: 'b' }]);
  produce(cluster, texts(3));
  await waitUntil('both in the log', () => logged(first) === 3n && logged(first, hand.topic) === 2n);
  const missed = await first.pipeline.stop({ deadlineMs: 50 }).catch((error: unknown) => error);
  expect(isTidemarkError(missed, 'STOP_DEADLINE_MISSED')).toBe(true);
  const left = [...(first.heard.intakeClosed[0]?.waiting ?? [])].map(({ topic: of, records }) => [of, records]);
  expect(left.sort()).toEqual([
    [topic, 3],
    [hand.topic, 2],
  ]);
  database.back();
  cluster.deleteRecords(topic, 0, 3n);
  const second = await world.start({ source }, { dir: first.dir, takeOver: true });
  await waitUntil('what was left', () => world.nextOffset(topic) === 3n && world.nextOffset(hand.topic) === 2n);
  await second.pipeline.stop();
  expect(world.values(hand.topic)).toEqual(['a', 'b']);
  expect(world.values()).toEqual(texts(3));
  expect(second.heard.intakeClosed[0]?.waiting).toEqual([]);
});
