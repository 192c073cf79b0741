import { TidemarkError } from '../errors.ts';
import { type Clock, type DurableFiles, nodeFiles, systemClock } from '../platform/index.ts';
import { fileError } from './damage.ts';
import { entryBytesLimit, frameHeaderBytes, segmentHeaderBytes } from './format.ts';
import { acquireLock, type LockProcesses, systemProcesses } from './lock.ts';
import { WriteAheadLog } from './log.ts';
import type { SyncFacts } from './logWriter.ts';
import { recoverLog } from './recovery.ts';

export interface WalOptions {
  /** Directory of this log alone; it is made where it is missing. */
  readonly dir: string;
  /** A segment ends before the entry that would make it longer. Default 64 MiB. */
  readonly segmentBytesMax?: number;
  /** The longest entry, in bytes; it must fit into a segment. Default 16 MiB, at most 256 MiB. */
  readonly entryBytesMax?: number;
  /** Called after every fsync of entries; must not throw. */
  readonly onSync?: (facts: SyncFacts) => void;
}

/** The outside of a log: the real one by default. */
export interface WalSurroundings {
  readonly files: DurableFiles;
  readonly processes: LockProcesses;
  readonly clock: Clock;
}

export const walDefaults = { segmentBytesMax: 64 * 1_048_576, entryBytesMax: 16 * 1_048_576 } as const;

/**
 * Opens the log of a directory for this process alone, or makes one; everything in it is checked, and a torn tail cut off.
 * Rejects with `WAL_LOCKED`, with the code of any damage but a torn tail (and then nothing was changed), and with
 * `WAL_READ_FAILED`, `WAL_WRITE_FAILED` or `WAL_FULL` when the disk does not let it.
 */
export async function openWal(
  {
    dir,
    segmentBytesMax = walDefaults.segmentBytesMax,
    entryBytesMax = walDefaults.entryBytesMax,
    onSync = () => {},
  }: WalOptions,
  { files = nodeFiles, processes = systemProcesses(), clock = systemClock }: Partial<WalSurroundings> = {},
): Promise<WriteAheadLog> {
  checkLimits(segmentBytesMax, entryBytesMax);
  try {
    await files.makeDirectory(dir);
  } catch (error) {
    throw fileError('WAL_WRITE_FAILED', dir, error);
  }
  const release = await acquireLock(files, dir, processes);
  try {
    const recovered = await recoverLog(files, dir);
    return new WriteAheadLog({ files, clock, dir, recovered, segmentBytesMax, entryBytesMax, release, onSync });
  } catch (error) {
    // The error that counts is the first one; a lock that stays is stale when this process ends.
    await release().catch(() => {});
    throw fileError('WAL_WRITE_FAILED', dir, error);
  }
}

function checkLimits(segmentBytesMax: number, entryBytesMax: number): void {
  const room = segmentBytesMax - segmentHeaderBytes - frameHeaderBytes;
  if (entryBytesMax <= Math.min(room, entryBytesLimit)) return;
  throw new TidemarkError(
    'CONFIG_INVALID',
    `entryBytesMax ${entryBytesMax} does not fit: a segment of ${segmentBytesMax} bytes (segmentBytesMax) has room for ${room}, and no entry may be longer than ${entryBytesLimit}`,
    { path: 'entryBytesMax', hint: 'Lower entryBytesMax or raise segmentBytesMax.' },
  );
}
