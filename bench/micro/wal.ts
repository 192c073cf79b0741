/**
 * How fast the write-ahead log is, by the built code in dist/ (`npm run build` first):
 * node --import jiti/register bench/micro/wal.ts [runs]
 *
 * Appends are compared with a loop of plain write + fdatasync of the same bytes on the same disk, in turn, because the
 * disk's noise is larger than most effects: ratios are medians of the ratios within a run. The loop awaits its calls, as
 * every program does that has other work; beside it, the same with calls that block. Recovery is the opening of a log that
 * lies in the page cache, all checksums verified, and that of one with small entries. Prints JSON.
 */
import { fdatasyncSync, mkdtempSync, rmSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { machineFacts } from '../machine.ts';

const settings = {
  runs: Number(process.argv[2] ?? 5),
  large: { bytes: 1_048_576, count: 192, callers: 8 },
  small: { bytes: 1024, perCaller: 50, callers: 64, plain: 300 },
  recovery: { logBytes: 512 * 1_048_576, entryBytes: [1_048_576, 16_384, 1024] },
};
const { openWal } = (await import(
  new URL('../../dist/wal/index.js', import.meta.url).href
)) as typeof import('../../src/wal/index.ts');

const folder = mkdtempSync(join(process.env.TIDEMARK_BENCH_DIR ?? tmpdir(), 'tidemark-bench-wal-'));
const machine = machineFacts();
try {
  const large = await compareLarge();
  const small = await compareSmall();
  const recovery = [];
  for (const bytes of settings.recovery.entryBytes) recovery.push(await measureRecovery(bytes));
  console.log(JSON.stringify({ benchmark: 'wal', machine, settings, large, small, recovery }, undefined, 2));
} finally {
  rmSync(folder, { recursive: true });
}

/** Entries of 1 MiB: one caller who waits for each, and several at once. MiB/s. */
async function compareLarge() {
  const { bytes, count, callers } = settings.large;
  const rounds = await inTurn({
    plain: () => plainLoop(bytes, count, false),
    plainBlocking: () => plainLoop(bytes, count, true),
    oneCaller: () => appends(bytes, 1, count),
    severalCallers: () => appends(bytes, callers, count / callers),
  });
  const rate = (seconds: number) => (count * bytes) / 1_048_576 / seconds;
  return { mebibytesPerSecond: medians(rounds, rate), ratios: ratiosOf(rounds, 'plain', (base, own) => base / own) };
}

/** Entries of 1 KiB from 64 callers at once. Entries per second; the plain loop does one after the other. */
async function compareSmall() {
  const { bytes, perCaller, callers, plain } = settings.small;
  const total = perCaller * callers;
  const rounds = await inTurn({
    plain: async () => (await plainLoop(bytes, plain, false)) / plain,
    plainBlocking: async () => (await plainLoop(bytes, plain, true)) / plain,
    callers: async () => (await appends(bytes, callers, perCaller)) / total,
  });
  return {
    entriesPerSecond: medians(rounds, (seconds) => 1 / seconds),
    ratios: ratiosOf(rounds, 'plain', (base, own) => base / own),
  };
}

/** Opens a log that was not closed, so that nothing of it is taken for granted. GiB/s. */
async function measureRecovery(entryBytes: number) {
  const dir = join(folder, 'recovery');
  const log = await openWal({ dir });
  const payload = Buffer.alloc(entryBytes, 'entry ');
  const count = Math.floor(settings.recovery.logBytes / entryBytes);
  for (let done = 0; done < count; ) {
    const group = Math.min(512, count - done, Math.ceil((16 * 1_048_576) / entryBytes));
    await Promise.all(Array.from({ length: group }, () => log.append(payload)));
    done += group;
  }
  await log.close();
  const seconds: number[] = [];
  const cpuSeconds: number[] = [];
  // The first one brings the log into the page cache.
  for (let run = -1; run < settings.runs; run += 1) {
    const before = process.cpuUsage();
    const startedMs = performance.now();
    const opened = await openWal({ dir });
    const elapsed = (performance.now() - startedMs) / 1000;
    const used = process.cpuUsage(before);
    if (opened.recovery.entriesWaiting !== count) throw new Error('entries are missing');
    await opened.close();
    if (run < 0) continue;
    seconds.push(elapsed);
    cpuSeconds.push((used.user + used.system) / 1e6);
  }
  rmSync(dir, { recursive: true });
  const gibibytes = (count * entryBytes) / 1024 ** 3;
  const rates = seconds.map((value) => rounded(gibibytes / value));
  return {
    entryBytes,
    gibibytesPerSecond: { median: median(rates), min: Math.min(...rates), max: Math.max(...rates) },
    gibibytesPerCpuSecond: rounded(gibibytes / median(cpuSeconds)),
  };
}

/** A new file, one write and one fdatasync after the other. Seconds. */
async function plainLoop(bytes: number, count: number, isBlocking: boolean): Promise<number> {
  const path = join(folder, 'plain');
  const payload = Buffer.alloc(bytes, 'entry ');
  const file = await open(path, 'wx');
  const startedMs = performance.now();
  for (let at = 0; at < count; at += 1) {
    if (isBlocking) {
      writeSync(file.fd, payload, 0, bytes, at * bytes);
      fdatasyncSync(file.fd);
    } else {
      await file.write(payload, 0, bytes, at * bytes);
      await file.datasync();
    }
  }
  const seconds = (performance.now() - startedMs) / 1000;
  await file.close();
  rmSync(path);
  return seconds;
}

/** A new log, callers that wait for each of their entries. Seconds. */
async function appends(bytes: number, callers: number, perCaller: number): Promise<number> {
  const dir = join(folder, 'appends');
  const log = await openWal({ dir });
  const payload = Buffer.alloc(bytes, 'entry ');
  const startedMs = performance.now();
  const call = async () => {
    for (let at = 0; at < perCaller; at += 1) await log.append(payload);
  };
  await Promise.all(Array.from({ length: callers }, call));
  const seconds = (performance.now() - startedMs) / 1000;
  await log.close();
  rmSync(dir, { recursive: true });
  return seconds;
}

/** Seconds of each contestant, round by round; the first round warms up. */
async function inTurn<Name extends string>(contestants: Readonly<Record<Name, () => Promise<number>>>) {
  const names = Object.keys(contestants) as Name[];
  const rounds: Record<Name, number>[] = [];
  for (let run = -1; run < settings.runs; run += 1) {
    const round = {} as Record<Name, number>;
    for (const name of names) round[name] = await contestants[name]();
    if (run >= 0) rounds.push(round);
  }
  return rounds;
}

function medians<Name extends string>(rounds: readonly Record<Name, number>[], of: (seconds: number) => number) {
  const names = Object.keys(rounds[0] ?? {}) as Name[];
  return Object.fromEntries(names.map((name) => [name, rounded(of(median(rounds.map((round) => round[name]))))]));
}

function ratiosOf<Name extends string>(
  rounds: readonly Record<Name, number>[],
  base: Name,
  ratio: (base: number, own: number) => number,
) {
  const names = (Object.keys(rounds[0] ?? {}) as Name[]).filter((name) => name !== base);
  return Object.fromEntries(
    names.map((name) => {
      const values = rounds.map((round) => ratio(round[base], round[name]));
      return [
        name,
        { median: rounded(median(values)), min: rounded(Math.min(...values)), max: rounded(Math.max(...values)) },
      ];
    }),
  );
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
