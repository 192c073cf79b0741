/**
 * How well the rate limiter of receivers keeps its rate, by the built code in dist/ (`npm run build` first):
 * node --import jiti/register bench/micro/rateLimiter.ts [seconds]
 *
 * Callers that want more than they may have, as fast as they can. `average` is what they got, as a part of the rate, from the
 * first call to the last permit. `worst100Ms` is the fullest of the windows of 100 ms after the first one, as a part of what
 * the rate allows in 100 ms; only where a call asks for no more than a slice (10 ms), because more arrive at once by nature.
 * `cpu` is the part of one core that pacing takes. `lateMs`: by how much timers came later than 20 ms after they were due, in
 * sum: time the machine was busy with other things, of which the limiter makes up for a tenth. Prints JSON.
 */
import { machineFacts } from '../machine.ts';

const settings = {
  seconds: Number(process.argv[2] ?? 5),
  rates: [10, 1_000, 50_000, 500_000],
  callers: [
    { weight: 1, callers: 1 },
    { weight: 500, callers: 1 },
    { weight: 50_000, callers: 1 },
    { weight: 1, callers: 10 },
    { weight: 500, callers: 10 },
  ],
};
const { RateLimiter } = await built<typeof import('../../src/receiver/rateLimiter.ts')>('receiver/rateLimiter.js');
const { systemClock } = await built<typeof import('../../src/platform/index.ts')>('platform/index.js');

const windowMs = 100;
const machine = machineFacts();
const results = [];
for (const rate of settings.rates) {
  for (const { weight, callers } of settings.callers) {
    // A call that takes longer than a second says little in a few.
    if (weight <= rate) results.push(await measure(rate, weight, callers));
  }
}
console.log(JSON.stringify({ benchmark: 'rateLimiter', machine, settings, results }, undefined, 2));

async function measure(rate: number, weight: number, callers: number) {
  const limiter = await RateLimiter.open({ maxRate: rate, initialRate: 0, clock: systemClock });
  const windows = new Float64Array((settings.seconds * 1000) / windowMs + 1);
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const stopping = new AbortController();
  let records = 0;
  let lastMs = 0;
  const call = async () => {
    for (;;) {
      const permission = limiter.acquire(weight, stopping.signal);
      if (permission !== undefined) await permission;
      const atMs = performance.now() - startedMs;
      if (atMs >= settings.seconds * 1000) return;
      lastMs = atMs;
      records += weight;
      const at = Math.floor(atMs / windowMs);
      windows[at] = (windows[at] ?? 0) + weight;
    }
  };
  const lateness = meterLateness();
  const calls = Promise.all(Array.from({ length: callers }, call));
  setTimeout(() => stopping.abort(), settings.seconds * 1000);
  await calls.catch(() => {});
  const cpu = process.cpuUsage(cpuBefore);
  const lateMs = lateness.stop();
  await limiter.close();
  const isEven = weight <= rate / 100;
  return {
    rate,
    weight,
    callers,
    average: rounded(records / (rate * (lastMs / 1000))),
    ...(isEven ? { worst100Ms: rounded(Math.max(...windows.subarray(1)) / ((rate * windowMs) / 1000)) } : {}),
    cpu: rounded((cpu.user + cpu.system) / 1e6 / settings.seconds),
    lateMs,
  };
}

function meterLateness() {
  let sumMs = 0;
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const lateMs = performance.now() - lastMs - 10;
    if (lateMs > 20) sumMs += lateMs;
    lastMs = performance.now();
  }, 10);
  const stop = () => {
    clearInterval(timer);
    return Math.round(sumMs);
  };
  return { stop };
}

async function built<T>(path: string): Promise<T> {
  return (await import(new URL(`../../dist/${path}`, import.meta.url).href)) as T;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
