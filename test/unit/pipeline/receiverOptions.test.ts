import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { walkOptions } from '../../../src/pipeline/index.ts';
import { problemText } from '../../../src/pipeline/optionProblem.ts';
import { parseOptions, validateOptions } from '../../../src/pipeline/validateOptions.ts';
import { blockBytesLimitOf } from '../../../src/receiver/index.ts';

type Options = Readonly<Record<string, unknown>>;

const http = { type: 'http', name: 'web', port: 0 };
const socket = { type: 'socket', name: 'lines', host: 'sensors', port: 9999 };
const kafka = { brokers: ['localhost:9092'] };
const sink = { type: 'postgres', connectionString: 'postgres://localhost/db', table: 'orders' };
const wal = { dir: '/var/lib/orders/wal' };

/** A pipeline in receiver mode that reads a topic; undefined removes. */
function received(source: Options = {}, more: Options = {}): Options {
  const options = { pipeline: 'orders', kafka, source: { mode: 'receiver', topics: ['orders'], ...source }, wal, sink };
  return { ...options, ...more };
}

/** One where receivers alone bring the records. */
const pushed = (receivers: readonly unknown[], more: Options = {}) =>
  received({ topics: undefined, receivers }, { kafka: undefined, ...more });

function lines(options: unknown): readonly string[] {
  const outcome = validateOptions(options);
  return 'problems' in outcome ? outcome.problems.map(problemText) : [];
}

describe('receiver mode gets every default', () => {
  test('with a topic', () => {
    const spec = parseOptions(received());
    expect(spec.source).toMatchObject({
      mode: 'receiver',
      maxRate: 0,
      blockIntervalMs: 200,
      blockBytesMax: 4_194_304,
      blocksWaitingMax: 256,
      bytesWaitingMax: 67_108_864,
    });
    expect(spec.source).not.toHaveProperty('sharedRate');
    expect(spec.source).not.toHaveProperty('receivers');
    expect(spec.wal).toEqual({ dir: '/var/lib/orders/wal', segmentBytesMax: 67_108_864, retainMs: 60_000 });
  });

  test('with receivers alone, which need no Kafka', () => {
    const spec = parseOptions(pushed([socket, http]));
    expect(spec.kafka).toBeUndefined();
    expect(spec.source.receivers).toEqual([
      { ...socket, lineBytesMax: 1_048_576 },
      { ...http, host: '127.0.0.1', path: '/', bodyBytesMax: 8_388_608 },
    ]);
  });

  test('a receiver that brings itself is taken as it is', () => {
    const own = { name: 'own', createReceiver: () => ({ start: () => {}, stop: () => {} }) };
    expect(parseOptions(pushed([own, http])).source.receivers?.[0]).toBe(own);
  });
});

test.each<[name: string, options: Options]>([
  ['a topic, receivers, and every option', received({ receivers: [http, socket], maxRate: 0.5, blockIntervalMs: 1 })],
  ['a rate for all processes', received({ maxRate: 100, sharedRate: { redisUrl: 'rediss://u:p@h:6380/1' } })],
  ['a group, and single partitions', received({ assignment: 'group', group: { sessionTimeoutMs: 30_000 } })],
  ['a pattern', received({ topics: undefined, topicPattern: 'o.*' })],
  ['two listeners that take any free port', pushed([http, { ...http, name: 'other' }])],
  ['two listeners on two addresses', pushed([{ ...http, port: 80 }], { http: { host: '0.0.0.0', port: 80 } })],
  ['a clock, a queue, back-pressure', received({}, { batch: { intervalMs: 500, backpressure: { enabled: true } } })],
  ['blocks that are kept for no time', received({}, { wal: { ...wal, retainMs: 0 } })],
])('%s can be given', (_, options) => {
  expect(lines(options)).toEqual([]);
});

const cases: readonly [name: string, options: Options, expected: readonly string[]][] = [
  // the other mode's options
  [
    "receiver mode's options in direct mode",
    received({ mode: 'direct', maxRate: 5, blockIntervalMs: 100, blocksWaitingMax: 1 }),
    [
      'source.maxRate: is for source.mode: receiver; use batch.maxRatePerPartition, or set source.mode: receiver',
      'source.blockIntervalMs: is for source.mode: receiver; use batch.lingerMs, or set source.mode: receiver',
      'source.blocksWaitingMax: is for source.mode: receiver; set source.mode: receiver, or remove it',
      'wal: is for source.mode: receiver; set source.mode: receiver, or remove it',
    ],
  ],
  [
    'receivers without the mode',
    pushed([http], { source: { receivers: [http] }, wal: undefined }),
    ['source.receivers: is for source.mode: receiver; set source.mode: receiver, or remove it'],
  ],
  [
    "direct mode's options in receiver mode",
    received(
      {},
      {
        batch: {
          lingerMs: 10,
          maxRecordsPerPartition: 5,
          maxBytesPerPartition: 5,
          maxRatePerPartition: 5,
          minRatePerPartition: 1,
          maxQueuedBatches: 2,
        },
      },
    ),
    [
      'batch.lingerMs: is for source.mode: direct; use source.blockIntervalMs, or remove it',
      'batch.maxRecordsPerPartition: is for source.mode: direct; use source.blockBytesMax, or remove it',
      'batch.maxBytesPerPartition: is for source.mode: direct; use source.blockBytesMax, or remove it',
      'batch.maxRatePerPartition: is for source.mode: direct; use source.maxRate, or remove it',
      'batch.minRatePerPartition: is for source.mode: direct; use source.maxRate, or remove it',
    ],
  ],

  // what is missing
  [
    'no log',
    received({}, { wal: undefined }),
    [
      'wal: is missing; allowed: a map; Write-ahead log: blocks are in it before their source is told so, and until their output is committed, for example {"dir":"/var/lib/orders/wal"}',
    ],
  ],
  [
    'no directory',
    received({}, { wal: {} }),
    [expect.stringContaining('wal.dir: is missing; allowed: text; Directory')],
  ],
  [
    'a topic without Kafka',
    received({ receivers: [http] }, { kafka: undefined }),
    ['kafka: is missing; allowed: a map; The Kafka cluster; needed unless receivers alone bring the records'],
  ],
  [
    'nothing to read',
    received({ topics: undefined }),
    ['source: nothing says what is read; give one of topics, topicPattern, partitions, or receivers'],
  ],
  ['an empty list', pushed([]), ['source.receivers: is empty']],
  [
    'a group without a topic',
    received({ topics: undefined, receivers: [http], assignment: 'group' }),
    [
      'source.assignment: a consumer group without a topic has nothing to spread over the processes; give source.topics or source.topicPattern, or remove source.assignment',
    ],
  ],

  // rates
  ['a rate below zero', received({ maxRate: -1 }), ['source.maxRate: -1 is out of bounds; allowed: from 0 on']],
  [
    'a shared rate that is none',
    received({ sharedRate: { redisUrl: 'redis://h' } }),
    [
      'source.sharedRate: there is no source.maxRate to share; set source.maxRate, the records per second of all processes together, or remove source.sharedRate',
    ],
  ],
  [
    'a shared rate kept by something else',
    received({ maxRate: 5, sharedRate: { redisUrl: 'postgres://u:hunter2@h' } }),
    ['source.sharedRate.redisUrl: the value given (not shown) is not valid; allowed: a redis:// or rediss:// URL'],
  ],

  // sizes
  ['no interval', received({ blockIntervalMs: 0 }), [expect.stringMatching(/^source\.blockIntervalMs: 0 is out of b/)]],
  ['a tiny block', received({ blockBytesMax: 1023 }), [expect.stringMatching(/1023 is out of b.*from 1024 on$/)]],
  [
    'no block may wait',
    received({ blocksWaitingMax: 0 }),
    [expect.stringMatching(/^source\.blocksWaitingMax: 0 is o/)],
  ],
  [
    'less room than one block takes',
    received({ bytesWaitingMax: 1_000_000 }),
    [
      'source.bytesWaitingMax: 1000000 bytes have no room for one block of 4194304 bytes; raise source.bytesWaitingMax or lower source.blockBytesMax',
    ],
  ],
  [
    'blocks and bodies longer than an entry',
    received(
      { blockBytesMax: 268_435_456, bytesWaitingMax: 536_870_912, receivers: [{ ...http, bodyBytesMax: 300_000_000 }] },
      { wal: { ...wal, segmentBytesMax: 1_073_741_824 } },
    ),
    [
      'source.blockBytesMax: 268435456 bytes do not fit into an entry of the write-ahead log; allowed: up to 268427264; lower it',
      'source.receivers[0].bodyBytesMax: 300000000 bytes do not fit into an entry of the write-ahead log; allowed: up to 268427264; lower it',
    ],
  ],
  [
    'defaults longer than an entry of short segments',
    received({ receivers: [socket] }, { wal: { ...wal, segmentBytesMax: 1_048_576 } }),
    [
      'source.blockBytesMax: 4194304 bytes do not fit into an entry of the write-ahead log; allowed: up to 1032192; lower it, or raise wal.segmentBytesMax (1048576)',
      'source.receivers[0].lineBytesMax: 1048576 bytes do not fit into an entry of the write-ahead log; allowed: up to 1032192; lower it, or raise wal.segmentBytesMax (1048576)',
    ],
  ],

  // receivers
  [
    'a kind nobody knows',
    pushed([{ ...http, type: 'htpp' }, { name: 'x', port: 1 }, 5]),
    [
      'source.receivers[0].type: unknown value "htpp"; allowed: socket, http; did you mean http?',
      expect.stringMatching(/^source\.receivers\[1\]\.type: is missing; allowed: socket, http; Kind of receiver/),
      'source.receivers[2]: expected a map, found 5',
    ],
  ],
  [
    "another kind's options",
    pushed([
      { ...socket, path: '/' },
      { ...http, lineBytesMax: 5 },
    ]),
    [
      'source.receivers[0].path: unknown option with type: socket; remove it',
      'source.receivers[1].lineBytesMax: unknown option with type: http; remove it',
    ],
  ],
  [
    'a socket without a host, and without a port to connect to',
    pushed([{ ...socket, host: undefined, port: 0 }]),
    [
      expect.stringMatching(/^source\.receivers\[0\]\.host: is missing; allowed: text; Host to connect to/),
      'source.receivers[0].port: 0 is out of bounds; allowed: from 1 to 65535',
    ],
  ],
  [
    'a path that is none',
    pushed([{ ...http, path: 'orders' }]),
    ['source.receivers[0].path: "orders" is not valid; allowed: a path such as /orders, of a-z A-Z 0-9 . _ ~ - and /'],
  ],
  [
    'a name twice',
    pushed([http, socket, { name: 'web', createReceiver: () => undefined }]),
    [
      'source.receivers[2].name: "web" stands already at source.receivers[0].name; give every receiver a name of its own: its row in the ledger goes by it',
    ],
  ],
  [
    'names that are none, also of receivers that bring themselves',
    pushed([
      { ...http, name: 'a@b' },
      { name: 'my lines', createReceiver: () => undefined },
    ]),
    [
      'source.receivers[0].name: "a@b" is not valid; allowed: 1 to 100 characters of a-z A-Z 0-9 . _ -',
      'source.receivers[1].name: "my lines" is not valid; allowed: 1 to 100 characters of a-z A-Z 0-9 . _ -',
    ],
  ],
  [
    'two listeners at one place',
    pushed(
      [
        { ...http, port: 8081 },
        { ...http, name: 'b', port: 8081 },
        { ...http, name: 'c', port: 8080 },
      ],
      {
        http: {},
      },
    ),
    [
      'source.receivers[1].port: source.receivers[0] listens at 127.0.0.1:8081 already; give each a port of its own',
      'source.receivers[2].port: http listens at 127.0.0.1:8080 already; give each a port of its own',
    ],
  ],
];

describe('one mistake, one line that says what to do', () => {
  test.each(cases)('%s', (_, options, expected) => {
    expect(lines(options)).toEqual(expected);
  });
});

test('every option of one mode alone is refused in the other, with a way out that is there', () => {
  const known = [...walkOptions()].map(({ keys }) => keys.join('.'));
  const ofOneMode = [...walkOptions()].filter(({ node }) => node.mode !== undefined);
  expect(ofOneMode.length).toBeGreaterThan(10);
  const withoutDefault: Options = { sharedRate: { redisUrl: 'redis://h' }, receivers: [http], wal };
  for (const { keys, node } of ofOneMode) {
    const [section = '', name] = keys;
    const value = node.default ?? withoutDefault[keys.at(-1) ?? ''];
    const other = { mode: node.mode === 'direct' ? 'receiver' : 'direct', topics: ['a'] };
    const given = { source: other, [section]: name === undefined ? value : { [name]: value } };
    if (section === 'source') given.source = { ...other, ...(given.source as object) };
    expect(lines(given)).toContainEqual(
      expect.stringMatching(new RegExp(`^${keys.join('.')}: is for source\\.mode: ${node.mode}; `)),
    );
    if (node.counterpart !== undefined) expect(known).toContain(node.counterpart);
  }
});

test('the smallest block fits into the shortest segment, and no block is longer than an entry of the log', () => {
  expect(blockBytesLimitOf(65_536)).toBe(65_536 - 2 * 8192);
  expect(blockBytesLimitOf(2 ** 40)).toBe(256 * 1_048_576 - 8192);
  expect(lines(received({ blockBytesMax: 1024 }, { wal: { ...wal, segmentBytesMax: 65_536 } }))).toEqual([]);
});

test('options of any shape give problems, never an exception', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (receivers, wal, value) => {
      const source = { mode: 'receiver', receivers, blockBytesMax: value, sharedRate: value, maxRate: value };
      expect(() => validateOptions({ source, wal, kafka: value, http: value })).not.toThrow();
    }),
  );
});
