const width = 40;

/** A bar that is drawn again where a terminal is there, else a line every tenth of the way. */
export class Progress {
  readonly #total: number;
  readonly #startedMs = performance.now();
  #tenths = 0;

  constructor(total: number) {
    this.#total = total;
  }

  show(done: number): void {
    const share = Math.min(1, done / this.#total);
    const perSecond = Math.round(done / ((performance.now() - this.#startedMs) / 1000));
    const text = `${String(Math.floor(share * 100)).padStart(3)} %  ${done.toLocaleString('en')} records committed, ${perSecond.toLocaleString('en')}/s`;
    if (process.stderr.isTTY) {
      const filled = Math.round(share * width);
      process.stderr.write(`\r  ${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${text}   `);
    } else if (Math.floor(share * 10) > this.#tenths) {
      this.#tenths = Math.floor(share * 10);
      console.error(`  ${text}`);
    }
  }

  /** A line of its own between bars. */
  say(text: string): void {
    console.error(process.stderr.isTTY ? `\r\u001b[K  ${text}` : `  ${text}`);
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\n');
  }
}
