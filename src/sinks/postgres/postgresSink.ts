import type { Client } from 'pg';
import { TidemarkError } from '../../errors.ts';
import type { DeliveryGuarantee, TopicPartition } from '../../model/index.ts';
import type { OffsetStore } from '../../offsets/index.ts';
import type { Sink, SinkContext, SinkTransaction } from '../sink.ts';
import { beginText, CopyTexts } from './commitText.ts';
import { CopyTransaction } from './copyTransaction.ts';
import { columnDefinitions, createTable } from './createTable.ts';
import { mappingFor, type PlannedColumn, plannedColumns } from './mapping/columnPlan.ts';
import type { Mapping } from './mapping/mapping.ts';
import type { PostgresSinkOptions } from './options.ts';
import { SinkDatabase } from './sinkDatabase.ts';
import { lookUpTable, type TargetTable } from './target.ts';
import { type Problem, problemsError, tableProblems } from './targetProblems.ts';

/**
 * Rows into a table through COPY, in the transaction that moves the ledger: exactly once, whatever dies when. Its store is
 * the ledger in the same database, unless the pipeline keeps its offsets elsewhere: then at least once.
 */
export function createPostgresSink(options: PostgresSinkOptions, context: SinkContext): Sink {
  return new PostgresSink(options, context);
}

interface Target {
  readonly table: TargetTable;
  readonly mapping: Mapping;
  readonly texts: CopyTexts;
}

class PostgresSink implements Sink {
  readonly kind = 'postgres';
  readonly guarantee: DeliveryGuarantee;
  readonly store: OffsetStore;
  readonly concurrentTransactionsMax: number;
  readonly #options: PostgresSinkOptions;
  readonly #database: SinkDatabase;
  #target: Target | undefined;

  constructor(options: PostgresSinkOptions, context: SinkContext) {
    this.#options = options;
    this.#database = new SinkDatabase(options, context);
    this.store = this.#database.store;
    this.guarantee = this.#database.guarantee;
    this.concurrentTransactionsMax = options.connections;
  }

  async open({ hasTransform }: { readonly hasTransform: boolean }): Promise<void> {
    // What the options alone can tell comes before any connection.
    const problems: Problem[] = [];
    const { columns } = this.#options;
    const planned = columns === undefined ? undefined : plannedColumns(columns, hasTransform, problems);
    if (problems.length > 0) throw problemsError(problems);
    this.#target = await this.#database.withClient('The sink looks at its table', async (client) => {
      const table = await this.#findTable(client, planned, hasTransform);
      problems.push(...tableProblems(table));
      const mapping = mappingFor(table, planned, hasTransform, problems);
      if (mapping === undefined || problems.length > 0) throw problemsError(problems);
      const begin = beginText({ lock_timeout: this.#options.lockTimeoutMs });
      return { table, mapping, texts: new CopyTexts(table, begin) };
    });
  }

  async begin(partitions: readonly TopicPartition[]): Promise<SinkTransaction> {
    const target = this.#target;
    if (target === undefined) throw new TidemarkError('PIPELINE_STATE', 'The sink is not open');
    const connection = await this.#database.takeConnection();
    return new CopyTransaction(connection, {
      ...this.#database.endOptions(partitions, target.table.name),
      mapping: target.mapping,
      texts: target.texts,
      frames: this.#database.frames,
      ledgerText: (commits) => this.#database.ledgerText(commits),
    });
  }

  async close(): Promise<void> {
    this.#target = undefined;
    await this.#database.close();
  }

  async #findTable(
    client: Client,
    planned: readonly PlannedColumn[] | undefined,
    hasTransform: boolean,
  ): Promise<TargetTable> {
    const { table } = this.#options;
    const found = await lookUpTable(client, table);
    if (found !== undefined) return found;
    if (!this.#options.createTable) {
      throw new TidemarkError('SINK_TABLE_MISSING', `The database has no table ${table}`, {
        path: 'sink.table',
        hint: 'Create it, correct the name, or let the sink create it with sink.createTable: true.',
      });
    }
    const problems: Problem[] = [];
    const definitions = columnDefinitions(planned, hasTransform, problems);
    if (definitions === undefined) throw problemsError(problems);
    await createTable(client, table, definitions);
    const created = await lookUpTable(client, table);
    if (created === undefined) throw new TidemarkError('INVARIANT_BROKEN', `${table} is missing after it was created`);
    return created;
  }
}
