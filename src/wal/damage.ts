import { type ErrorCode, isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import { errnoOf, isNoRoom } from '../platform/index.ts';
import type { FormatProblem } from './format.ts';

/** Something wrong with a log: where, what, and the code it stops an opening with. */
export interface Damage {
  readonly code: Extract<
    ErrorCode,
    'WAL_CORRUPT' | 'WAL_SEGMENT_MISSING' | 'WAL_SEGMENT_FOREIGN' | 'WAL_VERSION_UNSUPPORTED'
  >;
  readonly path: string;
  readonly byteOffset: number;
  readonly what: string;
}

export function damageOf(path: string, { problem, byteOffset, what }: FormatProblem): Damage {
  return { code: problem === 'version' ? 'WAL_VERSION_UNSUPPORTED' : 'WAL_CORRUPT', path, byteOffset, what };
}

export function damageError({ code, path, byteOffset, what }: Damage): TidemarkError {
  return new TidemarkError(code, `${path}, byte ${byteOffset}: ${what}`, { path, byteOffset, hint: hints[code] });
}

const salvage =
  'Keep the directory as it is; tidemark wal verify lists all of the damage, tidemark wal repair saves the rest.';
const hints: Readonly<Record<Damage['code'], string>> = {
  WAL_CORRUPT: salvage,
  WAL_SEGMENT_MISSING: `Put the missing files back. ${salvage}`,
  WAL_SEGMENT_FOREIGN: `Find out how a file of another log came here. ${salvage}`,
  WAL_VERSION_UNSUPPORTED: 'Run the version of tidemark that wrote it.',
};

/** A failed call of the file system in our words. A full disk has a code of its own: it can be tried again. */
export function fileError(code: 'WAL_READ_FAILED' | 'WAL_WRITE_FAILED', path: string, cause: unknown): TidemarkError {
  if (isTidemarkError(cause)) return cause;
  const foreignCode = errnoOf(cause);
  const facts = { path, cause, ...(foreignCode === undefined ? {} : { foreignCode }) };
  if (isNoRoom(cause)) {
    return new TidemarkError('WAL_FULL', `${path}: ${messageOf(cause)}`, {
      ...facts,
      retriable: true,
      hint: 'Make room on the disk: nothing that was acknowledged is lost, and writing goes on by itself.',
    });
  }
  const hint =
    code === 'WAL_READ_FAILED' ? 'Check path, rights and disk.' : 'Check rights and disk, then open the log again.';
  return new TidemarkError(code, `${path}: ${messageOf(cause)}`, { ...facts, hint });
}
