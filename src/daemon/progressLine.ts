import type { Pipeline } from '../pipeline/index.ts';
import type { LineSink } from './logs.ts';

const redrawMs = 250;
const barWidth = 24;
const clearLine = '\r\u001b[2K';

/**
 * One line at the bottom of a terminal that shows how far a run until the end has come. Log lines go through `write`, which
 * moves them above it.
 */
export class ProgressLine implements LineSink {
  readonly #out: LineSink;
  readonly #startedMs = performance.now();
  #pipelines: readonly Pipeline[] = [];
  #records = 0;
  #timer: NodeJS.Timeout | undefined;
  #ends: (() => void)[] = [];

  constructor(out: LineSink) {
    this.#out = out;
  }

  start(pipelines: readonly Pipeline[]): void {
    this.#pipelines = pipelines;
    this.#ends = pipelines.map(({ events }) =>
      events.on('rangeCommitted', ({ counts }) => {
        this.#records += counts.records;
      }),
    );
    this.#timer = setInterval(() => this.#draw(), redrawMs);
    this.#timer.unref();
  }

  write(line: string): void {
    if (this.#timer === undefined) this.#out.write(line);
    else {
      this.#out.write(clearLine + line);
      this.#draw();
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    if (this.#timer !== undefined) this.#out.write(clearLine);
    this.#timer = undefined;
    for (const end of this.#ends) end();
  }

  #draw(): void {
    const lag = this.#pipelines
      .flatMap((pipeline) => pipeline.status().partitions)
      .reduce((sum, partition) => sum + Number(partition.lag ?? 0n), 0);
    this.#out.write(clearLine + progressText(this.#records, lag, (performance.now() - this.#startedMs) / 1000));
  }
}

/** `records` are committed, `lag` offsets are left. */
export function progressText(records: number, lag: number, seconds: number): string {
  const share = records + lag === 0 ? 0 : records / (records + lag);
  const filled = Math.round(share * barWidth);
  const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled);
  const count = (value: number) => Math.round(value).toLocaleString('en-US');
  const rate = seconds > 0 ? records / seconds : 0;
  return `${bar} ${Math.floor(share * 100)} %  ${count(records)} records, ${count(lag)} to go, ${count(rate)}/s`;
}
