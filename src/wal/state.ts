/**
 * The file `state`: what the segments themselves cannot say. Two slots of 4096 bytes are written in turn, in place, so a
 * write that is torn leaves the other one, and a full disk does not keep the low watermark from moving.
 *
 *     slot     0  8  magic "TIDESTA\n"
 *              8  4  version, 1
 *             12  8  generation: the slot with the higher one counts; generation modulo 2 is the slot's number
 *             20 16  log id
 *             36  8  first index of the newest segment
 *             44  8  everything below this index was durable when the slot was written
 *             52  8  low watermark: entries below it are done
 *             60  4  number of open ids, 8 at most
 *             64 128 open ids, the newest first
 *            192  4  CRC-32C of bytes 0 to 191
 *            196     zeros
 */
import { join } from 'node:path';
import { crc32c, type DurableFile, type DurableFiles } from '../platform/index.ts';
import { damaged, type FormatProblem, formatVersion, unknownVersion, uuidBytes, uuidText } from './format.ts';

export const stateName = 'state';

/** The file of the state in the directory of a log. */
export function stateFileOf(dir: string): string {
  return join(dir, stateName);
}

export const slotBytes = 4096;
/** So many openings may pass between a database and a backup of it that is put back. */
export const openIdsMax = 8;

const magic = Buffer.from('TIDESTA\n');

export interface LogState {
  readonly generation: bigint;
  readonly logId: string;
  readonly newestSegment: bigint;
  readonly durableIndex: bigint;
  readonly lowWatermark: bigint;
  readonly openIds: readonly string[];
}

export function encodeSlot(state: LogState): Buffer {
  const bytes = Buffer.alloc(slotBytes);
  magic.copy(bytes);
  bytes.writeUInt32BE(formatVersion, 8);
  bytes.writeBigUInt64BE(state.generation, 12);
  bytes.set(uuidBytes(state.logId), 20);
  bytes.writeBigUInt64BE(state.newestSegment, 36);
  bytes.writeBigUInt64BE(state.durableIndex, 44);
  bytes.writeBigUInt64BE(state.lowWatermark, 52);
  bytes.writeUInt32BE(state.openIds.length, 60);
  for (const [at, id] of state.openIds.entries()) bytes.set(uuidBytes(id), 64 + 16 * at);
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, 192)), 192);
  return bytes;
}

export function decodeSlot(bytes: Buffer): LogState | FormatProblem {
  if (bytes.length < 196) return damaged(bytes.length, 'the state is cut short');
  if (!bytes.subarray(0, 8).equals(magic)) return damaged(0, 'this is not the state of a write-ahead log');
  const version = bytes.readUInt32BE(8);
  if (version !== formatVersion) return unknownVersion(8, version);
  if (crc32c(bytes.subarray(0, 192)) !== bytes.readUInt32BE(192)) return damaged(0, 'the state fails its checksum');
  const count = Math.min(bytes.readUInt32BE(60), openIdsMax);
  return {
    generation: bytes.readBigUInt64BE(12),
    logId: uuidText(bytes.subarray(20, 36)),
    newestSegment: bytes.readBigUInt64BE(36),
    durableIndex: bytes.readBigUInt64BE(44),
    lowWatermark: bytes.readBigUInt64BE(52),
    openIds: Array.from({ length: count }, (_, at) => uuidText(bytes.subarray(64 + 16 * at, 80 + 16 * at))),
  };
}

/** What the two slots say: the newer good one counts, and a bad one beside it is a write that was torn. */
export interface ReadState {
  readonly state: LogState | undefined;
  /** By slot; byte offsets are those of the file. */
  readonly problems: readonly FormatProblem[];
}

export async function readState(files: DurableFiles, path: string): Promise<ReadState> {
  const file = await files.open(path, 'read');
  try {
    const bytes = Buffer.alloc(2 * slotBytes);
    const length = await file.read(bytes, 0);
    const slots = [0, slotBytes].map((at) => ({ at, found: decodeSlot(bytes.subarray(Math.min(at, length), length)) }));
    const problems: FormatProblem[] = [];
    let state: LogState | undefined;
    for (const { at, found } of slots) {
      if ('problem' in found) problems.push({ ...found, byteOffset: found.byteOffset + at });
      else if (state === undefined || found.generation > state.generation) state = found;
    }
    return { state, problems };
  } finally {
    await file.close();
  }
}

/** Writes the slot of the state's generation, durably. */
export async function writeSlot(file: DurableFile, state: LogState): Promise<void> {
  await file.write([encodeSlot(state)], Number(state.generation % 2n) * slotBytes);
  await file.sync();
}
