import { onTestFinished } from 'vitest';
import { RecycledMemory } from '../../../src/kafka/records/index.ts';
import type { LaneSurroundings } from '../../../src/receiver/lane.ts';
import { RateLimiter } from '../../../src/receiver/rateLimiter.ts';
import { EventHub, type PipelineEvents } from '../../../src/telemetry/index.ts';
import type { WalDisk } from '../../support/walDisk.ts';
import { type OpenTracker, openTracker } from './trackerSetting.ts';

export interface LaneSetting extends OpenTracker {
  readonly on: LaneSurroundings;
  readonly logged: PipelineEvents['blockLogged'][];
  readonly discarded: PipelineEvents['blocksDiscarded'][];
  /** What lanes said of the log, `undefined` for a log that takes blocks. */
  readonly logFailures: unknown[];
}

/** What lanes share, on a disk in memory, with a clock moved by hand. A block is cut every 100 ms. */
export async function laneSetting(
  disk: WalDisk,
  share: { readonly blocks: number; readonly bytes: number } = { blocks: 100, bytes: 1_000_000 },
): Promise<LaneSetting> {
  const open = await openTracker(disk);
  const limiter = await RateLimiter.open({ maxRate: 0, initialRate: 0, clock: open.clock });
  onTestFinished(() => limiter.close());
  const events = new EventHub('orders');
  const logged: PipelineEvents['blockLogged'][] = [];
  const discarded: PipelineEvents['blocksDiscarded'][] = [];
  const logFailures: unknown[] = [];
  events.on('blockLogged', (event) => logged.push(event));
  events.on('blocksDiscarded', (event) => discarded.push(event));
  const on: LaneSurroundings = {
    tracker: open.tracker,
    limiter,
    clock: open.clock,
    events,
    memory: new RecycledMemory(),
    blockIntervalMs: 100,
    blockBytesMax: 100_000,
    share: () => share,
    onReady: () => {},
    onLog: (error) => logFailures.push(error),
  };
  return { ...open, on, logged, discarded, logFailures };
}
