import { describe, expect, test } from 'vitest';
import { TidemarkError } from '../../../src/errors.ts';
import type { KafkaDriver } from '../../../src/kafka/index.ts';
import type { PartitionBounds } from '../../../src/model/index.ts';
import type { Control, OffsetStore, StoredOffset } from '../../../src/offsets/index.ts';
import { parseChosenTopic, readPositions, type TopicSelection } from '../../../src/operations/index.ts';

/** Two topics at the driver port: what the store is compared with. */
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

const brokers = {
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

const web = 'receiver:web@0b5d1a2c-7a1e-4a5f-9c39-2f6d5b1f0c11';

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

function pauseOf(topic: string | null, partition: number | null, reason = 'cleaning up'): Control {
  const range = { fromOffset: null, untilOffset: null };
  return { id: 1n, topic, partition, order: 'pause', ...range, reason, orderedBy: 'eva', orderedAtMs: 0 };
}

interface Case {
  readonly stored?: readonly StoredOffset[];
  readonly controls?: readonly Control[];
  readonly driver?: KafkaDriver | undefined;
  readonly selection?: TopicSelection | undefined;
  readonly topics?: readonly string[];
}

function positions({ stored = [], controls = [], topics = [], ...given }: Case) {
  const store = { read: async () => stored, controls: async () => controls } as unknown as OffsetStore;
  const driver = 'driver' in given ? given.driver : brokers;
  const selection = 'selection' in given ? given.selection : { topics: ['orders'] };
  const progress = { pipeline: 'p', place: 'here', store, driver, selection, groupId: undefined };
  return readPositions(progress, topics.map(parseChosenTopic));
}

describe('positions', () => {
  test('lag is counted to the last stable offset, not to the high watermark', async () => {
    const stored = [row('orders', 0, 40n), row('orders', 1, 10n)];
    expect(await positions({ stored })).toEqual([
      {
        topic: 'orders',
        partition: 0,
        row: stored[0],
        log: { topicId: 'id-orders', bounds: log.orders?.bounds[0] },
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
    expect((await positions({ stored: [stored] }))[0]).toMatchObject(expected);
  });

  test('partitions the store does not know are there', async () => {
    expect(await positions({ stored: [row('orders', 1, 3n)] })).toMatchObject([
      {
        partition: 0,
        state: 'not started',
        row: undefined,
        lag: undefined,
        log: { bounds: { lastStableOffset: 90n } },
      },
      { partition: 1, state: 'running', lag: 7n },
    ]);
  });

  test('a topic that is gone is there while the store knows it, and a mistake otherwise', async () => {
    expect(await positions({ stored: [row('gone', 0, 3n)], selection: { topics: ['gone'] } })).toMatchObject([
      { topic: 'gone', state: 'topic missing', log: undefined },
    ]);
    await expect(positions({ selection: { topics: ['gone'] } })).rejects.toMatchObject({ code: 'KAFKA_TOPIC_MISSING' });
  });

  test('a receiver that numbers its records itself has its state from the store, and no bounds', async () => {
    const parked = row('receiver:line@0b5d', 0, 9n, { state: 'parked', reason: 'bad' });
    const stored = [row(web, 0, 40n), parked, row('orders', 0, 90n)];
    const unknown = { log: undefined, lag: undefined };
    expect(await positions({ stored })).toEqual([
      expect.objectContaining({ topic: 'orders', partition: 0, lag: 0n }),
      expect.objectContaining({ topic: 'orders', partition: 1, state: 'not started' }),
      { topic: parked.topic, partition: 0, row: parked, ...unknown, state: 'parked', reason: 'bad' },
      { topic: web, partition: 0, row: stored[0], ...unknown, state: 'running', reason: undefined },
    ]);
    expect(await positions({ stored, topics: [web] })).toMatchObject([{ topic: web }]);
    expect(await positions({ stored, topics: [`${web}:0`] })).toMatchObject([{ topic: web, partition: 0 }]);
  });

  test('without brokers the rows have no bounds, and keep the state of the store', async () => {
    // `orders` is left over from when the pipeline read a topic: whether that one is still there nobody asked.
    const stored = [row(web, 0, 40n), row('orders', 1, 10n)];
    const unknown = { log: undefined, lag: undefined, state: 'running' };
    const without = { stored, driver: undefined, selection: {} };
    expect(await positions(without)).toMatchObject([
      { topic: 'orders', partition: 1, ...unknown },
      { topic: web, partition: 0, ...unknown },
    ]);
    expect(await positions({ ...without, topics: [web] })).toMatchObject([{ topic: web }]);
  });
});

describe('orders', () => {
  const stored = [row('orders', 0, 40n), row('orders', 1, 10n)];
  const states = async (controls: readonly Control[], rows = stored) =>
    (await positions({ stored: rows, controls })).map(({ state, reason }) => [state, reason]);

  test.each<[name: string, order: Control, expected: readonly unknown[]]>([
    ['the pipeline', pauseOf(null, null), ['paused', 'paused']],
    ['the topic', pauseOf('orders', null), ['paused', 'paused']],
    ['one partition', pauseOf('orders', 1), ['running', 'paused']],
    ['another topic', pauseOf('other', null), ['running', 'running']],
    [
      'an order to skip',
      { ...pauseOf('orders', 1), order: 'skip', fromOffset: 12n, untilOffset: 13n },
      ['running', 'running'],
    ],
  ])('a pause of %s', async (_, order, expected) => {
    expect((await states([order])).map(([state]) => state)).toEqual(expected);
  });

  test('the reason of a pause is that of the order; what is worse than a pause keeps its own', async () => {
    const parked = row('orders', 0, 40n, { state: 'parked', reason: 'bad' });
    const lost = row('orders', 1, 11n);
    expect(await states([pauseOf(null, null)])).toEqual([
      ['paused', 'cleaning up'],
      ['paused', 'cleaning up'],
    ]);
    expect(await states([pauseOf(null, null)], [parked, lost])).toEqual([
      ['parked', 'bad'],
      ['ahead of the log', undefined],
    ]);
  });

  test('a partition that never started is not paused', async () => {
    expect((await states([pauseOf(null, null)], []))[0]).toEqual(['not started', undefined]);
  });
});

describe('what is selected and chosen', () => {
  const names = async (given: Case) => (await positions(given)).map(({ topic, partition }) => `${topic}-${partition}`);

  test('topics by pattern, single partitions, and rows beyond the selection', async () => {
    const other = [row('other', 0, 1n)];
    expect(await names({ selection: { topicPattern: 'o.*' } })).toEqual(['orders-0', 'orders-1', 'other-0']);
    expect(await names({ selection: { topicPattern: 'order' } })).toEqual([]);
    expect(await names({ selection: { partitions: { orders: [1] } } })).toEqual(['orders-1']);
    expect(await names({ stored: other, selection: { partitions: { orders: [1] } } })).toEqual(['orders-1', 'other-0']);
    expect(await names({ stored: other, selection: { topicPattern: 'o.*' }, topics: ['other'] })).toEqual(['other-0']);
  });

  test('without a selection, all partitions of the topics that the store knows', async () => {
    expect(await names({ stored: [row('orders', 1, 1n)], selection: undefined })).toEqual(['orders-0', 'orders-1']);
  });

  test('some partitions of a topic', async () => {
    expect(await names({ topics: ['orders:1'] })).toEqual(['orders-1']);
    expect(await names({ topics: ['orders:0', 'orders:1'] })).toEqual(['orders-0', 'orders-1']);
  });

  test.each([['nowhere'], ['orders:0-2'], ['other']])(
    '%s finds nothing, or not all: it is a mistake',
    async (topic) => {
      await expect(positions({ topics: [topic] })).rejects.toMatchObject({ code: 'USAGE_INVALID' });
    },
  );
});
