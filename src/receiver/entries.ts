/**
 * What receiver mode writes into its log. An entry:
 *
 * | byte | length | |
 * |---|---|---|
 * | 0 | 1 | kind |
 * | 1 | 1 | version, 1 |
 * | 2 | 4 | length of the header, big-endian |
 * | 6 | | header: a JSON object, UTF-8; offsets and entry indexes as decimal text |
 * | then | | of a block: its records, untouched; else nothing |
 *
 * Checksums are the log's business.
 */
import { TidemarkError } from '../errors.ts';
import type { TopicPartition } from '../model/index.ts';
import type { Block, BlockHeader } from './block.ts';
import { EntryFields, EntryProblem, type EntryRange } from './entryFields.ts';

export type { EntryRange } from './entryFields.ts';

/** A block was received. */
export interface BlockEntry {
  readonly kind: 'block';
  readonly header: BlockHeader;
  /** Bytes of its records. */
  readonly payloadBytes: number;
}

/** Blocks of a stream, by the indexes of their entries. */
export interface StreamBlocks extends TopicPartition {
  readonly blocks: readonly EntryRange[];
}

/** A batch has taken blocks: these and no others. */
export interface AllocationEntry {
  readonly kind: 'allocation';
  readonly batchTimeMs: number;
  /** Every stream that was asked, also without blocks. */
  readonly streams: readonly StreamBlocks[];
}

/** Next number of a stream that numbers its records itself. */
export interface NextOffset extends TopicPartition {
  readonly nextOffset: bigint;
}

/** Batches are done; and a snapshot of what must outlive the entries it was learnt from. */
export interface CleanupEntry {
  readonly kind: 'cleanup';
  readonly batchTimesMs: readonly number[];
  readonly newestBatchTimeMs: number | undefined;
  readonly next: readonly NextOffset[];
  /** `next` counts all blocks whose entries lie below it; some between it and this entry may have been on their way. */
  readonly coveredUntil: bigint;
}

/** Blocks will not be committed: another owner has their records, or their topic is gone. */
export interface DiscardEntry {
  readonly kind: 'discard';
  readonly reason: string;
  readonly streams: readonly (StreamBlocks & { readonly recordCount: number })[];
}

/** Blocks of one claim of a stream belong to another one from now on. */
export interface AdoptionEntry extends TopicPartition {
  readonly kind: 'adoption';
  readonly fromClaim: string;
  readonly toClaim: string;
}

export type BookEntry = AllocationEntry | CleanupEntry | DiscardEntry | AdoptionEntry;
export type LogEntry = BlockEntry | BookEntry;

const kindBytes = { block: 1, allocation: 2, cleanup: 3, discard: 4, adoption: 5 } as const;
const kindsByByte: ReadonlyMap<number, LogEntry['kind']> = new Map(
  Object.entries(kindBytes).map(([kind, byte]) => [byte, kind as LogEntry['kind']]),
);
const version = 1;
const prefixBytes = 6;
const openingBrace = 0x7b;

/** A block whose records lie, or will lie, where they are written from: no further copy is made of them. */
export interface LaidOutBlock {
  readonly header: BlockHeader;
  readonly entry: Buffer;
  /** The place of the records within the entry. */
  readonly payload: Buffer;
}

/** Lays out the entry of a block; the records are to be put into `payload`. */
export function layOutBlock(
  block: BlockHeader,
  payloadBytes: number,
  allocate: (bytes: number) => Buffer = Buffer.allocUnsafe,
): LaidOutBlock {
  const header = headerOf(block);
  const { entry, payload } = layOut(kindBytes.block, header, payloadBytes, allocate);
  return { header, entry, payload };
}

/** An entry with a copy of the block's records. */
export function encodeBlock(block: Block): Buffer {
  return laidOut(block).entry;
}

export function laidOut(block: Block): LaidOutBlock {
  const made = layOutBlock(block, block.payload.length);
  block.payload.copy(made.payload);
  return made;
}

export function encodeEntry(entry: BookEntry): Buffer {
  return layOut(kindBytes[entry.kind], bookHeader(entry), 0, Buffer.allocUnsafe).entry;
}

/** What is written of a block beside its records. */
export function headerOf(block: BlockHeader): BlockHeader {
  return {
    topic: block.topic,
    partition: block.partition,
    blockId: block.blockId,
    fromOffset: block.fromOffset,
    untilOffset: block.untilOffset,
    recordCount: block.recordCount,
    topicId: block.topicId,
    leaderEpoch: block.leaderEpoch,
    claim: block.claim,
    receivedAtMs: block.receivedAtMs,
  };
}

/**
 * Reads an entry; of a block the header and the length of its records. `log` names the log in errors: `WAL_VERSION_UNSUPPORTED`
 * for a kind or version that is not known, `WAL_CORRUPT` for anything else that was not written like this.
 */
export function decodeEntry(
  { index, payload }: { readonly index: bigint; readonly payload: Buffer },
  log: string,
): LogEntry {
  try {
    return readEntry(payload);
  } catch (error) {
    if (!(error instanceof EntryProblem)) throw error;
    throw new TidemarkError(error.code, `log ${log}, entry ${index}: ${error.message}`, { hint: hints[error.code] });
  }
}

const hints = {
  WAL_VERSION_UNSUPPORTED: 'Run the version of tidemark that wrote it.',
  WAL_CORRUPT: 'Keep the directory as it is; tidemark wal verify lists all entries that cannot be read.',
} as const;

/** The records of a block's entry, a view. */
export function payloadOf(entry: Buffer): Buffer {
  return entry.subarray(prefixBytes + entry.readUInt32BE(2));
}

/** Whether the bytes are laid out like an entry of receiver mode, of whatever kind and version. */
export function isReceiverEntry(payload: Buffer): boolean {
  return payload[prefixBytes] === openingBrace && prefixBytes + payload.readUInt32BE(2) <= payload.length;
}

function layOut(kind: number, header: object, payloadBytes: number, allocate: (bytes: number) => Buffer) {
  const text = JSON.stringify(header, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  const headerBytes = Buffer.byteLength(text);
  const entry = allocate(prefixBytes + headerBytes + payloadBytes);
  entry.writeUInt8(kind, 0);
  entry.writeUInt8(version, 1);
  entry.writeUInt32BE(headerBytes, 2);
  entry.write(text, prefixBytes);
  return { entry, payload: entry.subarray(prefixBytes + headerBytes) };
}

function bookHeader({ kind: _, ...fields }: BookEntry): object {
  if (!('streams' in fields)) return fields;
  const streams = fields.streams.map(({ blocks, ...stream }) => ({
    ...stream,
    blocks: blocks.map(({ fromIndex, untilIndex }) => [fromIndex, untilIndex]),
  }));
  return { ...fields, streams };
}

/** Throws EntryProblem. */
export function readEntry(entry: Buffer): LogEntry {
  if (entry.length < prefixBytes) throw new EntryProblem(`an entry of ${entry.length} bytes`);
  const kind = kindsByByte.get(entry.readUInt8(0));
  if (kind === undefined) throw new EntryProblem(`kind ${entry[0]} is not known`, 'WAL_VERSION_UNSUPPORTED');
  if (entry[1] !== version) throw new EntryProblem(`version ${entry[1]} is not known`, 'WAL_VERSION_UNSUPPORTED');
  const payloadBytes = entry.length - prefixBytes - entry.readUInt32BE(2);
  if (payloadBytes < 0) throw new EntryProblem('the header is longer than the entry');
  const fields = EntryFields.parse(entry.subarray(prefixBytes, entry.length - payloadBytes));
  if (kind === 'block') return { kind, header: blockHeader(fields), payloadBytes };
  if (payloadBytes > 0) throw new EntryProblem('bytes follow the header');
  switch (kind) {
    case 'allocation':
      return { kind, batchTimeMs: fields.integer('batchTimeMs'), streams: fields.objects('streams', streamBlocks) };
    case 'cleanup':
      return {
        kind,
        batchTimesMs: fields.integers('batchTimesMs'),
        newestBatchTimeMs: fields.optionalInteger('newestBatchTimeMs'),
        next: fields.objects('next', (next) => ({ ...partitionOf(next), nextOffset: next.bigint('nextOffset') })),
        coveredUntil: fields.bigint('coveredUntil'),
      };
    case 'discard': {
      const discarded = (of: EntryFields) => ({ ...streamBlocks(of), recordCount: of.integer('recordCount') });
      return { kind, reason: fields.text('reason'), streams: fields.objects('streams', discarded) };
    }
    case 'adoption':
      return { kind, ...partitionOf(fields), fromClaim: fields.text('fromClaim'), toClaim: fields.text('toClaim') };
  }
}

function blockHeader(fields: EntryFields): BlockHeader {
  const header = {
    ...partitionOf(fields),
    blockId: fields.text('blockId'),
    fromOffset: fields.bigint('fromOffset'),
    untilOffset: fields.bigint('untilOffset'),
    recordCount: fields.integer('recordCount'),
    topicId: fields.text('topicId'),
    leaderEpoch: fields.integer('leaderEpoch', -1),
    claim: fields.text('claim'),
    receivedAtMs: fields.integer('receivedAtMs'),
  };
  if (header.fromOffset > header.untilOffset) throw new EntryProblem('the block ends before it begins');
  return header;
}

function partitionOf(fields: EntryFields): TopicPartition {
  return { topic: fields.text('topic'), partition: fields.integer('partition') };
}

function streamBlocks(fields: EntryFields): StreamBlocks {
  return { ...partitionOf(fields), blocks: fields.ranges('blocks') };
}
