import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { isTidemarkError } from '../../../../src/errors.ts';
import type { KafkaRecord } from '../../../../src/model/index.ts';
import { encodeRecordBatch, type RecordSpec } from '../../../../src/testkit/index.ts';
import { chunk } from '../../../fixtures/fetched.ts';

function records(...specs: RecordSpec[]): KafkaRecord[] {
  const cursor = chunk(encodeRecordBatch({ baseOffset: 40n, codec: 'gzip', records: specs })).cursor();
  const found: KafkaRecord[] = [];
  while (cursor.next()) found.push(cursor.record());
  return found;
}

function record(spec: RecordSpec): KafkaRecord {
  return records(spec)[0] as KafkaRecord;
}

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

test('a record stays what it was when the cursor has moved on, also into another batch', () => {
  const bytes = [
    encodeRecordBatch({
      baseOffset: 0n,
      codec: 'lz4',
      records: [{ key: 'k', value: 'a', headers: [['h', null]] }, {}],
    }),
    encodeRecordBatch({ baseOffset: 2n, codec: 'lz4', records: [{ key: 'other', value: 'other' }] }),
  ];
  const cursor = chunk(bytes).cursor();
  cursor.next();
  const kept = cursor.record();
  while (cursor.next());
  const { topic, partition, offset, timestamp, timestampType, key, value, headers } = kept;
  expect({ topic, partition, offset, timestamp, timestampType, key, value, headers }).toEqual({
    topic: 'orders',
    partition: 3,
    offset: 0n,
    timestamp: 1_700_000_000_000,
    timestampType: 'create',
    key: Buffer.from('k'),
    value: Buffer.from('a'),
    headers: [['h', null]],
  });
});

test('key, value and headers are made once', () => {
  const found = record({ key: 'k', value: 'v', headers: [['h', null]] });
  expect(found.key).toBe(found.key);
  expect(found.value).toBe(found.value);
  expect(found.headers).toBe(found.headers);
});

describe('text', () => {
  test.each(['', 'plain', 'Zürich €', '🚚'])('%s', (value) => {
    expect(record({ value }).text()).toBe(value);
  });

  test('of a tombstone is null', () => {
    expect(record({ value: null }).text()).toBeNull();
  });

  test('that is not UTF-8 is refused with its place', () => {
    const error = thrownBy(() => records({}, { value: Buffer.from([0x61, 0xff]) })[1]?.text());
    expect(error).toMatchObject({ code: 'RECORD_UNPARSABLE', topic: 'orders', partition: 3, offset: 41n });
    expect((error as Error).message).toBe('The value of orders-3 at offset 41 is not UTF-8');
  });
});

describe('json', () => {
  test('of a value, of a tombstone', () => {
    expect(record({ value: '{"a":[1,null,"Zürich"]}' }).json()).toEqual({ a: [1, null, 'Zürich'] });
    expect(record({ value: null }).json()).toBeNull();
  });

  test.each([
    ['', ''],
    ['{', ''],
    ['{"a":}', ''],
    [Buffer.from([0xff]), 'is not UTF-8'],
  ])('that is none is refused with its place: %s', (value, reason) => {
    const error = thrownBy(() => record({ value }).json());
    expect(isTidemarkError(error, 'RECORD_UNPARSABLE')).toBe(true);
    expect(error).toMatchObject({ topic: 'orders', partition: 3, offset: 40n });
    expect((error as Error).message).toContain(reason || 'is not JSON: ');
  });
});

test('a printed record shows itself and not the response it lies in', () => {
  const shown = inspect(record({ key: 'k', value: 'v' }));
  expect(shown).toContain("topic: 'orders'");
  expect(shown).toContain('offset: 40n');
  expect(shown).toContain('value: <Buffer 76>');
  expect(shown).not.toContain('bytes');
});
