import type { PipelineEvents } from '../telemetry/index.ts';

const windowMs = 10_000;
const linesMax = 10;

/** Skipped records can be as many as records: more lines than `linesMax` in a window only tell how many there were. */
export class LineBudget {
  readonly #tellMore: (count: number) => void;
  #windowStart = Number.NEGATIVE_INFINITY;
  #seen = 0;

  constructor(tellMore: (count: number) => void) {
    this.#tellMore = tellMore;
  }

  spend(write: () => void): void {
    const now = performance.now();
    if (now - this.#windowStart >= windowMs) {
      this.flush();
      this.#windowStart = now;
    }
    this.#seen += 1;
    if (this.#seen <= linesMax) write();
  }

  flush(): void {
    if (this.#seen > linesMax) this.#tellMore(this.#seen - linesMax);
    this.#seen = 0;
  }
}

/** Longer than this, and whoever pushes to us waits for the disk. */
const slowMs = 1000;

/** Tells of slow syncs, at most once in a window: the present one, and how many there were since the last line. */
export class SlowSyncs {
  readonly #tell: (fields: Record<string, number>) => void;
  #toldAt = Number.NEGATIVE_INFINITY;
  #untold = 0;

  constructor(tell: (fields: Record<string, number>) => void) {
    this.#tell = tell;
  }

  look({ ms, entries, bytes }: PipelineEvents['logSynced']): void {
    if (ms <= slowMs) return;
    const now = performance.now();
    if (now - this.#toldAt < windowMs) {
      this.#untold += 1;
      return;
    }
    this.#tell({ ms: Math.round(ms), entries, bytes, others: this.#untold });
    this.#toldAt = now;
    this.#untold = 0;
  }
}
