import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTidemarkError } from '../../src/errors.ts';
import { openWal, type WriteAheadLog } from '../../src/wal/index.ts';
import { errno, processNumber, type Survival, WalDisk } from '../support/walDisk.ts';

const dir = '/wal';
const limits = { dir, segmentBytesMax: 2_000, entryBytesMax: 1_500 };

/** What callers know: the only thing the log may be judged by. */
class Knowledge {
  /** By index: what an append answered. */
  readonly acknowledged = new Map<bigint, string>();
  /** Everything that was ever handed to append. */
  readonly appended = new Set<string>();
  /** Appends that failed for good: nothing of them may come back. */
  readonly refused = new Set<string>();
  /** Asked for, whether it was answered or not. */
  watermarkAsked = 0n;
  watermarkAnswered = 0n;
}

class World {
  readonly disk = new WalDisk();
  readonly known = new Knowledge();
  log: WriteAheadLog | undefined;
  #processes = 0;
  #payloads = 0;

  async open(): Promise<void> {
    this.#processes += 1;
    this.log = await openWal(limits, { files: this.disk, processes: processNumber(this.#processes) });
    await this.check();
  }

  /** Opens as often as it takes: the power may fail again while it opens. */
  async append(sizes: readonly number[]): Promise<void> {
    await Promise.all(sizes.map((size) => this.#appendOne(size)));
  }

  async #appendOne(size: number): Promise<void> {
    const { log, known } = this;
    if (log === undefined) return;
    this.#payloads += 1;
    const payload = `${this.#payloads}:`.padEnd(size, 'x');
    known.appended.add(payload);
    try {
      const { index } = await log.append(Buffer.from(payload));
      expect(known.acknowledged.get(index), `index ${index} given twice`).toBeUndefined();
      known.acknowledged.set(index, payload);
    } catch (error) {
      if (isTidemarkError(error, 'WAL_FULL')) known.refused.add(payload);
      else expect(isTidemarkError(error, 'WAL_WRITE_FAILED'), String(error)).toBe(true);
    }
  }

  async advance(share: number): Promise<void> {
    const { log, known } = this;
    if (log === undefined) return;
    const waiting = Number(log.nextIndex - log.lowWatermark);
    const to = log.lowWatermark + BigInt(Math.floor(waiting * share));
    if (to > known.watermarkAsked) known.watermarkAsked = to;
    try {
      await log.advance(to);
      known.watermarkAnswered = to;
    } catch (error) {
      expect(isTidemarkError(error), String(error)).toBe(true);
    }
  }

  async check(): Promise<void> {
    const { log, known } = this;
    if (log === undefined) return;
    expect(log.lowWatermark).toBeGreaterThanOrEqual(known.watermarkAnswered);
    expect(log.lowWatermark).toBeLessThanOrEqual(known.watermarkAsked);
    const seen = new Set<string>();
    let expected = log.lowWatermark;
    for await (const { index, payload } of log.read()) {
      expect(index).toBe(expected);
      expected += 1n;
      const text = payload.toString();
      expect(known.appended.has(text), `never appended: ${text}`).toBe(true);
      expect(known.refused.has(text), `its append had failed: ${text}`).toBe(false);
      expect(seen.has(text), `twice: ${text}`).toBe(false);
      seen.add(text);
      const promised = known.acknowledged.get(index);
      if (promised !== undefined) expect(text).toBe(promised);
      // From now on it is there for good.
      known.acknowledged.set(index, text);
    }
    expect(log.nextIndex).toBe(expected);
    for (const index of known.acknowledged.keys()) {
      if (index >= log.lowWatermark) expect(index, 'acknowledged and lost').toBeLessThan(expected);
    }
  }
}

/** A die for what survives, from a seed. */
function dice(seed: number): (sides: number) => number {
  let state = seed | 1;
  return (sides) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % sides;
  };
}

function survivalOf(seed: number): Survival {
  const roll = dice(seed);
  const inOrder = roll(2) === 0;
  return {
    contents: (operations) => {
      const done = inOrder || roll(3) === 0 ? roll(operations.length + 1) : 0;
      const torn = operations[done];
      return { done, tornAt: inOrder && torn !== undefined && 'at' in torn ? roll(torn.bytes.length + 1) : 0 };
    },
    ...(inOrder ? {} : { sector: () => roll(2) === 0 }),
    name: () => roll(2) === 0,
  };
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      sizes: fc.array(fc.constantFrom(8, 40, 200, 700, 1_500), { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), share: fc.constantFrom(0.3, 0.9, 1) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('lose power' as const), after: fc.nat(30), seed: fc.integer() }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const), after: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fill the disk' as const), bytesFree: fc.nat(1_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail the next sync' as const) }) },
);

type Step = (typeof step extends fc.Arbitrary<infer T> ? T : never) & { do: string };

async function play(world: World, steps: readonly Step[], syncTurns: number): Promise<void> {
  const { disk } = world;
  disk.syncTurns = syncTurns;
  await world.open();
  for (const [at, present] of steps.entries()) {
    switch (present.do) {
      case 'append':
        await world.append(present.sizes);
        break;
      case 'advance':
        await world.advance(present.share);
        break;
      case 'fill the disk': {
        disk.capacityBytes = Number.POSITIVE_INFINITY;
        disk.capacityBytes = present.bytesFree + usedBytes(disk);
        await world.append([700, 200, 8]);
        disk.capacityBytes = Number.POSITIVE_INFINITY;
        break;
      }
      case 'fail the next sync': {
        disk.before = (operation, path) => {
          if (operation !== 'sync') return;
          disk.before = () => {};
          throw errno('EIO', path);
        };
        await world.append([40, 8]);
        disk.before = () => {};
        await restart(world, () => disk.kill());
        break;
      }
      case 'close':
        await world.log?.close();
        await restart(world, () => {});
        break;
      case 'kill':
      case 'lose power': {
        disk.lossAt = disk.operations + present.after;
        const doing = steps[at + 1];
        await Promise.all([world.append([200, 8, 700]), world.advance(0.5)]);
        if (doing?.do === 'append') await world.append(doing.sizes);
        await restart(world, () => {
          if (present.do === 'kill') disk.kill();
          else disk.restart(survivalOf(present.seed));
        });
        break;
      }
    }
  }
  await world.check();
}

async function restart(world: World, happens: () => void): Promise<void> {
  world.log = undefined;
  happens();
  await world.open();
}

function usedBytes(disk: WalDisk): number {
  return disk.names().reduce((sum, name) => sum + disk.bytes(`${dir}/${name}`).length, 0);
}

// Much to do, and nothing to wait for: on a loaded machine it takes its time.
describe('a log on a disk that forgets what was not synced', { timeout: 240_000 }, () => {
  test('keeps what it acknowledged, in order, once, and brings nothing back that was refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), fc.nat(3), (steps, syncTurns) =>
        play(new World(), steps as readonly Step[], syncTurns),
      ),
      { numRuns: 400, endOnFailure: false },
    );
  });

  test('the power fails at every operation of a life, also while the log is opened after it', async () => {
    const scenario = async (world: World) => {
      await world.append([40, 200]);
      await world.append([1_500]);
      await world.append([700, 700]);
      await world.advance(1);
      await world.append([8]);
      await world.log?.close();
    };
    const whole = new World();
    await whole.open();
    await scenario(whole);
    expect(whole.disk.operations).toBeGreaterThan(60);
    for (let lossAt = 0; lossAt < whole.disk.operations; lossAt += 1) {
      for (let seed = 1; seed <= 12; seed += 1) {
        const world = new World();
        world.disk.lossAt = lossAt;
        world.disk.syncTurns = seed % 3;
        await world
          .open()
          .then(() => scenario(world))
          .catch((error: unknown) => expect(isTidemarkError(error), String(error)).toBe(true));
        world.log = undefined;
        world.disk.restart(survivalOf(seed * 7_919 + lossAt));
        // Half of them fail once more before they are open.
        if (seed % 2 === 0) {
          world.disk.lossAt = world.disk.operations + seed * 3;
          // What fails may as well be the test's own look at the log.
          await world.open().catch(() => {});
          world.log = undefined;
          world.disk.restart(survivalOf(seed * 104_729 + lossAt));
        }
        await world.open();
        await world.append([40]);
        await world.check();
      }
    }
  });

  test('a write torn at every byte', async () => {
    for (let tornAt = 0; tornAt <= 2 * 28 + 40 + 200; tornAt += 1) {
      const world = new World();
      await world.open();
      await world.append([40]);
      // The group is written and not synced.
      world.disk.before = (operation) => {
        if (operation === 'sync') world.disk.lossAt = 0;
        if (operation === 'sync') throw errno('EIO', dir);
      };
      const pending = world.disk.bytes(`${dir}/00000000000000000000.wal`).length;
      await world.append([40, 200]);
      world.disk.before = () => {};
      expect(pending).toBe(40 + 28 + 40);
      world.log = undefined;
      world.disk.restart({ contents: () => ({ done: 0, tornAt }), name: () => true });
      await world.open();
      await world.append([8]);
      await world.check();
    }
  });
});
