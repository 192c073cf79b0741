import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { MemoryDatabase, type MemoryRow, type StoredRow, sinkConformance } from '../../src/testkit/index.ts';

const unstorableValue = 'of no type';
const refusedValue = 'against a constraint';

describe('the sink of the memory database', () => {
  sinkConformance({
    test,
    assert,
    environment: {
      unstorableValue,
      refusedValue,
      namesRefused: true,
      newTarget: async () => {
        const database = new MemoryDatabase();
        database.refuse((row) => (textOf(row) === refusedValue ? 'a constraint' : undefined));
        database.refuse((row) => (textOf(row) === unstorableValue ? 'its type' : undefined), { at: 'append' });
        return {
          newSink: (context) => database.createSink(context),
          rows: async () => database.rows.map(stored).sort(byPlace),
          cutTransactions: async (instanceId) => database.cutTransactions(instanceId),
        };
      },
    },
  });
});

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
