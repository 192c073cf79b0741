/** The thread of the watchdog: samples, and when the event loop is blocked too long says so and ends the process. */
import { writeSync } from 'node:fs';
import { Session } from 'node:inspector';
import { workerData } from 'node:worker_threads';
import { readProgress } from '../platform/index.ts';
import { type BlockedLoop, LoopWatch } from './loopWatch.ts';
import { tickMs, type WatchdogData } from './watchdog.ts';

const { tick, targets } = workerData as WatchdogData;
const word = new Int32Array(tick);
const watch = new LoopWatch(3 * tickMs);
let sampledAt = performance.now();

const sampling = setInterval(() => {
  const now = performance.now();
  const watched = targets.map(({ pipeline, timeoutMs, buffer }) => ({
    pipeline,
    timeoutMs,
    progress: readProgress(buffer),
  }));
  const blocked = watch.sample(Atomics.load(word, 0), now - sampledAt, watched);
  sampledAt = now;
  if (blocked === undefined) return;
  clearInterval(sampling);
  writeSync(2, `${JSON.stringify(logLine(blocked))}\n`);
  endProcess();
}, tickMs);

function logLine({ pipeline, blockedMs, timeoutMs, isInUserCode, record }: BlockedLoop): Record<string, unknown> {
  return {
    level: 'fatal',
    time: new Date().toISOString(),
    pipeline,
    code: 'TRANSFORM_TIMED_OUT',
    ...(record === undefined ? {} : { ...record, offset: String(record.offset) }),
    blockedMs,
    transformTimeoutMs: timeoutMs,
    hint: 'Let the transform return, or raise transformTimeoutMs. The ledger stands before this record.',
    msg: isInUserCode
      ? 'A transform blocks the event loop, the process ends'
      : 'The event loop is blocked, the process ends; the record is the last one given to the transform',
  };
}

/**
 * `process.exit` of a thread ends only the thread. The inspector can make the main thread run something even in the middle
 * of a loop, a regular expression or a wait; it cannot interrupt a blocking system call, so a SIGKILL follows.
 * Standard error is closed first, as Node would print a line about the inspector on it.
 */
function endProcess(): void {
  const session = new Session();
  session.connectToMainThread();
  session.post('Runtime.evaluate', {
    expression: 'process.getBuiltinModule("node:fs").closeSync(2); process.reallyExit(1)',
  });
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 2000);
}
