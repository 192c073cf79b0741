import { typeOids } from '../types/registry.ts';
import type { ColumnSource, RecordPart } from './columnSource.ts';

const textOids: readonly number[] = [typeOids.text, typeOids.varchar, typeOids.bpchar];
const jsonOids: readonly number[] = [typeOids.jsonb, typeOids.json];

/**
 * Types that hold every value of a part of the record. An offset needs 64 bits: a column that is too small for it
 * would work for two thousand million records and then never again.
 */
const partOids: Readonly<Partial<Record<RecordPart, readonly number[]>>> = {
  topic: textOids,
  partition: [typeOids.int4, typeOids.int8, typeOids.numeric, typeOids.float8, ...textOids],
  offset: [typeOids.int8, typeOids.numeric, ...textOids],
  timestamp: [typeOids.timestamptz, typeOids.timestamp, typeOids.int8, typeOids.numeric],
  headers: [...jsonOids, ...textOids],
};

const partNeeds: Readonly<Partial<Record<RecordPart, string>>> = {
  topic: 'text',
  partition: 'integer or bigint',
  offset: 'bigint',
  timestamp: 'timestamptz, or bigint for milliseconds',
  headers: 'jsonb',
};

/** What type the source needs instead; undefined where it fits, as far as can be known before a value is seen. */
export function typeNeededFor(
  source: ColumnSource,
  type: { readonly oid: number; readonly isEnum: boolean; readonly isKnown: boolean },
): string | undefined {
  if (source.kind !== 'part' || !type.isKnown || type.isEnum) return undefined;
  const fitting = partOids[source.part];
  if (fitting === undefined || fitting.includes(type.oid)) return undefined;
  return partNeeds[source.part];
}
