import { url as inspectorUrl } from 'node:inspector';
import { Worker } from 'node:worker_threads';
import type { ProgressBeacon } from '../platform/index.ts';

/** A pipeline the watchdog looks at. */
export interface WatchdogTarget {
  readonly pipeline: string;
  readonly beacon: ProgressBeacon;
  /** How long user code may keep the event loop. */
  readonly transformTimeoutMs: number;
}

/** What the thread is started with. */
export interface WatchdogData {
  /** One Int32 the event loop counts up. */
  readonly tick: SharedArrayBuffer;
  readonly targets: readonly {
    readonly pipeline: string;
    readonly timeoutMs: number;
    readonly buffer: SharedArrayBuffer;
  }[];
}

/** How often the event loop shows that it turns. The thread samples at the same pace. */
export const tickMs = 200;

/**
 * Starts a thread that ends this process with exit code 1 when the event loop is blocked for longer than a transform may
 * take, after one log line that names the record. Nothing in the blocked thread could do either. Returns what ends the watch.
 */
export function startWatchdog(targets: readonly WatchdogTarget[]): () => Promise<void> {
  // A person who stops at a breakpoint blocks the loop on purpose.
  if (targets.length === 0 || inspectorUrl() !== undefined) return async () => {};
  const tick = new SharedArrayBuffer(4);
  const word = new Int32Array(tick);
  const beat = setInterval(() => Atomics.add(word, 0, 1), tickMs);
  beat.unref();
  const data: WatchdogData = {
    tick,
    targets: targets.map(({ pipeline, beacon, transformTimeoutMs: timeoutMs }) => ({
      pipeline,
      timeoutMs,
      buffer: beacon.buffer,
    })),
  };
  const thread = new Worker(new URL('./watchdogThread.js', import.meta.url), { workerData: data });
  thread.unref();
  return async () => {
    clearInterval(beat);
    await thread.terminate();
  };
}
