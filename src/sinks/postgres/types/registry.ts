import { TextArrayType } from './array.ts';
import { booleanType } from './boolean.ts';
import { byteaType } from './bytea.ts';
import type { ColumnType } from './columnType.ts';
import { FloatType } from './float.ts';
import { ForeignType } from './foreign.ts';
import { IntegerType } from './integer.ts';
import { JsonType } from './json.ts';
import { NumericType } from './numeric.ts';
import { dateType, TimestampType } from './temporal.ts';
import { TextType } from './text.ts';
import { uuidType } from './uuid.ts';

/** A column's type as the catalog has it; of a domain the type below it. */
export interface TypeFacts {
  /** As `format_type` writes the column's own type. */
  readonly name: string;
  readonly oid: number;
  /** -1 where the type has no modifier. */
  readonly typmod: number;
  readonly isEnum: boolean;
  readonly isArray: boolean;
}

/** Object ids of built-in types never change (pg_type.dat). */
export const typeOids = {
  bool: 16,
  bytea: 17,
  name: 19,
  int8: 20,
  int2: 21,
  int4: 23,
  text: 25,
  json: 114,
  float4: 700,
  float8: 701,
  textArray: 1009,
  varcharArray: 1015,
  bpchar: 1042,
  varchar: 1043,
  date: 1082,
  timestamp: 1114,
  timestamptz: 1184,
  numeric: 1700,
  uuid: 2950,
  jsonb: 3802,
} as const;

/** Bytes a modifier counts beside the length itself (VARHDRSZ). */
const modifierOffset = 4;

export function columnTypeOf(facts: TypeFacts): ColumnType {
  const { name, oid, typmod } = facts;
  // The binary form of an enumeration is its label.
  if (facts.isEnum) return new TextType(name);
  switch (oid) {
    case typeOids.bool:
      return booleanType;
    case typeOids.bytea:
      return byteaType;
    case typeOids.int2:
      return new IntegerType(name, 2);
    case typeOids.int4:
      return new IntegerType(name, 4);
    case typeOids.int8:
      return new IntegerType(name, 8);
    case typeOids.text:
      return new TextType(name);
    case typeOids.varchar:
    case typeOids.bpchar:
      return typmod < modifierOffset ? new TextType(name) : new TextType(name, typmod - modifierOffset);
    case typeOids.json:
      return new JsonType('json');
    case typeOids.jsonb:
      return new JsonType('jsonb');
    case typeOids.float4:
      return new FloatType(name, 4);
    case typeOids.float8:
      return new FloatType(name, 8);
    case typeOids.textArray:
      return new TextArrayType(name, typeOids.text);
    case typeOids.varcharArray:
      return typmod < modifierOffset ? new TextArrayType(name, typeOids.varchar) : new ForeignType(name, true);
    case typeOids.date:
      return dateType;
    case typeOids.timestamp:
      return new TimestampType(name, false);
    case typeOids.timestamptz:
      return new TimestampType(name, true);
    case typeOids.numeric:
      return new NumericType(name, numericLimits(typmod));
    case typeOids.uuid:
      return uuidType;
    default:
      return new ForeignType(name, facts.isArray);
  }
}

/** Precision in the high half, scale in the low eleven bits with a sign (numerictypmodin). */
function numericLimits(typmod: number): { readonly precision: number; readonly scale: number } | undefined {
  if (typmod < modifierOffset) return undefined;
  const packed = typmod - modifierOffset;
  return { precision: (packed >> 16) & 0xffff, scale: ((packed & 0x7ff) ^ 1024) - 1024 };
}
