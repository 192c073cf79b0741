import fc from 'fast-check';
import { encodeRecordBatch, type RecordSpec, type TestCodec, testCodecs } from '../../src/testkit/index.ts';
import type { PlainRecord } from '../fixtures/fetched.ts';

/** A batch, where it stands, and what a reader must make of it. */
export interface MadeBatch {
  readonly bytes: Buffer;
  readonly baseOffset: bigint;
  readonly untilOffset: bigint;
  readonly leaderEpoch: number;
  readonly records: readonly PlainRecord[];
}

/** Evenly from [0, 1); fc.double is even over bit patterns, which is nearly always close to 0. */
export const fraction = fc.nat(2 ** 30 - 1).map((part) => part / 2 ** 30);

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const nullable = (maxLength: number) => fc.option(bytes(maxLength), { nil: null, freq: 4 });
const headerName = fc.string({ unit: 'grapheme', maxLength: 8 });

const time = 1_700_000_000_000n;
const timestamp = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -5_000, max: 90_000_000 }).map((delta) => time + BigInt(delta)) },
  { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) },
  { weight: 1, arbitrary: fc.constant(-1n) },
);

const record = (bytesMax: number) =>
  fc.record({
    gap: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(20_000) }),
    timestamp,
    key: nullable(Math.min(20, bytesMax)),
    value: nullable(bytesMax),
    headers: fc.array(fc.tuple(headerName, nullable(Math.min(10, bytesMax))), { maxLength: 4, size: 'small' }),
  });

const batch = (codecs: readonly TestCodec[], bytesMax: number) =>
  fc.record({
    gap: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(1_000) }),
    tail: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(50) }),
    codec: fc.constantFrom(...codecs),
    baseTimestamp: timestamp,
    timestampType: fc.constantFrom('create' as const, 'append' as const),
    maxTimestamp: timestamp,
    leaderEpoch: fc.nat(1_000),
    hasDeleteHorizon: fc.boolean(),
    records: fc.array(record(bytesMax), { maxLength: 12, size: '+1' }),
  });

export interface LogConstraints {
  /** Batches. Default 1 to 6. */
  readonly minLength?: number;
  readonly maxLength?: number;
  /** Default all. */
  readonly codecs?: readonly TestCodec[];
  /** Bytes of a value; keys and headers have fewer still. Default 300. */
  readonly bytesMax?: number;
}

/** A piece of a log: batches one behind the other, with holes between and inside. */
export function logs({ minLength = 1, maxLength = 6, codecs = testCodecs, bytesMax = 300 }: LogConstraints = {}) {
  const start = fc.oneof(fc.bigInt({ min: 0n, max: 1_000n }), fc.bigInt({ min: 2n ** 53n, max: 2n ** 62n }));
  return fc.tuple(start, fc.array(batch(codecs, bytesMax), { minLength, maxLength })).map(([startOffset, specs]) => {
    const made: MadeBatch[] = [];
    let next = startOffset;
    for (const { gap, tail, records, ...spec } of specs) {
      const baseOffset = next + BigInt(gap);
      const withDeltas = deltasOf(records);
      const lastOffsetDelta = (withDeltas.at(-1)?.offsetDelta ?? 0) + tail;
      made.push({
        bytes: encodeRecordBatch({ ...spec, baseOffset, records: withDeltas, lastOffsetDelta }),
        baseOffset,
        untilOffset: baseOffset + BigInt(lastOffsetDelta + 1),
        leaderEpoch: spec.leaderEpoch,
        records: withDeltas.map((each) => ({
          offset: baseOffset + BigInt(each.offsetDelta),
          timestamp: Number(spec.timestampType === 'append' ? spec.maxTimestamp : each.timestamp),
          timestampType: spec.timestampType,
          key: each.key,
          value: each.value,
          headers: each.headers,
        })),
      });
      next = baseOffset + BigInt(lastOffsetDelta + 1);
    }
    return made;
  });
}

function deltasOf<T extends { readonly gap: number }>(
  records: readonly T[],
): (T & Required<Pick<RecordSpec, 'offsetDelta'>>)[] {
  let next = 0;
  return records.map((each) => {
    const offsetDelta = next + each.gap;
    next = offsetDelta + 1;
    return { ...each, offsetDelta };
  });
}
