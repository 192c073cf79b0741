import { Client } from 'pg';
import type { RecordChunk, RecordCursor } from '../../src/model/index.ts';
import { systemClock } from '../../src/platform/index.ts';
import type { Row } from '../../src/sinks/index.ts';
import { beginText, CopyTexts } from '../../src/sinks/postgres/commitText.ts';
import { WriteConnection } from '../../src/sinks/postgres/connection/writeConnection.ts';
import { CopyTransaction } from '../../src/sinks/postgres/copyTransaction.ts';
import { FramePool } from '../../src/sinks/postgres/copyWriter.ts';
import type { LockWatch } from '../../src/sinks/postgres/lockWatch.ts';
import { mappingFor, plannedColumns } from '../../src/sinks/postgres/mapping/columnPlan.ts';
import type { ColumnOption } from '../../src/sinks/postgres/options.ts';
import { lookUpTable } from '../../src/sinks/postgres/target.ts';

/** Copies into a table by the sink's own transaction, with nothing in place of the ledger. */
export interface CopyHarness {
  readonly client: Client;
  /** What each record did: undefined = it was copied, else its error. */
  copyRecords(table: string, columns: Record<string, ColumnOption> | undefined, chunk: RecordChunk): Promise<Outcome[]>;
  /** `rows[i]` belongs to the i-th record. */
  copyRows(
    table: string,
    columns: Record<string, ColumnOption> | undefined,
    chunk: RecordChunk,
    rows: readonly Row[],
  ): Promise<Outcome[]>;
  close(): Promise<void>;
}

export type Outcome = (Error & { readonly code?: string }) | undefined;

export async function copyHarness(url: string): Promise<CopyHarness> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const writing = new Client({ connectionString: url });
  await writing.connect();
  const frames = new FramePool();
  const connection = new WriteConnection(writing, frames);

  async function copy(
    table: string,
    columns: Record<string, ColumnOption> | undefined,
    chunk: RecordChunk,
    rows: readonly Row[] | undefined,
  ): Promise<Outcome[]> {
    const target = await lookUpTable(client, table);
    if (target === undefined) throw new Error(`no table ${table}`);
    const problems: { text: string }[] = [];
    const planned = columns === undefined ? undefined : plannedColumns(columns, rows !== undefined, problems as never);
    const mapping = mappingFor(target, planned, rows !== undefined, problems as never);
    if (mapping === undefined) throw new Error(problems.map(({ text }) => text).join('\n'));
    const transaction = new CopyTransaction(connection, {
      clock: systemClock,
      lockWatch: { during: (work: Promise<unknown>) => work } as LockWatch,
      commitTimeoutMs: 30_000,
      partitions: [chunk],
      table: target.name,
      mapping,
      frames,
      texts: new CopyTexts(target, beginText({ lock_timeout: 5000 })),
      ledgerText: () => 'SELECT 2',
      ledgerFailure: () => undefined,
      release: () => {},
    });
    const outcomes: Outcome[] = [];
    try {
      const cursor: RecordCursor = chunk.cursor();
      while (cursor.next()) {
        try {
          if (rows === undefined) transaction.appendRecord(cursor);
          else transaction.appendRow(cursor, rows[outcomes.length] as Row);
          outcomes.push(undefined);
        } catch (error) {
          outcomes.push(error as Outcome);
        }
        if (transaction.needsDrain) await transaction.drain();
      }
      await transaction.commitRanges([]);
    } catch (error) {
      await transaction.abort();
      throw error;
    }
    return outcomes;
  }

  return {
    client,
    copyRecords: (table, columns, chunk) => copy(table, columns, chunk, undefined),
    copyRows: copy,
    close: async () => {
      await client.end();
      await connection.close(systemClock);
    },
  };
}
