import { join } from 'node:path';
import { TidemarkError } from '../errors.ts';
import { type DurableFile, type DurableFiles, errnoOf } from '../platform/index.ts';
import { damageError, fileError } from './damage.ts';
import { frameHeaderBytes, frameKinds, frameSeed, indexAfter, segmentHeaderBytes, segmentName } from './format.ts';
import { type Frame, FrameScan } from './frameScan.ts';
import type { KnownSegment } from './recovery.ts';
import type { EntryPlace } from './segmentFile.ts';

/** An entry as it was appended. */
export interface Entry extends EntryPlace {
  readonly payload: Buffer;
}

/** The log as a reader sees it while it grows at one end and shrinks at the other. */
export interface LogView {
  readonly dir: string;
  readonly logId: string;
  segments(): readonly KnownSegment[];
  /** The active segment, and where what is durable of it ends. */
  active(): { readonly firstIndex: bigint; readonly bytes: number };
  nextIndex(): bigint;
}

/** Entries from `fromIndex` to the last durable one; see `WriteAheadLog.read`. One segment is open at a time. */
export async function* readEntries(files: DurableFiles, log: LogView, fromIndex: bigint): AsyncGenerator<Entry, void> {
  let index = fromIndex;
  while (index < log.nextIndex()) {
    const segment = log.segments().findLast(({ firstIndex }) => firstIndex <= index);
    if (segment === undefined) throw goneError(log.dir, index);
    const file = await openSegment(files, segment.path, index);
    const before = index;
    try {
      for await (const frame of framesOf(file, segment, log)) {
        if (frame.index < index) continue;
        if (frame.kind === frameKinds.entry) yield entryOf(frame, segment.firstIndex);
        index = indexAfter(frame.kind, frame.index, frame.payload);
      }
      if (index === before) throw shortError(segment.path, await file.size(), index);
    } catch (error) {
      throw fileError('WAL_READ_FAILED', segment.path, error);
    } finally {
      await file.close();
    }
  }
}

/** The file was changed by somebody else while the log was open. */
function shortError(path: string, byteOffset: number, index: bigint): TidemarkError {
  return damageError({ code: 'WAL_SEGMENT_MISSING', path, byteOffset, what: `entry ${index} is not here any more` });
}

/** To the end of the segment; of the active one to what is durable, which moves on while it is read. */
async function* framesOf(file: DurableFile, segment: KnownSegment, log: LogView): AsyncGenerator<Frame, void> {
  const seed = frameSeed({ logId: log.logId, firstIndex: segment.firstIndex });
  let fromByte = segmentHeaderBytes;
  for (;;) {
    const active = log.active();
    const isActive = active.firstIndex === segment.firstIndex;
    const untilByte = isActive ? active.bytes : await file.size();
    const scan = new FrameScan(file, seed, fromByte, untilByte);
    for (let frames = await scan.next(); frames !== undefined; frames = await scan.next()) yield* frames;
    if (scan.bad !== undefined) throw damageError({ code: 'WAL_CORRUPT', path: segment.path, ...scan.bad });
    fromByte = scan.byteOffset;
    if (!isActive || untilByte === log.active().bytes) return;
  }
}

/** The payload of the entry at its place, checked. */
export async function readEntryAt(files: DurableFiles, dir: string, logId: string, place: EntryPlace): Promise<Buffer> {
  const path = join(dir, segmentName(place.segment));
  const file = await openSegment(files, path, place.index);
  try {
    const untilByte = place.byteOffset + frameHeaderBytes + place.payloadBytes;
    const scan = new FrameScan(file, frameSeed({ logId, firstIndex: place.segment }), place.byteOffset, untilByte);
    const [frame] = (await scan.next()) ?? [];
    if (frame?.index === place.index) return frame.payload;
    const what = scan.bad?.what ?? `entry ${place.index} is not here`;
    throw damageError({ code: 'WAL_CORRUPT', path, byteOffset: place.byteOffset, what });
  } catch (error) {
    throw fileError('WAL_READ_FAILED', path, error);
  } finally {
    await file.close();
  }
}

async function openSegment(files: DurableFiles, path: string, index: bigint): Promise<DurableFile> {
  try {
    return await files.open(path, 'read');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw goneError(path, index);
    throw fileError('WAL_READ_FAILED', path, error);
  }
}

function goneError(path: string, index: bigint): TidemarkError {
  return new TidemarkError('WAL_ENTRY_GONE', `${path}: entry ${index} was deleted: it lies below the low watermark`, {
    path,
    hint: 'Read from the low watermark on.',
  });
}

function entryOf({ index, byteOffset, payload }: Frame, segment: bigint): Entry {
  return { index, segment, byteOffset, payloadBytes: payload.length, payload };
}
