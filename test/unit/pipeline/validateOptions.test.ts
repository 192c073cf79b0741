import { describe, expect, test } from 'vitest';
import { isTidemarkError } from '../../../src/errors.ts';
import { problemText } from '../../../src/pipeline/optionProblem.ts';
import { parseOptions, validateOptions } from '../../../src/pipeline/validateOptions.ts';

type Options = Record<string, unknown>;

const good = (): Record<string, Options | string> => ({
  pipeline: 'orders',
  kafka: { brokers: ['localhost:9092'] },
  source: { topics: ['orders'] },
  sink: {
    type: 'postgres',
    connectionString: 'postgres://localhost/db',
    table: 'orders',
    columns: { id: '$value.id' },
  },
});

/** The good options with some sections changed; undefined removes. */
function changed(change: Record<string, unknown>): Options {
  const options: Options = good();
  for (const [path, value] of Object.entries(change)) {
    const keys = path.split('.');
    const last = keys.pop() ?? '';
    let map = options;
    for (const key of keys) {
      map[key] ??= {};
      map = map[key] as Options;
    }
    if (value === undefined) delete map[last];
    else map[last] = value;
  }
  return options;
}

function lines(options: unknown, origin: 'file' | 'code' = 'code'): readonly string[] {
  const outcome = validateOptions(options, origin);
  return 'problems' in outcome ? outcome.problems.map(problemText) : [];
}

test('good options get every default', () => {
  const spec = parseOptions(good());
  expect(spec).toMatchObject({
    delivery: 'exactly-once',
    kafka: { driver: 'kafkajs', clientId: 'tidemark', ssl: false, connectTimeoutMs: 5000, requestTimeoutMs: 30_000 },
    source: { mode: 'direct', assignment: 'all', reset: 'earliest', onDataLoss: 'stop' },
    batch: { intervalMs: 0, lingerMs: 10, transaction: 'partition', backpressure: { enabled: false, minRate: 100 } },
    sink: { mode: 'insert', ledgerSchema: 'tidemark', connections: 2 },
    onError: { record: 'stop', attempts: 3 },
    stopTimeoutMs: 30_000,
  });
  expect(spec.http).toBeUndefined();
});

const cases: readonly [name: string, change: Record<string, unknown>, expected: readonly string[]][] = [
  // unknown keys
  ['a slip of the pen', { kafak: {} }, ['kafak: unknown option; did you mean kafka?']],
  ['a slip inside', { 'source.topcs': ['a'] }, ['source.topcs: unknown option; did you mean topics?']],
  [
    'an option at the wrong place',
    { 'kafka.groupId': 'x' },
    [
      'kafka.groupId: unknown option; allowed: brokers, driver, clientId, ssl, sasl, connectTimeoutMs, requestTimeoutMs; groupId belongs to source or store',
    ],
  ],
  ['a name nobody knows', { 'http.tls': true, 'http.port': 1 }, ['http.tls: unknown option; allowed: host, port']],
  ['an unknown key of a variant', { 'kafka.ssl': { caa: 'x' } }, ['kafka.ssl.caa: unknown option; did you mean ca?']],
  [
    'a key that is a part of every object',
    { 'kafka.constructor': 1 },
    [expect.stringContaining('kafka.constructor: unknown option')],
  ],

  // where offsets live
  [
    'a kind of store nobody knows',
    { store: { type: 'kafak' } },
    ['store.type: unknown value "kafak"; allowed: postgres, redis, kafka, file; did you mean kafka?'],
  ],
  [
    'a store without its place',
    { store: { type: 'file' } },
    [expect.stringMatching(/^store\.dir: is missing; allowed: text/)],
  ],
  [
    'an option of another store',
    { store: { type: 'kafka', dir: '/x' } },
    ['store.dir: unknown option with type: kafka; remove it'],
  ],
  [
    'a store that is no Redis, and may hold a password',
    { store: { type: 'redis', url: 'http://user:secret@host' } },
    ['store.url: the value given (not shown) is not valid; allowed: a redis:// or rediss:// URL'],
  ],
  [
    'offsets of receivers in a consumer group',
    { store: { type: 'kafka' }, 'source.mode': 'receiver', wal: { dir: '/wal' } },
    [
      'store.type: a consumer group cannot keep the offsets of source.mode receiver: it is told there what was taken in; allowed: postgres, redis, file',
    ],
  ],

  // missing
  [
    'no brokers',
    { 'kafka.brokers': undefined },
    ['kafka.brokers: is missing; allowed: a list; Brokers to ask first, host:port, for example ["localhost:9092"]'],
  ],
  [
    'no sink',
    { sink: undefined },
    ['sink: is missing; allowed: a map; Where the rows go; in the library also a sink that brings itself'],
  ],
  ['no sink type', { 'sink.type': undefined }, ['sink.type: is missing; allowed: postgres; Kind of sink']],
  ['no source', { source: undefined }, ['source: is missing; allowed: a map; What is read']],
  ['an empty section', { batch: null }, ['batch: expected a map, found nothing; give it a value or leave the key out']],

  // kinds
  ['text for a number', { 'batch.lingerMs': '10' }, ['batch.lingerMs: expected a whole number, found "10"']],
  ['a fraction', { 'batch.lingerMs': 1.5 }, ['batch.lingerMs: expected a whole number, found 1.5']],
  [
    'not a number',
    { 'batch.maxRatePerPartition': Number.NaN },
    ['batch.maxRatePerPartition: expected a number, found NaN'],
  ],
  [
    'a number for a switch',
    { 'batch.backpressure': { enabled: 1 } },
    ['batch.backpressure.enabled: expected true or false, found 1'],
  ],
  ['text for a list', { 'kafka.brokers': 'a:1' }, ['kafka.brokers: expected a list, found "a:1"']],
  ['a list for a map', { batch: [] }, ['batch: expected a map, found a list']],
  ['text for a switch or a map', { 'kafka.ssl': 'yes' }, ['kafka.ssl: expected true or false or a map, found "yes"']],
  ['a sink that is text', { sink: 'postgres' }, ['sink: expected a map, found "postgres"']],
  ['a number as a column', { 'sink.columns': { id: 5 } }, ['sink.columns.id: expected text or a map, found 5']],

  // values
  [
    'an unknown value',
    { 'source.reset': 'lastest' },
    ['source.reset: unknown value "lastest"; allowed: earliest, latest, fail; did you mean latest?'],
  ],
  [
    'a mode nobody knows',
    { 'source.mode': 'reciever', 'source.maxRate': 5 },
    ['source.mode: unknown value "reciever"; allowed: direct, receiver; did you mean receiver?'],
  ],
  ['a misspelt delivery', { delivery: 'exactly once' }, [expect.stringContaining('did you mean exactly-once?')]],
  ['a sink nobody knows', { 'sink.type': 'mysql' }, ['sink.type: unknown value "mysql"; allowed: postgres']],
  [
    'a misspelt sink with more wrong in it',
    { 'sink.type': 'postgress', 'sink.tabel': 'x' },
    [
      'sink.type: unknown value "postgress"; allowed: postgres; did you mean postgres?',
      'sink.tabel: unknown option; did you mean table?',
    ],
  ],

  // bounds and forms
  ['zero', { 'onError.attempts': 0 }, ['onError.attempts: 0 is out of bounds; allowed: from 1 on']],
  [
    'less than zero',
    { 'batch.maxRatePerPartition': -1 },
    ['batch.maxRatePerPartition: -1 is out of bounds; allowed: from 0 on'],
  ],
  [
    'a rate of nothing',
    { 'batch.backpressure': { minRate: 0 } },
    ['batch.backpressure.minRate: 0 is out of bounds; allowed: more than 0'],
  ],
  ['a port too high', { 'http.port': 70_000 }, ['http.port: 70000 is out of bounds; allowed: from 0 to 65535']],
  [
    'a wait longer than a timer can hold',
    { stopTimeoutMs: 2_147_483_648 },
    ['stopTimeoutMs: 2147483648 is out of bounds; allowed: from 1 to 2147483647'],
  ],
  ['an empty list', { 'source.topics': [] }, ['source.topics: is empty']],
  ['an empty name', { 'sink.table': '' }, ['sink.table: is empty']],
  [
    'a broker without a port',
    { 'kafka.brokers': ['localhost'] },
    ['kafka.brokers[0]: "localhost" is not valid; allowed: host:port'],
  ],
  [
    'a broker with a port too high',
    { 'kafka.brokers': ['a:1', 'b:99999'] },
    ['kafka.brokers[1]: "b:99999" has no such port; allowed: 1 to 65535'],
  ],
  [
    'a broker with port 0',
    { 'kafka.brokers': ['b:0'] },
    ['kafka.brokers[0]: "b:0" has no such port; allowed: 1 to 65535'],
  ],
  [
    'a topic name Kafka refuses',
    { 'source.topics': ['a b', '..'] },
    [
      'source.topics[0]: "a b" is not valid; allowed: a topic name: 1 to 249 characters of a-z A-Z 0-9 . _ -',
      'source.topics[1]: ".." is not valid; allowed: a topic name: 1 to 249 characters of a-z A-Z 0-9 . _ -',
    ],
  ],
  [
    'a pipeline name with a blank',
    { pipeline: 'my orders' },
    ['pipeline: "my orders" is not valid; allowed: 1 to 200 characters of a-z A-Z 0-9 . _ -'],
  ],
  [
    'an offset that is a fraction',
    { 'source.startOffsets': { orders: { 0: 1.5 } } },
    ['source.startOffsets.orders.0: 1.5 is not valid; allowed: a whole number from 0 on'],
  ],
  [
    'an offset beyond 64 bits',
    { 'source.startOffsets': { orders: { 0: '9223372036854775808' } } },
    ['source.startOffsets.orders.0: "9223372036854775808" is not valid; allowed: a whole number from 0 on'],
  ],
  [
    'a partition that is a word',
    { 'source.startOffsets': { orders: { first: 1 } } },
    [
      expect.stringContaining(
        'source.startOffsets.orders.first: "first" cannot stand here; allowed: the number of a partition',
      ),
    ],
  ],
  [
    'a transform that is a number',
    { transform: 5 },
    ['transform: 5 is not valid; allowed: a function, or an object with a function named batch; in a file a path'],
  ],
  [
    'a path in code',
    { transform: './t.ts' },
    [
      'transform: expected a function, found a path; import the function and give it here; paths belong to configuration files',
    ],
  ],

  // secrets
  [
    'a mechanism nobody knows',
    { 'kafka.sasl': { mechanism: 'kerberos', username: 'u', password: 'hush' } },
    ['kafka.sasl.mechanism: unknown value "kerberos"; allowed: plain, scram-sha-256, scram-sha-512, oauthbearer'],
  ],
  [
    'a misspelt mechanism with more wrong in it',
    { 'kafka.sasl': { mechanism: 'scram-sha-521', user: 'u', password: 12_345 } },
    [
      'kafka.sasl.mechanism: unknown value "scram-sha-521"; allowed: plain, scram-sha-256, scram-sha-512, oauthbearer; did you mean scram-sha-512?',
      expect.stringContaining('kafka.sasl.username: is missing'),
      'kafka.sasl.password: expected text, found the value given (not shown); put it into quotes',
      expect.stringContaining('kafka.sasl.user: unknown option'),
    ],
  ],
  [
    'a token without its mechanism',
    { 'kafka.sasl': { mechanism: 'oauthbearer', username: 'u' } },
    [
      expect.stringContaining('kafka.sasl.token: is missing'),
      expect.stringContaining('kafka.sasl.username: unknown option'),
    ],
  ],

  // combinations
  [
    'a membership without a group',
    { 'source.group': { sessionTimeoutMs: 6000 } },
    ['source.group: a membership without assignment: group; add source.assignment: group, or remove source.group'],
  ],
  [
    'a protocol and a static name that the client library does not know',
    { 'source.assignment': 'group', 'source.group': { protocol: 'consumer', instanceId: 'a' } },
    [
      'source.group.protocol: "consumer" is not possible with kafka.driver kafkajs, which knows the classic eager protocol only; use kafka.driver: confluent, or remove source.group.protocol',
      'source.group.instanceId: "a" is not possible with kafka.driver kafkajs, which knows the classic eager protocol only; use kafka.driver: confluent, or remove source.group.instanceId',
    ],
  ],
  [
    'heartbeats too far apart',
    { 'source.assignment': 'group', 'source.group': { sessionTimeoutMs: 5000 } },
    [
      'source.group.heartbeatIntervalMs: one lost heartbeat (every 3000 ms) would end a session of 5000 ms; allowed: up to 2500, half of source.group.sessionTimeoutMs; a third is usual',
    ],
  ],
  [
    'a group for single partitions',
    { source: { partitions: { orders: [0] }, assignment: 'group' } },
    [
      'source.partitions: a consumer group hands out whole topics, not single partitions; select by source.topics or source.topicPattern, or use source.assignment: all',
    ],
  ],
  [
    'nothing to read',
    { 'source.topics': undefined, 'source.reset': 'latest' },
    ['source: nothing says what is read; give one of topics, topicPattern, partitions'],
  ],
  [
    'two selections',
    { 'source.topicPattern': 'o.*' },
    [
      'source: topics and topicPattern exclude each other; keep one of them, for example topics, and remove topicPattern',
    ],
  ],
  [
    'a pattern that does not compile',
    { source: { topicPattern: 'orders(' } },
    [
      expect.stringMatching(
        /^source\.topicPattern: "orders\(" is not a regular expression \(.*Unterminated group\); quote/,
      ),
    ],
  ],
  [
    'a topic twice',
    { 'source.topics': ['a', 'b', 'a'] },
    ['source.topics[2]: "a" stands already at source.topics[0]; remove one'],
  ],
  [
    'a partition twice',
    { source: { partitions: { 'my.topic': [1, 1] } } },
    ['source.partitions["my.topic"][1]: 1 stands already at source.partitions["my.topic"][0]; remove one'],
  ],
  [
    'a start offset of another topic',
    { 'source.startOffsets': { invoices: { 0: 5 } } },
    [
      'source.startOffsets.invoices.0: invoices-0 is not selected by source.topics; remove the offset, or add the partition to source.topics',
    ],
  ],
  [
    'a start offset of another partition',
    { source: { partitions: { orders: [1] }, startOffsets: { orders: { 0: 5, 1: 7 } } } },
    [
      'source.startOffsets.orders.0: orders-0 is not selected by source.partitions; remove the offset, or add the partition to source.partitions',
    ],
  ],
  [
    'a start offset the pattern does not match as a whole',
    { source: { topicPattern: 'ord', startOffsets: { orders: { 0: 5 } } } },
    [
      'source.startOffsets.orders.0: orders-0 is not selected by source.topicPattern; remove the offset, or add the partition to source.topicPattern',
    ],
  ],
  [
    'a certificate without its key',
    { 'kafka.ssl': { cert: 'pem' } },
    ['kafka.ssl: cert is given without key; add kafka.ssl.key, or remove kafka.ssl.cert'],
  ],
  [
    'a minimum above the maximum',
    { batch: { intervalMs: 500, minRatePerPartition: 100, maxRatePerPartition: 100 } },
    [
      'batch.minRatePerPartition: 100 records in every batch are more than maxRatePerPartition allows (100 a second, 50 in 500 ms); lower batch.minRatePerPartition or raise batch.maxRatePerPartition',
    ],
  ],
  [
    "a field of the transform's row without a transform",
    { 'sink.columns': { id: 'id' } },
    [
      'sink.columns.id: "id" names a field of the transform\'s row, but there is no transform; write $value.id for the field of a JSON value, or give a transform',
    ],
  ],
  [
    'a source nobody knows',
    { 'sink.columns': { id: { from: '$ofset', type: 'bigint' } } },
    ["sink.columns.id.from: '$ofset' is no part of a record, did you mean $offset?"],
  ],
  [
    'a path that is none',
    { 'sink.columns': { id: '$value..id', key: '$key.id' } },
    [
      'sink.columns.id: \'$value..id\' is no path: write $value.name, $value["any name"] or $value.list[0]',
      "sink.columns.key: '$key.id' looks into $key, but only $value is read as JSON",
    ],
  ],
];

describe('one mistake, one line that says what to do', () => {
  test.each(cases)('%s', (_, change, expected) => {
    expect(lines(changed(change))).toEqual(expected);
  });
});

test.each([null, undefined, 5, 'text', []])('options that are no map: %j', (raw) => {
  const [line, ...more] = lines(raw);
  expect(line).toMatch(/^expected a map, found /);
  expect(more).toEqual([]);
});

test('every problem is reported at once, combinations as well', () => {
  const options = changed({
    kafak: 1,
    'kafka.brokers': ['nowhere'],
    'source.topicPattern': '(',
    'batch.lingerMs': -1,
    'sink.type': 'postgress',
    'sink.columns': { id: 'id' },
  });
  const places = lines(options).map((line) => line.split(': ')[0]);
  expect(places.sort()).toEqual(
    [
      'batch.lingerMs',
      'kafak',
      'kafka.brokers[0]',
      'sink.columns.id',
      'sink.type',
      'source',
      'source.topicPattern',
    ].sort(),
  );
});

test('what cannot be said rightly together is still said once', () => {
  // The list of brokers is wrong as a whole, so nothing is said about its items.
  expect(lines(changed({ 'kafka.brokers': 'localhost:99999' }))).toEqual([
    'kafka.brokers: expected a list, found "localhost:99999"',
  ]);
});

test('in a file the transform is a path and nothing else', () => {
  expect(lines(changed({ transform: './t.ts' }), 'file')).toEqual([]);
  expect(lines(changed({ transform: () => undefined }), 'file')).toEqual(['transform: expected the path of a file']);
});

test.each([
  ['a function', () => undefined],
  ['a batch function', { batch: () => [] }],
])('in code the transform may be %s', (_, transform) => {
  expect(lines(changed({ transform }))).toEqual([]);
});

test('a sink that brings itself is taken as it is', () => {
  const sink = { createSink: () => undefined };
  const outcome = validateOptions(changed({ sink }));
  expect('spec' in outcome && outcome.spec.sink).toBe(sink);
});

test('parseOptions throws one error with a line for each problem', () => {
  let thrown: unknown;
  try {
    parseOptions(changed({ 'source.reset': 'never', 'http.port': -1 }));
  } catch (error) {
    thrown = error;
  }
  expect(isTidemarkError(thrown, 'CONFIG_INVALID')).toBe(true);
  expect(thrown).toMatchObject({ path: 'source.reset' });
  expect((thrown as Error).message.split('\n')).toEqual([
    'The options have 2 problems:',
    '  source.reset: unknown value "never"; allowed: earliest, latest, fail',
    '  http.port: -1 is out of bounds; allowed: from 0 to 65535',
  ]);
});

test('no message repeats a secret', () => {
  const secret = 'hunter2-hunter2';
  for (const change of [
    { 'kafka.sasl': { mechanism: 'plain', username: 'u', password: [secret] } },
    { 'kafka.sasl': { mechanism: 'oauthbearer', token: { text: secret } } },
    { 'kafka.ssl': { key: { pem: secret } } },
    { 'sink.connectionString': { url: secret } },
  ]) {
    const text = lines(changed(change)).join('\n');
    expect(text).not.toBe('');
    expect(text).not.toContain(secret);
  }
});
