import type { Client } from 'pg';
import { quoteIdentifier } from '../../offsets/stores/postgres/index.ts';
import type { PlannedColumn } from './mapping/columnPlan.ts';
import { type RecordPart, recordParts } from './mapping/columnSource.ts';
import type { Problem } from './targetProblems.ts';

/** What a column gets that takes a part of the record. Keys and values are taken for text; `{from: $value, type: bytea}` says otherwise. */
const partTypes: Readonly<Record<RecordPart, string>> = {
  topic: 'text NOT NULL',
  partition: 'integer NOT NULL',
  offset: 'bigint NOT NULL',
  timestamp: 'timestamptz',
  key: 'text',
  value: 'text',
  headers: 'jsonb',
};

/** The columns of a table that is to be created; undefined when `problems` say why it cannot be. */
export function columnDefinitions(
  planned: readonly PlannedColumn[] | undefined,
  hasTransform: boolean,
  problems: Problem[],
): readonly string[] | undefined {
  if (planned === undefined) {
    if (!hasTransform) return recordParts.map((part) => `${quoteIdentifier(part)} ${partTypes[part]}`);
    const text = 'sink.createTable cannot know the columns of rows of a transform without sink.columns';
    problems.push({ code: 'CONFIG_INVALID', text, path: 'sink.columns', hint: 'Name them, each {from, type}.' });
    return undefined;
  }
  const untyped = planned.filter(({ source, type }) => type === undefined && source.kind !== 'part');
  for (const { name, written } of untyped) {
    const path = `sink.columns.${name}`;
    const text = `${path}: sink.createTable needs to know the type of ${written}`;
    problems.push({ code: 'CONFIG_INVALID', text, path, hint: `Write {from: ${written}, type: …}.` });
  }
  if (untyped.length > 0) return undefined;
  return planned.map(({ name, source, type }) => {
    const definition = type ?? (source.kind === 'part' ? partTypes[source.part] : '');
    return `${quoteIdentifier(name)} ${definition}`;
  });
}

/** Creates the table unless it is there. Several processes may do so at once. */
export async function createTable(client: Client, table: string, definitions: readonly string[]): Promise<void> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
  // IF NOT EXISTS alone is no protection: two at once, and one gets a unique violation of the catalog.
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`tidemark:createTable:${table}`]);
  const parsed = await client.query<{ name: string }>(
    "SELECT string_agg(quote_ident(part), '.' ORDER BY n) AS name FROM unnest(parse_ident($1)) WITH ORDINALITY AS p (part, n)",
    [table],
  );
  await client.query(`CREATE TABLE IF NOT EXISTS ${parsed.rows[0]?.name} (${definitions.join(', ')})`);
  await client.query('COMMIT');
}
