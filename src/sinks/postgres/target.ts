import type { Client } from 'pg';
import { messageOf, TidemarkError } from '../../errors.ts';
import type { TypeFacts } from './types/registry.ts';

export interface TargetColumn {
  readonly name: string;
  readonly type: TypeFacts;
  /** Of the column itself; `type` is what lies below a domain. */
  readonly typeOid: number;
  readonly isNotNull: boolean;
  /** Has a default, or numbers itself. */
  readonly hasDefault: boolean;
  /** GENERATED ALWAYS: as an expression or as an identity. */
  readonly isGenerated: boolean;
  /** The user may insert it. */
  readonly isInsertable: boolean;
}

/** What keeps the table, or one of its partitions, from being a target. */
export interface Relation {
  readonly name: string;
  /** pg_class.relkind */
  readonly kind: string;
  /** pg_class.relpersistence */
  readonly persistence: string;
}

export interface TargetTable {
  /** For people: `public.orders`, quoted where SQL wants it. */
  readonly name: string;
  readonly columns: readonly TargetColumn[];
  /** The table itself, then its partitions. */
  readonly relations: readonly Relation[];
  readonly hasRowSecurity: boolean;
  /** Triggers that run before a row is checked. */
  readonly hasRowTriggers: boolean;
}

/** Undefined where there is no such table. The name is read as SQL reads it: lower-cased unless quoted. */
export async function lookUpTable(client: Client, table: string): Promise<TargetTable | undefined> {
  const row = await findTable(client, table);
  if (row === undefined) return undefined;
  // One after the other: the driver warns about a queue.
  const relations = await client.query<Relation>(relationsQuery, [row.oid]);
  const columns = await client.query<ColumnRow>(columnsQuery, [row.oid]);
  return {
    name: row.name,
    hasRowSecurity: row.hasRowSecurity,
    hasRowTriggers: row.hasRowTriggers,
    relations: relations.rows,
    columns: columns.rows.map(columnOf),
  };
}

/** Not a valid identifier, invalid name, a name of another database. */
const notANameStates: readonly string[] = ['22023', '42602', '42601', '0A000'];

async function findTable(client: Client, table: string): Promise<TableRow | undefined> {
  try {
    // New servers find nothing where older ones refuse a text that is no name.
    await client.query('SELECT parse_ident($1)', [table]);
    return (await client.query<TableRow>(tableQuery, [table])).rows[0];
  } catch (error) {
    const state = String((error as { readonly code?: unknown }).code);
    if (!notANameStates.includes(state)) throw error;
    throw new TidemarkError('CONFIG_INVALID', `sink.table: '${table}' is no name of a table: ${messageOf(error)}`, {
      path: 'sink.table',
      hint: 'Write it schema.table, in double quotes where it has capitals or other characters.',
      cause: error,
    });
  }
}

interface TableRow {
  readonly oid: number;
  readonly name: string;
  readonly hasRowSecurity: boolean;
  readonly hasRowTriggers: boolean;
}

// tgtype: bit 0 = for each row, bit 1 = before.
const tableQuery = `
  SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name,
         CASE WHEN c.relkind IN ('r', 'p') THEN row_security_active(c.oid) ELSE false END AS "hasRowSecurity",
         EXISTS (SELECT FROM pg_trigger t
                 WHERE t.tgrelid IN (SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid))
                   AND NOT t.tgisinternal AND t.tgtype & 3 = 3) AS "hasRowTriggers"
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = to_regclass($1)`;

const relationsQuery = `
  SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relkind::text AS kind, c.relpersistence::text AS persistence
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = $1 OR c.oid IN (SELECT relid FROM pg_partition_tree($1))
  ORDER BY c.oid <> $1, c.oid`;

interface ColumnRow {
  readonly name: string;
  readonly typeOid: number;
  readonly typeName: string;
  readonly baseOid: number;
  readonly typmod: number;
  readonly isEnum: boolean;
  readonly isArray: boolean;
  readonly isNotNull: boolean;
  readonly hasDefault: boolean;
  readonly isGenerated: boolean;
  readonly isInsertable: boolean;
}

/** Domains are followed down to the type they stand for; the modifier is that of the lowest one that has any. */
const columnsQuery = `
  WITH RECURSIVE below AS (
    SELECT a.attnum, a.atttypid AS oid, a.atttypmod AS typmod
    FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT b.attnum, t.typbasetype, t.typtypmod
    FROM below b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd'
  )
  SELECT a.attname AS name, a.atttypid AS "typeOid", format_type(a.atttypid, a.atttypmod) AS "typeName",
         t.oid AS "baseOid", b.typmod, t.typtype = 'e' AS "isEnum", t.typcategory = 'A' AS "isArray",
         a.attnotnull AS "isNotNull",
         a.atthasdef AND a.attgenerated = '' OR a.attidentity <> '' OR own.typdefault IS NOT NULL AS "hasDefault",
         a.attgenerated <> '' OR a.attidentity = 'a' AS "isGenerated",
         has_column_privilege(a.attrelid, a.attnum, 'INSERT') AS "isInsertable"
  FROM pg_attribute a
  JOIN pg_type own ON own.oid = a.atttypid
  JOIN below b ON b.attnum = a.attnum
  JOIN pg_type t ON t.oid = b.oid AND t.typtype <> 'd'
  WHERE a.attrelid = $1
  ORDER BY a.attnum`;

function columnOf(row: ColumnRow): TargetColumn {
  const { name, typeOid, isNotNull, hasDefault, isGenerated, isInsertable } = row;
  const type: TypeFacts = {
    name: row.typeName,
    oid: row.baseOid,
    typmod: row.typmod,
    isEnum: row.isEnum,
    isArray: row.isArray,
  };
  return { name, type, typeOid, isNotNull, hasDefault, isGenerated, isInsertable };
}
