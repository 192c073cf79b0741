import { describe, expect, test } from 'vitest';
import { chunk, plainRecords, values } from '../../../fixtures/fetched.ts';
import { javaBatch, largeRecords, smallRecords } from '../../../fixtures/recordBatchFixtures.ts';

const time = 1_700_000_000_000;

describe("batches written by Kafka's own client", () => {
  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('%s: nulls, empties, headers and holes', (codec) => {
    const found = chunk(javaBatch(`small-${codec}`), { fromOffset: 1000n });
    expect(plainRecords(found)).toEqual(smallRecords());
    expect(found.nextOffset).toBe(1029n);
    expect(found.recordCountMax).toBe(20);
    expect(found.leaderEpoch).toBe(6);
  });

  test.each(['gzip', 'snappy', 'lz4', 'lz4-17', 'zstd', 'zstd-19'])('%s: several blocks', (codec) => {
    const found = chunk(javaBatch(`large-${codec}`), { fromOffset: 5_000_000_000n });
    expect(plainRecords(found)).toEqual(largeRecords());
  });

  test('the append time of the broker counts for every record', () => {
    const found = plainRecords(chunk(javaBatch('append-time'), { fromOffset: 7n }));
    expect(found.map(({ timestamp, timestampType }) => [timestamp, timestampType])).toEqual([
      [time + 5, 'append'],
      [time + 5, 'append'],
    ]);
  });

  test('timestamps that differ by more than a number holds exactly', () => {
    const found = plainRecords(chunk(javaBatch('wide-timestamps')));
    expect(found.map(({ timestamp }) => timestamp)).toEqual([Number(1_700_000_000_000_000_123n), time, -1]);
  });

  test('a delete horizon in the place of the base timestamp', () => {
    const found = chunk(javaBatch('delete-horizon'), { fromOffset: 20n });
    expect(plainRecords(found)).toEqual([
      {
        offset: 22n,
        timestamp: time + 2,
        timestampType: 'create',
        key: Buffer.from('deleted'),
        value: null,
        headers: [],
      },
    ]);
    expect(found.nextOffset).toBe(30n);
  });

  test('a batch that compaction emptied moves the position', () => {
    const found = chunk(javaBatch('emptied'), { fromOffset: 30n });
    expect(plainRecords(found)).toEqual([]);
    expect(found).toMatchObject({ fromOffset: 30n, nextOffset: 40n, recordCountMax: 0, leaderEpoch: 4 });
  });

  test.each(['abort-marker', 'commit-marker', 'leader-change'])('%s: a control batch is never read', (name) => {
    const found = chunk(javaBatch(name), { fromOffset: 40n });
    expect(values(found)).toEqual([]);
    expect([...found.rawBatches()]).toEqual([]);
    expect(found.nextOffset).toBe(41n);
  });
});
