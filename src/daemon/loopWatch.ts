import type { Progress } from '../platform/index.ts';

/** One pipeline as the watching thread sees it. */
export interface WatchedProgress {
  readonly pipeline: string;
  /** Its `transformTimeoutMs`. */
  readonly timeoutMs: number;
  readonly progress: Progress;
}

/** What the thread concludes when the event loop is blocked for too long. */
export interface BlockedLoop {
  readonly pipeline: string;
  readonly blockedMs: number;
  readonly timeoutMs: number;
  /** The call into user code that does not return; false: it only was the last one. */
  readonly isInUserCode: boolean;
  readonly record: Progress['record'];
}

/** However short `transformTimeoutMs` is: a loop that turns late is not a loop that stands still. */
const blockedMsMin = 2000;

/**
 * Decides from samples whether the event loop is blocked: it does not turn, and user code makes no new call. A slow transform that
 * goes from record to record without a pause is slow, not blocked. Time counts by samples and never more than `sampleCapMs` each: a
 * process that was stopped (SIGSTOP, a suspended machine) wakes with a clock that jumped, and was not blocked.
 */
export class LoopWatch {
  readonly #sampleCapMs: number;
  #seen: string | undefined;
  #blockedMs = 0;

  constructor(sampleCapMs: number) {
    this.#sampleCapMs = sampleCapMs;
  }

  /** `tick` is what the event loop counts up while it turns; `sinceMs` the time since the last sample. */
  sample(tick: number, sinceMs: number, watched: readonly WatchedProgress[]): BlockedLoop | undefined {
    const seen = [tick, ...watched.map(({ progress }) => progress.calls)].join();
    if (seen !== this.#seen) {
      this.#seen = seen;
      this.#blockedMs = 0;
      return undefined;
    }
    this.#blockedMs += Math.min(sinceMs, this.#sampleCapMs);
    const busy = watched.find(({ progress }) => progress.active);
    // Nobody is in user code: code behind an await may block, of whichever pipeline; the most patient one decides.
    const [patient] = [...watched].sort((a, b) => b.timeoutMs - a.timeoutMs);
    const suspect = busy ?? patient;
    if (suspect === undefined || this.#blockedMs < Math.max(suspect.timeoutMs, blockedMsMin)) return undefined;
    const { pipeline, timeoutMs, progress } = suspect;
    const blockedMs = Math.round(this.#blockedMs);
    return { pipeline, blockedMs, timeoutMs, isInUserCode: busy !== undefined, record: progress.record };
  }
}
