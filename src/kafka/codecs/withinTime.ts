import { type Context, createContext, Script } from 'node:vm';

interface Sandbox {
  work: () => unknown;
}

const script = new Script('work()');
let sandbox: (Sandbox & Context) | undefined;

/**
 * Runs synchronous work of a library that cannot be trusted to end, and ends it after `timeMs`; answers undefined then. The
 * engine's own means for that is the time limit of a script, which also holds for what the script calls.
 *
 * Real time, so it is given twice: a process that is stopped and resumed in the middle of it finds its time used up.
 */
export function withinTime<T>(timeMs: number, work: () => T): T | undefined {
  return runLimited(timeMs, work) ?? runLimited(timeMs, work);
}

function runLimited<T>(timeMs: number, work: () => T): T | undefined {
  sandbox ??= createContext({ work }) as Sandbox & Context;
  sandbox.work = work;
  try {
    return script.runInContext(sandbox, { timeout: timeMs }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined;
    throw error;
  }
}
