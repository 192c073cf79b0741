import { describe, expect, test } from 'vitest';
import { partitionLags } from '../../../src/cli/lag.ts';
import { TidemarkError } from '../../../src/errors.ts';
import type { KafkaDriver } from '../../../src/kafka/index.ts';
import type { PartitionBounds } from '../../../src/model/index.ts';
import type { StoredOffset } from '../../../src/offsets/index.ts';
import { parseOptions } from '../../../src/pipeline/index.ts';

/** Two topics at the driver port: what the ledger is compared with. */
const log: Record<string, { readonly topicId: string; readonly bounds: readonly PartitionBounds[] }> = {
  orders: {
    topicId: 'id-orders',
    bounds: [
      { logStartOffset: 5n, highWatermark: 100n, lastStableOffset: 90n },
      { logStartOffset: 0n, highWatermark: 10n, lastStableOffset: 10n },
    ],
  },
  other: { topicId: 'id-other', bounds: [{ logStartOffset: 0n, highWatermark: 7n, lastStableOffset: 7n }] },
};

const driver = {
  listTopics: async () => Object.keys(log),
  describeTopics: async (topics: readonly string[]) =>
    topics.map((topic) => {
      const found = log[topic];
      if (found === undefined) throw new TidemarkError('KAFKA_TOPIC_MISSING', topic, { topic });
      const partitions = found.bounds.map((_, partition) => ({ partition, leader: 1, leaderEpoch: 0 }));
      return { topic, topicId: found.topicId, partitions };
    }),
  bounds: async (of: readonly { topic: string; partition: number }[]) =>
    of.map(({ topic, partition }) => log[topic]?.bounds[partition]),
} as unknown as KafkaDriver;

function row(topic: string, partition: number, nextOffset: bigint, change: Partial<StoredOffset> = {}): StoredOffset {
  return {
    topic,
    partition,
    nextOffset,
    claim: null,
    owner: null,
    ownerEpoch: 1n,
    topicId: `id-${topic}`,
    leaderEpoch: 0,
    incarnation: 1n,
    state: 'running',
    reason: null,
    ageMs: 0,
    ...change,
  };
}

function lags(
  stored: readonly StoredOffset[],
  source: object = { topics: ['orders'] },
  topics: readonly string[] = [],
) {
  const spec = parseOptions({
    pipeline: 'p',
    kafka: { brokers: ['a:1'] },
    source,
    sink: { type: 'postgres', connectionString: 'postgres://h/d', table: 't' },
  });
  return partitionLags(spec.source, stored, driver, topics);
}

describe('lag', () => {
  test('is counted to the last stable offset, not to the high watermark', async () => {
    expect(await lags([row('orders', 0, 40n), row('orders', 1, 10n)])).toEqual([
      {
        topic: 'orders',
        partition: 0,
        storedOffset: 40n,
        logStartOffset: 5n,
        logEndOffset: 90n,
        lag: 50n,
        state: 'running',
        reason: undefined,
      },
      expect.objectContaining({ partition: 1, lag: 0n }),
    ]);
  });

  test.each<[name: string, stored: StoredOffset, expected: object]>([
    ['parked', row('orders', 0, 40n, { state: 'parked', reason: 'bad' }), { state: 'parked', reason: 'bad', lag: 50n }],
    ['records lost', row('orders', 0, 4n), { state: 'records lost', lag: 86n }],
    ['ahead of the log', row('orders', 0, 101n), { state: 'ahead of the log', lag: 0n }],
    ['between last stable offset and high watermark', row('orders', 0, 95n), { state: 'running', lag: 0n }],
    ['re-created', row('orders', 0, 40n, { topicId: 'older' }), { state: 'topic re-created', lag: undefined }],
  ])('a row that is %s', async (_, stored, expected) => {
    expect((await lags([stored]))[0]).toMatchObject(expected);
  });

  test('partitions the ledger does not know are listed', async () => {
    expect(await lags([row('orders', 1, 3n)])).toMatchObject([
      { partition: 0, state: 'not started', storedOffset: undefined, lag: undefined, logEndOffset: 90n },
      { partition: 1, state: 'running', lag: 7n },
    ]);
  });

  test('a topic that is gone is listed while the ledger knows it, and a mistake otherwise', async () => {
    expect(await lags([row('gone', 0, 3n)], { topics: ['gone'] })).toMatchObject([
      { topic: 'gone', state: 'topic missing' },
    ]);
    await expect(lags([], { topics: ['gone'] })).rejects.toMatchObject({ code: 'KAFKA_TOPIC_MISSING' });
  });

  test('a receiver that numbers its records itself has its state from the ledger, and no bounds', async () => {
    const web = 'receiver:web@0b5d1a2c-7a1e-4a5f-9c39-2f6d5b1f0c11';
    const parked = row('receiver:line@0b5d', 0, 9n, { state: 'parked', reason: 'bad' });
    const unknown = { logStartOffset: undefined, logEndOffset: undefined, lag: undefined };
    expect(await lags([row(web, 0, 40n), parked, row('orders', 0, 90n)])).toEqual([
      expect.objectContaining({ topic: 'orders', partition: 0, lag: 0n }),
      expect.objectContaining({ topic: 'orders', partition: 1, state: 'not started' }),
      { topic: parked.topic, partition: 0, storedOffset: 9n, ...unknown, state: 'parked', reason: 'bad' },
      { topic: web, partition: 0, storedOffset: 40n, ...unknown, state: 'running', reason: undefined },
    ]);
    expect(await lags([row(web, 0, 40n), parked], { topics: ['orders'] }, [web])).toMatchObject([{ topic: web }]);
  });

  test('a pipeline without Kafka has the rows of its ledger, and no bounds', async () => {
    const web = 'receiver:web@0b5d1a2c-7a1e-4a5f-9c39-2f6d5b1f0c11';
    const { source } = parseOptions({
      pipeline: 'p',
      source: { mode: 'receiver', receivers: [{ type: 'http', name: 'web', port: 0 }] },
      wal: { dir: 'wal' },
      sink: { type: 'postgres', connectionString: 'postgres://h/d', table: 't' },
    });
    // Left over from when the pipeline read a topic: whether that one is still there nobody asked.
    const stored = [row(web, 0, 40n), row('orders', 1, 10n)];
    const unknown = { logEndOffset: undefined, lag: undefined, state: 'running' };
    expect(await partitionLags(source, stored, undefined, [])).toMatchObject([
      { topic: 'orders', partition: 1, storedOffset: 10n, ...unknown },
      { topic: web, partition: 0, storedOffset: 40n, ...unknown },
    ]);
    expect(await partitionLags(source, stored, undefined, [web])).toMatchObject([{ topic: web }]);
  });

  test('topics by pattern, single partitions, and rows beyond the selection', async () => {
    const names = (found: Awaited<ReturnType<typeof lags>>) =>
      found.map(({ topic, partition }) => `${topic}-${partition}`);
    expect(names(await lags([], { topicPattern: 'o.*' }))).toEqual(['orders-0', 'orders-1', 'other-0']);
    expect(names(await lags([], { topicPattern: 'order' }))).toEqual([]);
    expect(names(await lags([], { partitions: { orders: [1] } }))).toEqual(['orders-1']);
    expect(names(await lags([row('other', 0, 1n)], { partitions: { orders: [1] } }))).toEqual(['orders-1', 'other-0']);
    expect(names(await lags([row('other', 0, 1n)], { topicPattern: 'o.*' }, ['other']))).toEqual(['other-0']);
  });
});
