import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel, type Message } from 'kafkajs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type KafkaService,
  kafkaService,
  type PostgresService,
  postgresService,
  type TestDatabase,
  topicPrefix,
} from '../services/index.ts';
import { runCli } from '../support/cli.ts';

/**
 * Every kind of bad input: what is said, with which code the process ends, and where rows and ledger stand afterwards. The
 * table is the contract: the ledger stands right before the first bad record.
 */
let kafka: KafkaService;
let secured: KafkaService;
let postgres: PostgresService;
let database: TestDatabase;
let client: pg.Client;
let folder: string;
let names = 0;
const prefix = topicPrefix();
const writer = { send: async (_topic: string, _messages: readonly Message[]) => {}, close: async () => {} };

beforeAll(async () => {
  [kafka, secured, postgres] = await Promise.all([
    kafkaService(),
    kafkaService({ owned: true, listeners: 'secured' }),
    postgresService(),
  ]);
  database = await postgres.createDatabase('bad');
  client = new pg.Client(database.url);
  const producer = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).producer();
  await Promise.all([client.connect(), producer.connect()]);
  writer.send = async (topic, messages) => {
    await producer.send({ topic, messages: messages.map((message) => ({ ...message, partition: 0 })) });
  };
  writer.close = () => producer.disconnect();
  folder = await mkdtemp(join(tmpdir(), 'tidemark-bad-'));
});

afterAll(async () => {
  await Promise.all([writer.close(), client.end(), rm(folder, { recursive: true, force: true })]);
  await database.drop();
  await secured.stop();
});

interface Case {
  /** Of the topic's one partition; default: three good orders. */
  readonly values?: readonly (string | Buffer | null)[];
  readonly columns?: Readonly<Record<string, string>>;
  readonly ddl?: string;
  readonly transform?: string;
  /** Lines in place of, or added to, the file's own, by their first word. */
  readonly change?: (file: string) => string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly wrongPassword?: boolean;
  readonly exit: number;
  readonly code: string;
  /** All of these are in what was said. */
  readonly says: readonly (string | RegExp)[];
  /** Committed offset afterwards; undefined = there is no row. */
  readonly nextOffset?: bigint;
  readonly rows?: number;
}

async function run({ values, columns, ddl, transform, change, environment, wrongPassword }: Case) {
  names += 1;
  const number = names;
  const topic = `${prefix}${number}`;
  const name = `bad-${number}`;
  const table = `bad_${number}`;
  await kafka.createTopic(topic, { partitions: 1 });
  await writer.send(
    topic,
    (values ?? ['{"id": 1}', '{"id": 2}', '{"id": 3}']).map((value) => ({ value })),
  );
  await client.query(`CREATE TABLE ${table} ${ddl ?? '(id integer, payload text)'}`);
  const columnLines = Object.entries(columns ?? { id: '$value.id' }).map(
    ([column, source]) => `    ${column}: ${source}`,
  );
  const file = [
    `pipeline: ${name}`,
    'kafka:',
    `  brokers: [${kafka.brokers.join(', ')}]`,
    'source:',
    `  topics: [${topic}]`,
    ...(transform === undefined ? [] : ['transform: ./transform.mjs', 'transformTimeoutMs: 1000']),
    'sink:',
    '  type: postgres',
    '  connectionString: ${BAD_DATABASE_URL}',
    `  table: ${table}`,
    ...(transform === undefined ? ['  columns:', ...columnLines] : []),
    'onError: {record: stop, attempts: 2}',
    '',
  ].join('\n');
  const home = await mkdtemp(join(folder, 'case-'));
  const path = join(home, 'orders.yaml');
  await writeFile(path, (change ?? ((text) => text))(file.replaceAll('TABLE', table)));
  if (transform !== undefined) await writeFile(join(home, 'transform.mjs'), transform);
  const ended = await runCli(['run', '--until-end', '--json', path], {
    env: { BAD_DATABASE_URL: wrongPassword ? withWrongPassword(database.url) : database.url, ...environment },
  });
  const rows = await client.query(`SELECT count(*)::integer AS rows FROM ${table}`);
  return { ...ended, rows: rows.rows[0].rows as number, nextOffset: await ledgerOffset(name) };
}

async function ledgerOffset(pipeline: string): Promise<bigint | undefined> {
  const there = await client.query("SELECT to_regclass('tidemark.offsets') IS NOT NULL AS there");
  if (there.rows[0].there !== true) return undefined;
  const found = await client.query('SELECT next_offset FROM tidemark.offsets WHERE pipeline = $1', [pipeline]);
  return found.rows.length === 0 ? undefined : BigInt(found.rows[0].next_offset);
}

function withWrongPassword(url: string): string {
  const wrong = new URL(url);
  wrong.password = 's3cret';
  return String(wrong);
}

const line = (word: string, text: string) => (file: string) =>
  file.replace(new RegExp(`^( *)${word}:.*$`, 'm'), (_, indent: string) => `${indent}${text}`);

const sasl = (mechanism: string) => (file: string) =>
  line(
    'brokers',
    `brokers: [${secured.security?.saslPlaintext}]\n  sasl: {mechanism: ${mechanism}, username: alice, password: '\${KAFKA_PASSWORD}'}`,
  )(file);

const good = '{"id": 1}';

const cases: readonly (readonly [string, Case])[] = [
  [
    'an unknown key of the configuration',
    {
      change: (file) => `${file}souce: {}\n`,
      exit: 2,
      code: 'CONFIG_INVALID',
      says: ['orders.yaml', 'souce', 'source'],
      rows: 0,
    },
  ],
  [
    'receiver mode without a log',
    {
      change: (file) => file.replace('source:\n', 'source:\n  mode: receiver\n'),
      exit: 2,
      code: 'CONFIG_INVALID',
      says: ['orders.yaml', 'wal: is missing'],
      rows: 0,
    },
  ],
  [
    "receiver mode's options in direct mode",
    {
      change: (file) => `${file.replace('source:\n', 'source:\n  maxRate: 5\n')}wal: {dir: wal}\n`,
      exit: 2,
      code: 'CONFIG_INVALID',
      says: ['source.maxRate: is for source.mode: receiver; use batch.maxRatePerPartition', 'wal: is for source.mode'],
      rows: 0,
    },
  ],
  [
    'a receiver that cannot be, and a Redis that is none',
    {
      change: (file) =>
        file.replace(
          /topics: .*/,
          'mode: receiver\n  maxRate: 5\n  sharedRate: {redisUrl: "http://:s3cret@h"}\n  receivers: [{type: tcp, name: a, port: 1}]\nwal: {dir: wal}',
        ),
      exit: 2,
      code: 'CONFIG_INVALID',
      says: ['redisUrl: the value given (not shown)', 'source.receivers[0].type: unknown value', 'socket, http'],
      rows: 0,
    },
  ],
  [
    'a missing environment variable',
    {
      change: line('connectionString', 'connectionString: ${NOT_SET_ANYWHERE}'),
      exit: 2,
      code: 'CONFIG_VARIABLE_MISSING',
      says: ['orders.yaml', 'NOT_SET_ANYWHERE'],
      rows: 0,
    },
  ],
  [
    'an unreachable broker',
    {
      change: line('brokers', 'brokers: ["127.0.0.1:1"]'),
      exit: 1,
      code: 'KAFKA_UNREACHABLE',
      says: ['127.0.0.1:1', 'hint'],
      rows: 0,
    },
  ],
  [
    'an unreachable database',
    {
      environment: { BAD_DATABASE_URL: 'postgres://someone:s3cret@127.0.0.1:1/nowhere' },
      exit: 1,
      code: 'STORE_UNREACHABLE',
      says: ['127.0.0.1:1', 'hint'],
      rows: 0,
    },
  ],
  [
    'a wrong password',
    {
      wrongPassword: true,
      exit: 1,
      code: 'STORE_AUTHENTICATION_FAILED',
      says: ['password', 'hint'],
      rows: 0,
    },
  ],
  [
    'a wrong password of Kafka, by PLAIN',
    {
      change: sasl('plain'),
      environment: { KAFKA_PASSWORD: 's3cret' },
      exit: 1,
      code: 'KAFKA_AUTHENTICATION_FAILED',
      says: ['refused to authenticate by PLAIN', 'kafka.sasl', 'hint'],
      rows: 0,
    },
  ],
  [
    'a wrong password of Kafka, by SCRAM',
    {
      change: sasl('scram-sha-512'),
      environment: { KAFKA_PASSWORD: 's3cret' },
      exit: 1,
      code: 'KAFKA_AUTHENTICATION_FAILED',
      says: ['refused to authenticate by SCRAM-SHA-512', 'kafka.sasl', 'hint'],
      rows: 0,
    },
  ],
  [
    'a missing topic',
    {
      change: (file) => file.replace(/topics: .*/, 'topics: [no-such-topic-here]'),
      exit: 1,
      code: 'KAFKA_TOPIC_MISSING',
      says: ['no-such-topic-here', 'hint'],
      rows: 0,
    },
  ],
  [
    'a missing table',
    {
      change: line('table', 'table: public.no_such_table'),
      exit: 1,
      code: 'SINK_TABLE_MISSING',
      says: ['no_such_table', 'hint'],
      rows: 0,
    },
  ],
  [
    'a missing column',
    { columns: { id: '$value.id', idd: '$offset' }, exit: 1, code: 'SINK_COLUMN_MISSING', says: ['idd'], rows: 0 },
  ],
  [
    'a source that can never fit its column',
    {
      ddl: '(id boolean)',
      columns: { id: '$offset' },
      exit: 1,
      code: 'SINK_COLUMN_TYPE',
      says: ['id', '$offset'],
      rows: 0,
    },
  ],
  [
    'a value that is not JSON',
    {
      values: [good, good, '{"id": ', good],
      exit: 1,
      code: 'RECORD_UNPARSABLE',
      says: ['"offset":"2"'],
      nextOffset: 2n,
      rows: 2,
    },
  ],
  [
    'a value of another type than its column',
    {
      values: [good, '{"id": "x"}'],
      exit: 1,
      code: 'RECORD_UNSTORABLE',
      says: ['"offset":"1"', 'id'],
      nextOffset: 1n,
      rows: 1,
    },
  ],
  [
    'a number out of range',
    {
      values: [good, '{"id": 2147483648}'],
      exit: 1,
      code: 'RECORD_UNSTORABLE',
      says: ['"offset":"1"', 'id'],
      nextOffset: 1n,
      rows: 1,
    },
  ],
  [
    'a NUL in a text',
    {
      columns: { payload: '$value' },
      values: ['a', 'b', 'c\0d'],
      exit: 1,
      code: 'RECORD_UNSTORABLE',
      says: ['"offset":"2"', 'payload'],
      nextOffset: 2n,
      rows: 2,
    },
  ],
  [
    'invalid UTF-8 in a text',
    {
      columns: { payload: '$value' },
      values: ['a', Buffer.from([0xc3, 0x28])],
      exit: 1,
      code: 'RECORD_UNSTORABLE',
      says: ['"offset":"1"', 'payload'],
      nextOffset: 1n,
      rows: 1,
    },
  ],
  [
    'a row that the database refuses',
    {
      ddl: '(id integer CHECK (id < 3))',
      values: [good, '{"id": 2}', '{"id": 3}', '{"id": 1}'],
      exit: 1,
      code: 'SINK_REFUSED',
      says: ['"offset":"2"'],
      nextOffset: 2n,
      rows: 2,
    },
  ],
  [
    'a tombstone where a value must be',
    {
      ddl: '(id integer NOT NULL)',
      values: [good, null],
      exit: 1,
      code: 'RECORD_UNSTORABLE',
      says: ['"offset":"1"', 'id'],
      nextOffset: 1n,
      rows: 1,
    },
  ],
  [
    'a transform that throws',
    {
      transform:
        'export default (record) => { if (record.offset === 1n) throw new Error("no such account"); return record.json(); }',
      exit: 1,
      code: 'TRANSFORM_FAILED',
      says: ['"offset":"1"', 'no such account'],
      nextOffset: 1n,
      rows: 1,
    },
  ],
  [
    'a batch transform that throws, whatever the policy: none of its records is passed over',
    {
      transform:
        'export const batch = (records) => records.map((record) => { if (record.offset === 1n) throw new Error("no such account"); return record.json(); })',
      change: line('onError', 'onError: {record: skip, attempts: 2}'),
      exit: 1,
      code: 'TRANSFORM_FAILED',
      says: ['"offset":"0"', 'no such account'],
      nextOffset: 0n,
      rows: 0,
    },
  ],
  [
    'a transform that never settles',
    {
      transform: 'export default (record) => record.offset === 1n ? new Promise(() => {}) : record.json()',
      exit: 1,
      code: 'TRANSFORM_TIMED_OUT',
      says: ['"offset":"1"', 'transformTimeoutMs'],
      nextOffset: 1n,
      rows: 1,
    },
  ],
  [
    'a transform that blocks the event loop',
    {
      transform: 'export default (record) => { while (record.offset === 1n); return record.json(); }',
      exit: 1,
      code: 'TRANSFORM_TIMED_OUT',
      says: ['"offset":"1"'],
      nextOffset: 0n,
      rows: 0,
    },
  ],
  [
    'a transform that returns garbage',
    {
      transform: 'export default (record) => record.offset === 2n ? "garbage" : record.json()',
      exit: 1,
      code: 'TRANSFORM_RESULT_INVALID',
      says: ['"offset":"2"', 'string'],
      nextOffset: 2n,
      rows: 2,
    },
  ],
  [
    'a transform whose row names a column that is not there',
    {
      transform: 'export default (record) => ({ ...record.json(), colour: "red" })',
      exit: 1,
      code: 'TRANSFORM_RESULT_INVALID',
      says: ['"offset":"0"', 'colour'],
      nextOffset: 0n,
      rows: 0,
    },
  ],
  [
    'a transform that cannot be loaded',
    { transform: 'export default (', exit: 2, code: 'TRANSFORM_UNLOADABLE', says: ['transform.mjs'], rows: 0 },
  ],
];

describe('bad input', () => {
  it.concurrent.each(cases)('%s', async (_, bad) => {
    const ended = await run(bad);
    const said = ended.stdout + ended.stderr;
    expect(said).toContain(bad.code);
    for (const text of bad.says) expect(said).toMatch(text instanceof RegExp ? text : new RegExp(literally(text)));
    expect(said).not.toContain('s3cret');
    expect(said).not.toMatch(/^\s+at .*node_modules/m);
    expect({ exit: ended.code, rows: ended.rows, nextOffset: ended.nextOffset }).toEqual({
      exit: bad.exit,
      rows: bad.rows,
      nextOffset: bad.nextOffset,
    });
  });
});

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
