import { expect } from 'vitest';
import type { ErrorCode } from '../../../src/errors.ts';
import { isTidemarkError, type TidemarkError } from '../../../src/errors.ts';
import { openWal, type WalOptions, type WriteAheadLog } from '../../../src/wal/index.ts';
import { processNumber, WalDisk } from '../../support/walDisk.ts';

export const dir = '/wal';
export const firstSegment = `${dir}/00000000000000000000.wal`;
/** A frame's header, and a segment's. */
export const [frameHeader, segmentHeader] = [28, 40];

let processes = 0;

/** Opens the log of a model disk as a new process; those before are dead. */
export function openOn(disk: WalDisk, options: Partial<WalOptions> = {}): Promise<WriteAheadLog> {
  processes += 1;
  return openWal({ dir, ...options }, { files: disk, processes: processNumber(processes) });
}

/** A disk with a closed log of these entries, one group each. */
export async function diskWith(payloads: readonly string[], options: Partial<WalOptions> = {}): Promise<WalDisk> {
  const disk = new WalDisk();
  const log = await openOn(disk, options);
  for (const payload of payloads) await log.append(Buffer.from(payload));
  await log.close();
  return disk;
}

export async function payloadsOf(log: WriteAheadLog, fromIndex?: bigint): Promise<readonly string[]> {
  const payloads: string[] = [];
  for await (const { payload } of log.read(fromIndex)) payloads.push(payload.toString());
  return payloads;
}

export async function failure(work: Promise<unknown>, code: ErrorCode): Promise<TidemarkError> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!isTidemarkError(error, code)) throw error;
  expect(error.message.length).toBeGreaterThan(10);
  return error;
}
