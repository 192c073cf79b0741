import type { Client } from 'pg';
import { TidemarkError } from '../../../errors.ts';
import type { TopicPartition } from '../../../model/index.ts';
import {
  classifyPgError,
  destroy,
  type FailureContext,
  leave,
  openConnection,
  quoteIdentifier,
  quoteLiteral,
} from '../../../offsets/stores/postgres/index.ts';
import { systemClock } from '../../../platform/index.ts';
import { parseColumnSource } from '../mapping/columnSource.ts';
import type { ColumnOption, PostgresSinkOptions } from '../options.ts';
import { lookUpTable } from '../target.ts';

/** A target whose rows say which record they are of. */
export interface CensusTable {
  readonly connectionString: string;
  readonly table: string;
  readonly partitionColumn: string;
  readonly offsetColumn: string;
  /** Undefined where the table has the records of one topic. */
  readonly topicColumn: string | undefined;
}

/** Offsets of one partition that follow each other, each with as many rows. */
export interface RowRun extends TopicPartition {
  readonly fromOffset: bigint;
  readonly untilOffset: bigint;
  /** Rows of each of these offsets. */
  readonly rowsEach: number;
}

export interface RowCensus {
  /** As SQL writes it, for messages. */
  readonly table: string;
  /** The next runs by topic, partition and offset; empty = there are no more. */
  next(): Promise<readonly RowRun[]>;
  /** Never rejects. */
  close(): Promise<void>;
}

/** The table of a sink for a census; undefined where no column takes `$partition`, or none `$offset`. */
export function censusTable({ connectionString, table, columns = {} }: PostgresSinkOptions): CensusTable | undefined {
  const [partitionColumn, offsetColumn] = [columnOf(columns, 'partition'), columnOf(columns, 'offset')];
  if (partitionColumn === undefined || offsetColumn === undefined) return undefined;
  return { connectionString, table, partitionColumn, offsetColumn, topicColumn: columnOf(columns, 'topic') };
}

function columnOf(columns: Readonly<Record<string, ColumnOption>>, part: string): string | undefined {
  const found = Object.entries(columns).find(([, option]) => {
    const source = parseColumnSource(typeof option === 'string' ? option : option.from);
    return typeof source !== 'string' && source.kind === 'part' && source.part === part;
  });
  return found?.[0];
}

const runsPerFetch = 5000;
/** A whole table is sorted: with the usual 4 MB that goes to disk many times over. */
const begin = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; SET LOCAL work_mem = '64MB'`;
const context: FailureContext = {
  doing: 'Counting the rows of the target',
  unreachable: 'SINK_UNREACHABLE',
  authentication: 'SINK_AUTHENTICATION_FAILED',
  failed: 'SINK_REQUEST_FAILED',
};

/**
 * Counts the rows of a target, all of one moment: what this answers was committed before it. The server sorts the table, which
 * takes as long as that takes; what comes over the line is runs of offsets, a few for a table that has no holes.
 * Rejects with SINK_TABLE_MISSING, and what connecting rejects with.
 */
export async function openRowCensus(of: CensusTable, topics: readonly string[]): Promise<RowCensus> {
  const client = await openConnection({ connectionString: of.connectionString, applicationName: 'tidemark:', context });
  try {
    await client.query(begin);
    const target = await lookUpTable(client, of.table);
    if (target === undefined) throw missing(of.table);
    await client.query(`DECLARE census NO SCROLL CURSOR FOR ${censusQuery(target.name, of, topics)}`);
    return {
      table: target.name,
      next: () => nextRuns(client),
      close: () => leave(client, systemClock),
    };
  } catch (error) {
    destroy(client);
    throw classifyPgError(error, context);
  }
}

async function nextRuns(client: Client): Promise<readonly RowRun[]> {
  try {
    const { rows } = await client.query<RunRow>(`FETCH ${runsPerFetch} FROM census`);
    return rows.map(({ topic, partition, from_offset, until_offset, rows_each }) => ({
      ...{ topic, partition, fromOffset: BigInt(from_offset), untilOffset: BigInt(until_offset) },
      rowsEach: Number(rows_each),
    }));
  } catch (error) {
    throw classifyPgError(error, context);
  }
}

interface RunRow {
  readonly topic: string;
  readonly partition: number;
  readonly from_offset: string;
  readonly until_offset: string;
  readonly rows_each: string;
}

/** Offsets that follow each other have the same difference to their number in line. */
function censusQuery(table: string, of: CensusTable, topics: readonly string[]): string {
  const names = topics.map(quoteLiteral).join(',');
  const topic = of.topicColumn === undefined ? `${names}::text` : `${quoteIdentifier(of.topicColumn)}::text`;
  const [partition, offset] = [quoteIdentifier(of.partitionColumn), quoteIdentifier(of.offsetColumn)];
  return `
    SELECT topic, partition, min(place)::text AS from_offset, (max(place) + 1)::text AS until_offset, n::text AS rows_each
      FROM (SELECT topic, partition, place, n, place - row_number() OVER (PARTITION BY topic, partition, n ORDER BY place) AS run
              FROM (SELECT ${topic} COLLATE "C" AS topic, ${partition}::integer AS partition, ${offset}::bigint AS place, count(*) AS n
                      FROM ${table} WHERE ${offset} IS NOT NULL AND ${partition} IS NOT NULL GROUP BY 1, 2, 3) places
             WHERE topic IN (${names})) runs
     GROUP BY topic, partition, n, run ORDER BY topic, partition, min(place)`;
}

function missing(table: string): TidemarkError {
  return new TidemarkError('SINK_TABLE_MISSING', `The target ${table} does not exist`, {
    path: 'sink.table',
    hint: 'Nothing was written yet, or the table was dropped.',
  });
}
