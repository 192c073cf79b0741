import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, TidemarkError } from '../../../src/errors.ts';
import {
  BlockGenerator,
  type BlockGeneratorListener,
  type BlockGeneratorOptions,
} from '../../../src/receiver/blockGenerator.ts';
import { ManualClock } from '../../../src/testkit/index.ts';

/** Writes down what it is told. What a push does beside that, a test says. */
class Recorder implements BlockGeneratorListener<number> {
  readonly added: unknown[] = [];
  readonly generated: string[] = [];
  readonly pushed: { readonly blockId: string; readonly items: readonly number[] }[] = [];
  readonly errors: { readonly message: string; readonly error: unknown }[] = [];
  push: (blockId: string, items: readonly number[]) => Promise<void> = async () => {};

  onAddData(_item: number | readonly number[], metadata: unknown): void {
    this.added.push(metadata);
  }

  onGenerateBlock(blockId: string): void {
    this.generated.push(blockId);
  }

  async onPushBlock(blockId: string, items: readonly number[]): Promise<void> {
    await this.push(blockId, items);
    this.pushed.push({ blockId, items });
  }

  onError(message: string, error: unknown): void {
    this.errors.push({ message, error });
  }

  get items(): readonly number[] {
    return this.pushed.flatMap(({ items }) => items);
  }
}

/** An item is as large as its value says. */
function setting(options: Partial<BlockGeneratorOptions<number>> = {}, listener = new Recorder()) {
  const clock = new ManualClock();
  const generator = new BlockGenerator(listener, {
    name: 'input',
    blockIntervalMs: 10,
    blockBytesMax: 1000,
    bytesOf: (item) => item,
    clock,
    ...options,
  });
  return { clock, listener, generator };
}

const numbers = (from: number, until: number) => Array.from({ length: until - from + 1 }, (_, index) => from + index);
const away = () => new TidemarkError('WAL_FULL', 'no room', { retriable: true });
const withCode = (code: ErrorCode) => expect.objectContaining({ code });

/** A promise that the test settles. */
function gate() {
  let open = () => {};
  let fail: (error: unknown) => void = () => {};
  const passed = new Promise<void>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { passed, open, fail };
}

describe("as Spark's BlockGeneratorSuite has it", () => {
  it('block generation and data callbacks', async () => {
    const { clock, listener, generator } = setting();
    expect([generator.isActive, generator.isStopped]).toEqual([false, false]);
    expect(listener).toMatchObject({ added: [], generated: [], pushed: [] });

    generator.start();
    expect([generator.isActive, generator.isStopped]).toEqual([true, false]);
    await clock.advance(10);
    expect(listener).toMatchObject({ added: [], generated: [], pushed: [] });

    for (const item of numbers(1, 10)) generator.addData(item);
    expect(listener).toMatchObject({ added: [], generated: [], pushed: [] });
    await clock.advance(10);
    expect(listener.generated).toEqual(['input-1']);
    expect(listener.pushed).toEqual([{ blockId: 'input-1', items: numbers(1, 10) }]);

    for (const item of numbers(11, 20)) generator.addDataWithCallback(item, String(item));
    expect(listener.added).toEqual(numbers(11, 20).map(String));
    await clock.advance(10);
    expect(listener.items).toEqual(numbers(1, 20));

    generator.addMultipleDataWithCallback(numbers(21, 30), 'metadata');
    expect(listener.added).toEqual([...numbers(11, 20).map(String), 'metadata']);
    await clock.advance(10);
    expect(listener.items).toEqual(numbers(1, 30));
    expect(listener.errors).toEqual([]);
  });

  it('stop ensures correct shutdown: nothing is added any more, a second stop is fine', async () => {
    const { listener, generator } = setting();
    generator.start();
    generator.addData(1);
    const stopped = generator.stop();
    expect([generator.isActive, generator.isStopped]).toEqual([false, false]);
    await stopped;
    expect([generator.isActive, generator.isStopped]).toEqual([false, true]);
    expect(listener.items).toEqual([1]);
    for (const call of [
      () => generator.addData(2),
      () => generator.addDataWithCallback(2, 'late'),
      () => generator.addMultipleDataWithCallback([2], 'late'),
      () => generator.start(),
    ]) {
      expect(call).toThrow(withCode('PIPELINE_STATE'));
    }
    expect(listener.added).toEqual([]);
    expect(generator.stop()).toBe(stopped);
  });

  it('block push errors are reported', async () => {
    const { clock, listener, generator } = setting();
    listener.push = () => Promise.reject(new Error('test'));
    generator.start();
    generator.addData(1);
    await clock.advance(10);
    expect(listener.errors[0]).toEqual({
      message: 'Block input-1 could not be pushed',
      error: expect.objectContaining({ message: 'test' }),
    });
  });
});

describe('a cut', () => {
  it('comes at the multiples of the interval since the start, and leaves no timer behind', async () => {
    const { clock, listener, generator } = setting();
    await clock.advance(7);
    generator.start();
    await clock.advance(14);
    expect(clock.pendingTimers).toBe(0);
    generator.addData(1);
    await clock.advance(5);
    generator.addData(2);
    expect(clock.pendingTimers).toBe(1);
    expect(listener.generated).toEqual([]);
    await clock.advance(1);
    expect(listener.items).toEqual([1, 2]);
    // On the multiple itself: it belongs to the interval that begins.
    generator.addData(3);
    await clock.advance(9);
    expect(listener.items).toEqual([1, 2]);
    await clock.advance(1);
    expect(listener.items).toEqual([1, 2, 3]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('does not come early with a timer that does', async () => {
    class HastyClock extends ManualClock {
      override after(ms: number, callback: () => void): () => void {
        return super.after(ms > 4 ? ms - 4 : ms, callback);
      }
    }
    const clock = new HastyClock();
    const { listener, generator } = setting({ clock });
    generator.start();
    generator.addData(1);
    await clock.advance(7);
    generator.addData(2);
    await clock.advance(2);
    expect(listener.generated).toEqual([]);
    await clock.advance(1);
    expect(listener.pushed).toEqual([{ blockId: 'input-1', items: [1, 2] }]);
  });

  it('comes before what would make the block too large; one item may be larger', async () => {
    const { listener, generator } = setting({ blockBytesMax: 10 });
    generator.start();
    for (const item of [6, 4, 1, 11, 2]) generator.addData(item);
    expect(listener.generated).toEqual(['input-1', 'input-2', 'input-3']);
    await generator.stop();
    expect(listener.pushed.map(({ items }) => items)).toEqual([[6, 4], [1], [11], [2]]);
  });

  it('comes when it is asked for, and an empty block is none', async () => {
    const { clock, listener, generator } = setting();
    generator.cut();
    generator.start();
    generator.cut();
    generator.addMultipleDataWithCallback([], 'nothing');
    expect(clock.pendingTimers).toBe(0);
    generator.addData(1);
    generator.cut();
    generator.cut();
    expect(listener.generated).toEqual(['input-1']);
    expect(clock.pendingTimers).toBe(0);
    await generator.stop();
    generator.cut();
    expect(listener.pushed).toEqual([{ blockId: 'input-1', items: [1] }]);
  });

  it('tells in its own step, after all that was told of what is in the block', () => {
    const told: unknown[] = [];
    const listener = new Recorder();
    listener.onAddData = (_, metadata) => told.push(metadata);
    listener.onGenerateBlock = (blockId) => told.push(blockId);
    const { generator } = setting({ blockBytesMax: 10 }, listener);
    generator.start();
    generator.addDataWithCallback(6, 'a');
    generator.addMultipleDataWithCallback([2, 3], 'b');
    generator.cut();
    expect(told).toEqual(['a', 'input-1', 'b', 'input-2']);
  });
});

describe('pushing', () => {
  it('goes one by one, and what is not durable yet is counted', async () => {
    const { clock, listener, generator } = setting();
    const gates = [gate(), gate()];
    const begun: string[] = [];
    listener.push = (blockId) => {
      begun.push(blockId);
      return gates[begun.length - 1]?.passed ?? Promise.resolve();
    };
    generator.start();
    for (const item of [3, 4]) {
      generator.addData(item);
      generator.cut();
    }
    generator.addData(5);
    expect([generator.waitingBlocks, generator.waitingBytes]).toEqual([3, 12]);
    await clock.settle();
    expect(begun).toEqual(['input-1']);
    gates[0]?.open();
    await clock.settle();
    expect(begun).toEqual(['input-1', 'input-2']);
    expect([generator.waitingBlocks, generator.waitingBytes]).toEqual([2, 9]);
    gates[1]?.open();
    await generator.stop();
    expect([generator.waitingBlocks, generator.waitingBytes]).toEqual([0, 0]);
    expect(listener.items).toEqual([3, 4, 5]);
  });

  it('tries a block again while that can help, with growing delays, and nothing overtakes it', async () => {
    const { clock, listener, generator } = setting();
    const triedAtMs: number[] = [];
    listener.push = async (blockId) => {
      if (blockId !== 'input-1') return;
      triedAtMs.push(clock.monotonic());
      if (triedAtMs.length < 9) throw away();
    };
    generator.start();
    generator.addData(1);
    await clock.advance(10);
    generator.addData(2);
    await clock.advance(60);
    expect(generator.waitingBlocks).toBe(2);
    expect(listener.pushed).toEqual([]);
    await clock.advance(30_000);
    expect(listener.pushed.map(({ items }) => items)).toEqual([[1], [2]]);
    expect(listener.errors).toHaveLength(8);
    const delays = triedAtMs.slice(1).map((atMs, index) => atMs - (triedAtMs[index] ?? 0));
    const full = [100, 200, 400, 800, 1600, 3200, 5000, 5000];
    for (const [index, delayMs] of delays.entries()) {
      expect(delayMs).toBeLessThanOrEqual(full[index] ?? 0);
      expect(delayMs).toBeGreaterThanOrEqual((full[index] ?? 0) * 0.8);
    }
    expect([generator.isActive, generator.failed]).toEqual([true, undefined]);
  });

  it('begins anew with the delays after a success', async () => {
    const { clock, listener, generator } = setting();
    const triedAtMs: number[] = [];
    listener.push = async (blockId) => {
      if (blockId === 'input-1' && listener.errors.length < 5) throw away();
      if (blockId === 'input-2' && triedAtMs.push(clock.monotonic()) === 1) throw away();
    };
    generator.start();
    for (const item of [1, 2]) {
      generator.addData(item);
      generator.cut();
    }
    await clock.advance(10_000);
    expect(listener.items).toEqual([1, 2]);
    const [first = 0, second = 0] = triedAtMs;
    expect(second - first).toBeLessThanOrEqual(100);
  });

  it.each([
    ['an error of the log', new TidemarkError('WAL_WRITE_FAILED', 'fsync'), 'WAL_WRITE_FAILED'],
    ['anything else', 'out of luck', 'RECEIVER_FAILED'],
  ] as const)('ends with %s: loudly, and what waits is dropped', async (_, thrown, code) => {
    const { clock, listener, generator } = setting();
    const failedWhenTold: unknown[] = [];
    listener.onError = (message, error) => {
      failedWhenTold.push(generator.failed);
      listener.errors.push({ message, error });
    };
    listener.push = () => Promise.reject(thrown);
    generator.start();
    generator.addData(1);
    generator.cut();
    generator.addData(2);
    await clock.settle();
    expect(generator.failed).toMatchObject({ code });
    expect(listener.errors.map(({ error }) => error)).toEqual([thrown, generator.failed]);
    expect(failedWhenTold).toEqual([undefined, generator.failed]);
    expect([generator.isStopped, generator.waitingBlocks, generator.waitingBytes]).toEqual([true, 0, 0]);
    for (const call of [() => generator.addData(3), () => generator.start()]) expect(call).toThrow(generator.failed);
    await generator.stop();
    await clock.advance(1000);
    expect(listener.generated).toEqual(['input-1']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends the same way when the listener throws in place of rejecting', async () => {
    const { clock, listener, generator } = setting();
    listener.onPushBlock = () => {
      throw new Error('at once');
    };
    generator.start();
    generator.addData(1);
    generator.cut();
    await clock.settle();
    expect(generator.failed?.cause).toMatchObject({ message: 'at once' });
    await generator.stop();
  });
});

describe('a stop', () => {
  it('cuts the tail at once and resolves when everything is pushed', async () => {
    const { clock, listener, generator } = setting();
    const held = gate();
    listener.push = () => held.passed;
    generator.start();
    generator.addData(1);
    generator.cut();
    generator.addData(2);
    let isDone = false;
    void generator.stop().then(() => {
      isDone = true;
    });
    expect(listener.generated).toEqual(['input-1', 'input-2']);
    expect(clock.pendingTimers).toBe(0);
    await clock.settle();
    expect([isDone, generator.isStopped]).toEqual([false, false]);
    held.open();
    await clock.settle();
    expect([isDone, generator.isStopped]).toEqual([true, true]);
    expect(listener.items).toEqual([1, 2]);
  });

  it('tries a block that fails on and on until it is abandoned', async () => {
    const { clock, listener, generator } = setting();
    listener.push = () => Promise.reject(away());
    generator.start();
    generator.addData(1);
    let isDone = false;
    const stopped = generator.stop().then(() => {
      isDone = true;
    });
    await clock.advance(60_000);
    expect(isDone).toBe(false);
    expect(listener.errors.length).toBeGreaterThan(10);
    generator.abandon();
    await stopped;
    expect([clock.pendingTimers, generator.waitingBytes, generator.failed]).toEqual([0, 0, undefined]);
  });

  it('resolves when a push fails for good meanwhile', async () => {
    const { listener, generator } = setting();
    listener.push = () => Promise.reject(new Error('gone'));
    generator.start();
    generator.addData(1);
    await generator.stop();
    expect(generator.failed).toMatchObject({ code: 'RECEIVER_FAILED' });
    expect(listener.errors).toHaveLength(2);
  });

  it('before the start leaves nothing to start', async () => {
    const { generator } = setting();
    await generator.stop();
    expect(generator.isStopped).toBe(true);
    expect(() => generator.start()).toThrow(withCode('PIPELINE_STATE'));
  });

  it('by whoever hears of its own callback failing loses nothing', async () => {
    const listener = new Recorder();
    listener.onGenerateBlock = () => {
      throw new Error('no');
    };
    const { generator } = setting({ blockBytesMax: 10 }, listener);
    let stopped: Promise<void> | undefined;
    listener.onError = () => {
      stopped ??= generator.stop();
    };
    generator.start();
    generator.addData(6);
    expect(() => generator.addData(7)).toThrow(withCode('PIPELINE_STATE'));
    await stopped;
    expect(listener.items).toEqual([6]);

    const again = setting({}, listener);
    listener.onError = () => void again.generator.stop();
    again.generator.start();
    again.generator.addData(8);
    await again.generator.stop();
    expect(listener.items).toEqual([6, 8]);
  });
});

describe('abandoning', () => {
  it('drops everything at once; how the push under way ends is ignored', async () => {
    for (const end of ['open', 'fail'] as const) {
      const { clock, listener, generator } = setting();
      const held = gate();
      const begun: string[] = [];
      listener.push = (blockId) => {
        begun.push(blockId);
        return held.passed;
      };
      generator.start();
      generator.addData(1);
      generator.cut();
      generator.addData(2);
      generator.abandon();
      expect([generator.isStopped, generator.waitingBlocks, generator.waitingBytes]).toEqual([true, 0, 0]);
      expect(clock.pendingTimers).toBe(0);
      expect(() => generator.addData(3)).toThrow(withCode('PIPELINE_STATE'));
      await generator.stop();
      held[end](new Error('late'));
      await clock.advance(1000);
      expect(begun).toEqual(['input-1']);
      expect([listener.errors, generator.failed]).toEqual([[], undefined]);
    }
  });

  it('in the middle of a stop is the end of it', async () => {
    const listener = new Recorder();
    listener.onGenerateBlock = () => {
      throw new Error('no');
    };
    const { clock, generator } = setting({}, listener);
    listener.onError = () => generator.abandon();
    generator.start();
    generator.addData(1);
    const stopped = generator.stop();
    expect([generator.isStopped, generator.waitingBlocks]).toEqual([true, 0]);
    await stopped;
    await clock.settle();
    expect([generator.isStopped, listener.pushed]).toEqual([true, []]);
  });

  it('may be the answer to a failed push', async () => {
    const { clock, listener, generator } = setting();
    listener.push = () => Promise.reject(new Error('gone'));
    listener.onError = (message, error) => {
      listener.errors.push({ message, error });
      generator.abandon();
    };
    generator.start();
    generator.addData(1);
    await clock.advance(10);
    expect(listener.errors).toHaveLength(1);
    expect([generator.isStopped, generator.failed]).toEqual([true, undefined]);
  });
});

it('a callback that throws is reported and changes nothing', async () => {
  const listener = new Recorder();
  const failure = new Error('in the callback');
  const fail = () => {
    throw failure;
  };
  listener.onAddData = fail;
  listener.onGenerateBlock = fail;
  const { clock, generator } = setting({}, listener);
  generator.start();
  generator.addDataWithCallback(1, 'a');
  generator.addMultipleDataWithCallback([2, 3], 'b');
  expect(listener.errors.map(({ error }) => error)).toEqual([failure, failure]);
  await clock.advance(10);
  expect(listener.errors).toHaveLength(3);
  expect(listener.items).toEqual([1, 2, 3]);
  expect(generator.isActive).toBe(true);
});

it('what cannot be measured is not added', async () => {
  const { listener, generator } = setting({
    bytesOf: (item) => {
      if (item === 2) throw new Error('no size');
      return item;
    },
  });
  generator.start();
  generator.addData(1);
  expect(() => generator.addMultipleDataWithCallback([3, 2], 'b')).toThrow('no size');
  await generator.stop();
  expect([listener.items, listener.added]).toEqual([[1], []]);
});

describe('whatever is added, cut, failing and slow', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ add: fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 4 }) }) },
    { weight: 4, arbitrary: fc.record({ addOne: fc.integer({ min: 0, max: 12 }) }) },
    { weight: 1, arbitrary: fc.constant('cut' as const) },
    { weight: 3, arbitrary: fc.record({ advanceMs: fc.integer({ min: 1, max: 25 }) }) },
  );
  const attempt = fc.record({
    takesMs: fc.integer({ min: 0, max: 30 }),
    outcome: fc.constantFrom('pushed', 'pushed', 'pushed', 'retriable'),
  });
  const bytesMax = 20;
  type Item = { readonly number: number; readonly bytes: number; readonly interval: number };

  it('comes out once and in order, in blocks within their limits', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.array(attempt, { maxLength: 30 }),
        fc.constantFrom('stop', 'abandon', 'fail'),
        fc.nat({ max: 20 }),
        async (steps, attempts, end, failAt) => {
          const clock = new ManualClock();
          const units: Item[][] = [];
          const blocks: { readonly blockId: string; readonly items: readonly Item[] }[] = [];
          const cuts: string[] = [];
          let tries = 0;
          let isPushing = false;
          const generator = new BlockGenerator<Item>(
            {
              onGenerateBlock: (blockId) => {
                cuts.push(blockId);
              },
              onPushBlock: async (blockId, items) => {
                expect(isPushing).toBe(false);
                isPushing = true;
                const { takesMs, outcome } = attempts[tries] ?? { takesMs: 0, outcome: 'pushed' };
                const isLast = end === 'fail' && tries === failAt;
                tries += 1;
                if (takesMs > 0) await clock.sleep(takesMs);
                isPushing = false;
                if (isLast) throw new Error('for good');
                if (outcome === 'retriable') throw away();
                blocks.push({ blockId, items });
              },
              onError: () => {},
            },
            { name: 'b', blockIntervalMs: 10, blockBytesMax: bytesMax, bytesOf: ({ bytes }) => bytes, clock },
          );
          let number = 0;
          const unit = (sizes: readonly number[]) => {
            const interval = Math.floor(clock.monotonic() / 10);
            return sizes.map((bytes) => ({ number: number++, bytes, interval }));
          };
          generator.start();
          for (const what of steps) {
            if (!generator.isActive) break;
            if (what === 'cut') generator.cut();
            else if ('advanceMs' in what) await clock.advance(what.advanceMs);
            else if ('add' in what) {
              units.push(unit(what.add));
              generator.addMultipleDataWithCallback(units.at(-1) ?? [], undefined);
            } else {
              units.push(unit([what.addOne]));
              generator.addData(units.at(-1)?.[0] as Item);
            }
          }
          if (end === 'abandon') generator.abandon();
          const pushedBefore = blocks.length;
          const stopped = generator.stop();
          expect(() => generator.addData({ number: -1, bytes: 1, interval: 0 })).toThrow();
          await clock.advance(60_000);
          await stopped;

          const all = units.flat();
          const out = blocks.flatMap(({ items }) => items);
          expect(out).toEqual(all.slice(0, out.length));
          if (generator.failed === undefined && end !== 'abandon') expect(out).toHaveLength(all.length);
          // One may have been on its way already.
          if (end === 'abandon') expect(blocks.length).toBeLessThanOrEqual(pushedBefore + 1);
          expect([generator.isStopped, generator.waitingBytes, generator.waitingBlocks]).toEqual([true, 0, 0]);
          expect(clock.pendingTimers).toBe(0);

          // Ids rise without a hole, and are pushed in the order of the cuts.
          expect(cuts).toEqual(cuts.map((_, index) => `b-${index + 1}`));
          expect(blocks.map(({ blockId }) => blockId)).toEqual(cuts.slice(0, blocks.length));
          const blockOf = new Map(
            blocks.flatMap(({ blockId, items }) => items.map((item) => [item, blockId] as const)),
          );
          for (const items of units)
            expect(new Set(items.map((item) => blockOf.get(item))).size).toBeLessThanOrEqual(1);
          for (const { items } of blocks) {
            const bytes = items.reduce((sum, item) => sum + item.bytes, 0);
            const first = units.find((candidate) => candidate.includes(items[0] as Item)) ?? [];
            expect(items).not.toEqual([]);
            if (items.length > first.length) expect(bytes).toBeLessThanOrEqual(bytesMax);
            // As Spark's timer cuts: nothing stays beyond the next multiple of the interval.
            expect(new Set(items.map(({ interval }) => interval)).size).toBe(1);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
