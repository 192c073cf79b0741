import {
  type LedgerPlace,
  MemoryDatabase,
  type MemoryRow,
  type SinkTarget,
  type StoredRow,
} from '../../src/testkit/index.ts';

export const storeTraits = { fenced: true, history: true, controls: true } as const;
export const sinkTraits = {
  unstorableValue: 'of no type',
  refusedValue: 'against a constraint',
  namesRefused: true,
} as const;

/** A memory database as the conformance suite of stores wants it. */
export function memoryLedgerPlace(): LedgerPlace {
  const database = new MemoryDatabase();
  return {
    newStore: (pipeline) => database.store(pipeline),
    moveByHand: async (pipeline, of, nextOffset) => database.moveByHand(pipeline, of, nextOffset),
    removeByHand: async (pipeline, of) => database.removeByHand(pipeline, of),
  };
}

/** A memory database as the conformance suite of sinks wants it. */
export function memoryDatabaseTarget(): SinkTarget {
  const database = new MemoryDatabase();
  const { refusedValue, unstorableValue } = sinkTraits;
  database.refuse((row) => (textOf(row) === refusedValue ? 'a constraint' : undefined));
  database.refuse((row) => (textOf(row) === unstorableValue ? 'its type' : undefined), { at: 'append' });
  return {
    newSink: (context) => database.createSink(context),
    rows: async () => database.rows.map(stored).sort(byPlace),
    cutTransactions: async (instanceId) => database.cutTransactions(instanceId),
  };
}

function textOf({ row }: MemoryRow): string | null {
  const { value } = row;
  return Buffer.isBuffer(value) ? value.toString() : (value as string | null);
}

function stored(row: MemoryRow): StoredRow {
  const { partition, offset } = row;
  return { partition, offset, value: textOf(row), n: Number(row.row.n ?? 0) };
}

function byPlace(a: StoredRow, b: StoredRow): number {
  return a.partition - b.partition || Number(a.offset - b.offset) || a.n - b.n;
}
