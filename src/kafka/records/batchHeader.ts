import { TidemarkError } from '../../errors.ts';
import { crc32c } from '../../platform/index.ts';
import { corruptBatch, type FetchedRecords } from './fetchedRecords.ts';

/**
 * Layout of a record batch, message format v2 (KIP-98), big endian. The checksum covers everything from the attributes
 * on; what stands before it is set by the broker and can only be held against the rules of the log.
 */
const at = {
  baseOffset: 0,
  /** Bytes after this field. */
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  checksum: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  recordCount: 57,
  records: 61,
} as const;

const lengthPrefixBytes = at.leaderEpoch;

/** Bits of the attributes. Bit 6 marks a base timestamp that is the delete horizon (KIP-534): deltas count from it all the same. */
const attribute = { codec: 0x07, appendTime: 0x08, transactional: 0x10, control: 0x20 } as const;

/** Where one complete, verified record batch stands in the fetched bytes, and what its header says of offsets. */
export interface BatchSpan {
  readonly start: number;
  readonly end: number;
  /** The batch covers `[baseOffset, untilOffset)`, also after compaction took its last records. */
  readonly baseOffset: bigint;
  readonly untilOffset: bigint;
  readonly lastOffsetDelta: number;
  /** Records that are really there: fewer than offsets after compaction, none in an emptied batch. */
  readonly recordCount: number;
  readonly leaderEpoch: number;
  readonly attributes: number;
  /** Neither a control batch nor of an aborted transaction. The scan settles it once: abort state belongs to the response. */
  isReadable: boolean;
}

export function codecIdOf(span: BatchSpan): number {
  return span.attributes & attribute.codec;
}

export function isAppendTime(span: BatchSpan): boolean {
  return (span.attributes & attribute.appendTime) !== 0;
}

export function isTransactional(span: BatchSpan): boolean {
  return (span.attributes & attribute.transactional) !== 0;
}

export function isControl(span: BatchSpan): boolean {
  return (span.attributes & attribute.control) !== 0;
}

export function producerIdOf(bytes: Buffer, span: BatchSpan): bigint {
  return bytes.readBigInt64BE(span.start + at.producerId);
}

export function baseTimestampOf(bytes: Buffer, span: BatchSpan): bigint {
  return bytes.readBigInt64BE(span.start + at.baseTimestamp);
}

export function maxTimestampOf(bytes: Buffer, span: BatchSpan): bigint {
  return bytes.readBigInt64BE(span.start + at.maxTimestamp);
}

/** The part of a batch that a codec packs. */
export function recordsStartOf(span: BatchSpan): number {
  return span.start + at.records;
}

/**
 * Reads and verifies the batch at a position; undefined when its bytes end too early. Throws KAFKA_CORRUPT_BATCH. `isVerified`: its
 * checksum was held against its bytes before, in this process.
 */
export function readBatchSpan(fetched: FetchedRecords, start: number, isVerified = false): BatchSpan | undefined {
  const { bytes } = fetched;
  // Formats v0 and v1 have the magic at the same position; their messages may be shorter than a v2 header.
  if (bytes.length - start <= at.magic) return undefined;
  const baseOffset = bytes.readBigInt64BE(start);
  checkMagic(fetched, baseOffset, bytes[start + at.magic] as number);
  const length = bytes.readInt32BE(start + at.batchLength);
  if (length < at.records - lengthPrefixBytes) {
    throw corruptBatch(
      fetched,
      baseOffset,
      undefined,
      `it declares a length of ${length} bytes, less than its header has`,
    );
  }
  const end = start + lengthPrefixBytes + length;
  if (end > bytes.length) return undefined;
  const lastOffsetDelta = bytes.readInt32BE(start + at.lastOffsetDelta);
  if (!isVerified) checkChecksum(fetched, start, end, baseOffset, lastOffsetDelta);
  const span = {
    start,
    end,
    baseOffset,
    untilOffset: baseOffset + BigInt(lastOffsetDelta + 1),
    lastOffsetDelta,
    recordCount: bytes.readInt32BE(start + at.recordCount),
    leaderEpoch: bytes.readInt32BE(start + at.leaderEpoch),
    attributes: bytes.readUInt16BE(start + at.attributes),
    isReadable: true,
  };
  const fault = faultOf(span);
  if (fault !== undefined) throw corruptBatch(fetched, baseOffset, lastOffsetDelta, fault);
  return span;
}

function checkChecksum(
  fetched: FetchedRecords,
  start: number,
  end: number,
  baseOffset: bigint,
  lastOffsetDelta: number,
): void {
  const { bytes } = fetched;
  const expected = bytes.readUInt32BE(start + at.checksum);
  const found = crc32c(bytes.subarray(start + at.attributes, end));
  if (found === expected) return;
  const reason = `its checksum is ${hex(expected)}, its bytes give ${hex(found)}`;
  throw corruptBatch(fetched, baseOffset, lastOffsetDelta, reason);
}

function checkMagic(fetched: FetchedRecords, baseOffset: bigint, magic: number): void {
  if (magic === 2) return;
  if (magic > 2) throw corruptBatch(fetched, baseOffset, undefined, `its message format v${magic} is unknown`);
  const { topic, partition } = fetched;
  throw new TidemarkError(
    'KAFKA_CORRUPT_BATCH',
    `The record batch of ${topic}-${partition} at offset ${baseOffset} has message format v${magic}, which is too old: tidemark reads v2 (Kafka 0.11 and later)`,
    {
      topic,
      partition,
      fromOffset: baseOffset,
      hint: 'Copy the topic with a current producer, which writes format v2',
    },
  );
}

function faultOf(span: BatchSpan): string | undefined {
  const { baseOffset, lastOffsetDelta, recordCount, leaderEpoch } = span;
  if (baseOffset < 0n) return 'its base offset is negative';
  if (lastOffsetDelta < 0) return `its last offset delta is ${lastOffsetDelta}`;
  if (recordCount < 0 || recordCount > lastOffsetDelta + 1) {
    return `it declares ${recordCount} records in ${lastOffsetDelta + 1} offsets`;
  }
  if (leaderEpoch < -1) return `its leader epoch is ${leaderEpoch}`;
  return undefined;
}

function hex(checksum: number): string {
  return `0x${checksum.toString(16).padStart(8, '0')}`;
}
