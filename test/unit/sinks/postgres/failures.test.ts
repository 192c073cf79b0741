import { expect, test } from 'vitest';
import { rowsFailure } from '../../../../src/sinks/postgres/failures.ts';

const record = { topic: 'orders', partition: 2, offset: 5n };

function failure(code: string, more: Record<string, string> = {}) {
  const error = Object.assign(new Error('said the server'), { severity: 'ERROR', code, ...more });
  return rowsFailure(error, { table: 'public.orders', recordOfLine: (line) => (line === 3 ? record : undefined) });
}

test.each([
  ['deadlock', '40P01'],
  ['serialization failure', '40001'],
  ['lock not available', '55P03'],
  ['disk full', '53100'],
  ['too many connections', '53300'],
  ['shutdown', '57P01'],
  ['cancelled', '57014'],
  ['I/O error', '58030'],
  ['a server that takes no writes', '25006'],
])('%s can be retried', (_what, code) => {
  expect(failure(code)).toMatchObject({ code: 'SINK_REQUEST_FAILED', retriable: true, foreignCode: code });
});

test.each([
  ['a check', '23514'],
  ['a value', '22P02'],
  ['a trigger', 'P0001'],
  ['a limit', '54000'],
])('rows refused by %s are not, and the record is named where the server says the line', (_what, code) => {
  const where = 'COPY orders, line 3, column amount: "x"';
  expect(failure(code, { where })).toMatchObject({ code: 'SINK_REFUSED', retriable: false, path: 'amount', ...record });
  expect(failure(code)).toMatchObject({ code: 'SINK_REFUSED', retriable: false, offset: undefined });
});

test.each([
  ['a missing table', '42P01', 'SINK_TABLE_MISSING'],
  ['a missing column', '42703', 'SINK_COLUMN_MISSING'],
  ['a missing right', '42501', 'SINK_TABLE_UNSUITABLE'],
  ['bytes of another type', '22P03', 'SINK_COLUMN_TYPE'],
  ['bytes of a shorter type', '08P01', 'SINK_COLUMN_TYPE'],
  ['an internal error', 'XX000', 'SINK_REQUEST_FAILED'],
])('%s wants a person', (_what, state, code) => {
  // Also where it looks like one record's fault: with every record refused, skipping would skip them all.
  expect(failure(state, { where: 'COPY orders, line 3' })).toMatchObject({ code, retriable: false, offset: undefined });
  expect(failure(state).hint).toBeDefined();
});

test('a connection that was lost can be retried', () => {
  const failed = rowsFailure(new Error('read ECONNRESET'), { table: 't', recordOfLine: () => undefined });
  expect(failed).toMatchObject({ code: 'SINK_UNREACHABLE', retriable: true });
});
