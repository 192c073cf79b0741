import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Who a process is, well enough that another process of the same boot can tell whether it still lives. */
export interface ProcessIdentity {
  readonly instanceId: string;
  readonly host: string;
  /**
   * Where `pid` means something: the boot of the machine and the pid namespace (two containers of one host have pids of their own).
   * Empty where the system does not tell.
   */
  readonly bootId: string;
  readonly pid: number;
}

export function identifyProcess(): ProcessIdentity {
  return { instanceId: randomUUID(), host: hostname(), bootId: readBootId(), pid: process.pid };
}

/** A random token that fences: nobody can guess or repeat it. */
export function newClaimToken(): string {
  return randomUUID();
}

/** Whether a process of this boot lives; `true` as well when that cannot be told. */
export function processLives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/**
 * When a process of this boot was started, in clock ticks since the boot: with its pid it names a process for good, a pid
 * alone is given out again. Empty where the system does not tell, or where there is no such process.
 */
export function processStartTicks(pid: number): string {
  try {
    // The name of the program is in parentheses and may hold blanks and parentheses itself; field 22 counts from before it.
    return (
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[19] ?? ''
    );
  } catch {
    return '';
  }
}

function readBootId(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}
