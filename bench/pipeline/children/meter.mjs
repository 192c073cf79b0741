import { readFileSync } from 'node:fs';

/** The clock all processes of a machine share, in milliseconds. */
export function sharedClockMs() {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Time and CPU of a child from its first record to its last. */
export class Meter {
  #startedAtMs;
  #cpuAtStart;
  #endedAtMs;
  #cpuAtEnd;

  /** The first record is there. Again is a no-op. */
  start() {
    if (this.#startedAtMs !== undefined) return;
    this.#startedAtMs = performance.now();
    this.#cpuAtStart = process.cpuUsage();
  }

  /** The work is done up to here; the last call counts. */
  lap() {
    this.#endedAtMs = performance.now();
    this.#cpuAtEnd = process.cpuUsage(this.#cpuAtStart);
  }

  report(records) {
    const { user, system } = this.#cpuAtEnd;
    return {
      kind: 'report',
      records,
      seconds: (this.#endedAtMs - this.#startedAtMs) / 1_000,
      cpuSeconds: (user + system) / 1e6,
      peakRssBytes: peakRssBytes(),
      startUpMs: Math.round(this.#startedAtMs),
    };
  }
}

/** Linux tells the peak of this program; elsewhere, and there only, the peak may be that of the process that forked it. */
export function peakRssBytes() {
  try {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1_024;
  } catch {
    return process.resourceUsage().maxRSS * 1_024;
  }
}

/** To the bench, or, when run by hand, to standard output. */
export async function tell(message) {
  if (process.send === undefined) {
    console.log(JSON.stringify(message));
    return;
  }
  await new Promise((resolve, reject) => process.send(message, (error) => (error ? reject(error) : resolve())));
}

/** What the bench ordered. */
export function task() {
  return JSON.parse(process.argv[2]);
}

/** Lets the process end; without it the channel to the bench keeps it alive. */
export function done() {
  if (process.connected) process.disconnect();
}
