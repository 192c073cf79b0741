import { TidemarkError } from '../errors.ts';
import { type DurableFiles, errnoOf, nodeFiles } from '../platform/index.ts';
import { fileError } from './damage.ts';
import { findHolder, type LockHolder, type LockProcesses, systemProcesses } from './lock.ts';
import type { FrameVisitor } from './segmentWalk.ts';
import { type Survey, surveyLog } from './survey.ts';

/** A log as it lies in its directory, and who has it open. */
export interface Inspection extends Survey {
  readonly holder: LockHolder | undefined;
}

/** How often a log in use is looked at again when a file went away under the look. */
const attemptsMax = 5;

/**
 * Looks at a log without changing or locking it, also at a damaged one and at one in use; what is appended meanwhile may be
 * in it or not. Rejects with `WAL_READ_FAILED` when there is no log, or a file cannot be read.
 */
export async function inspectWal(
  dir: string,
  visit?: FrameVisitor,
  {
    files = nodeFiles,
    processes = systemProcesses(),
  }: { readonly files?: DurableFiles; readonly processes?: LockProcesses } = {},
): Promise<Inspection> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const holder = await findHolder(files, dir, processes);
      const survey = await surveyLog(files, dir, visit);
      if (survey.state === undefined && survey.segments.length === 0) throw noLogError(dir);
      return { ...survey, holder };
    } catch (error) {
      // A segment was deleted between the list and the look at it. With a visitor, entries would come twice.
      if (visit === undefined && errnoOf(error) === 'ENOENT' && attempt < attemptsMax) continue;
      throw fileError('WAL_READ_FAILED', dir, error);
    }
  }
}

function noLogError(dir: string): TidemarkError {
  return new TidemarkError('WAL_READ_FAILED', `${dir}: there is no write-ahead log here`, {
    path: dir,
    hint: 'Name the directory of a log: wal.dir of the pipeline.',
  });
}
