// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of configuration files are what is tested
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Environment, loadPipelineFile, readPipelineFile } from '../../../src/config/index.ts';
import { isTidemarkError, type TidemarkError } from '../../../src/errors.ts';
import { folderWith, goodYaml, receiverYaml } from './files.ts';

const environment = { DATABASE_URL: 'postgres://u:hunter2@h/db' };

async function problem(content: string | Buffer, variables: Environment = environment): Promise<TidemarkError> {
  const folder = await folderWith({ 'orders.yaml': content });
  const file = join(folder, 'orders.yaml');
  const error: unknown = await loadPipelineFile(file, variables).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isTidemarkError(error)) throw new Error('the file was taken as good', { cause: error });
  error.message = error.message.replaceAll(`${folder}/`, '');
  return error;
}

describe('a file that is not YAML', () => {
  test.each<[name: string, content: string | Buffer, message: string, hint?: string]>([
    ['is empty', '', 'orders.yaml: the file is empty', 'Write the options'],
    ['holds only a comment', '# later\n', 'orders.yaml: the file is empty'],
    ['is not UTF-8', Buffer.from([0x61, 0x3a, 0xff]), 'orders.yaml: the file is not UTF-8'],
    [
      'holds a tab',
      'kafka:\n\tbrokers: x\n',
      'orders.yaml:2:1: Tabs are not allowed as indentation; indent with spaces',
    ],
    ['holds a key twice', 'a: 1\nb: 2\na: 3\n', 'orders.yaml:3:1: Map keys must be unique; remove one of the two a'],
    ['holds two documents', 'a: 1\n---\nb: 2\n', 'orders.yaml:2:1: a second document begins here', 'several files'],
    [
      'holds a variable inside a list',
      'kafka:\n  brokers: [${KAFKA_BROKERS}]\n',
      "orders.yaml:2:14: Missing , or : between flow sequence items; inside [ ] and { } a variable needs quotes: '${NAME}'",
    ],
    [
      'holds a variable inside a map',
      'columns: {id: ${X}}\n',
      "orders.yaml:1:16: Unexpected flow-map-start at node end; inside [ ] and { } a variable needs quotes: '${NAME}'",
    ],
    [
      'holds a colon in a value',
      'table: public.orders: x\n',
      'orders.yaml:1:8: Nested mappings are not allowed in compact mappings; put the value into quotes',
    ],
    ['holds an open quote', 'a: "b\n', 'orders.yaml:2:1: Missing closing "quote'],
    ['holds a tag', 'a: !secret x\n', 'orders.yaml:1:4: Unresolved tag: !secret; write plain values, without a tag'],
    [
      'has two slips',
      'a: @x\nb: 1\nb: 2\n',
      'orders.yaml:1:4: Plain value cannot start with reserved character @; put the value into quotes\norders.yaml:3:1: Map keys must be unique; remove one of the two b',
    ],
  ])('%s', async (_, content, message, hint = '') => {
    const error = await problem(content);
    expect(error.code).toBe('CONFIG_UNREADABLE');
    expect(error.message).toBe(message);
    expect(error.hint ?? '').toContain(hint);
  });

  test('a key that is there twice does not show its value', async () => {
    const error = await problem('password: hunter2\npassword: hunter3\n');
    expect(error.message).not.toMatch(/hunter/);
  });

  test('there is no such file', async () => {
    const folder = await folderWith({});
    await expect(readPipelineFile(join(folder, 'no.yaml'), {})).rejects.toMatchObject({
      code: 'CONFIG_UNREADABLE',
      message: `${folder}/no.yaml: there is no such file`,
      path: `${folder}/no.yaml`,
    });
  });

  test('the file is a directory', async () => {
    const folder = await folderWith({});
    await expect(readPipelineFile(folder, {})).rejects.toMatchObject({
      code: 'CONFIG_UNREADABLE',
      message: `${folder}: it is a directory`,
    });
  });
});

describe('options of a file', () => {
  test.each<[name: string, content: string, lines: readonly string[]]>([
    ['that is a list', '- a\n', ['orders.yaml:1:1 expected a map, found a list']],
    ['that is a text', 'hello\n', ['orders.yaml:1:1 expected a map, found "hello"']],
    [
      'with a misspelt key',
      goodYaml.replace('  topics:', '  topcs:'),
      [
        'orders.yaml:4:1 source: nothing says what is read; give one of topics, topicPattern, partitions',
        'orders.yaml:5:3 source.topcs: unknown option; did you mean topics?',
      ],
    ],
    [
      'with an unknown value',
      `${goodYaml}onError:\n  record: stopp\n`,
      ['orders.yaml:12:11 onError.record: unknown value "stopp"; allowed: stop, skip; did you mean stop?'],
    ],
    [
      'without a section',
      goodYaml.replace(/kafka:\n.*\n/, ''),
      [
        'orders.yaml:1:1 kafka: is missing; allowed: a map; The Kafka cluster; needed unless receivers alone bring the records',
      ],
    ],
    [
      'with a missing option',
      goodYaml.replace(/ {2}table:.*\n/, ''),
      [
        'orders.yaml:6:1 sink.table: is missing; allowed: text; Target table, schema.table, for example "public.orders"',
      ],
    ],
    [
      'with a wrong item',
      goodYaml.replace('[localhost:9092]', '[a:1, b]'),
      ['orders.yaml:3:18 kafka.brokers[1]: "b" is not valid; allowed: host:port'],
    ],
    [
      'with a key of two kinds',
      `${goodYaml}batch: {0: 1, "0": 2}\n`,
      [
        expect.stringMatching(/^orders\.yaml:11:20 batch\.0: is given twice/),
        expect.stringMatching(/^orders\.yaml:11:20 batch\.0: unknown option/),
      ],
    ],
    [
      'with a list as a key',
      `${goodYaml}batch:\n  ? [a]\n  : 1\n`,
      ['orders.yaml:11:1 batch: a key is a list or a map'],
    ],
    [
      'with an alias to nowhere',
      `${goodYaml}batch: *nope\n`,
      ['orders.yaml:11:8 batch: nothing above is anchored as &nope'],
    ],
    [
      'with an alias to itself',
      `${goodYaml}batch: &b {lingerMs: *b}\n`,
      ['orders.yaml:11:22 batch.lingerMs: *b stands inside what it refers to'],
    ],
    [
      'with a prototype',
      `${goodYaml}__proto__: {lingerMs: 1}\n`,
      [expect.stringContaining('__proto__: unknown option')],
    ],
    [
      'with a broken variable',
      goodYaml.replace('public.orders', '${1X}'),
      [
        'orders.yaml:9:10 sink.table: "${1X}" is not a variable; write ${NAME}, ${NAME:-default}, or $${ for the characters themselves',
      ],
    ],
    [
      'with a number too large for one',
      `${goodYaml}batch: {lingerMs: 9007199254740993}\n`,
      ['orders.yaml:11:19 batch.lingerMs: expected a whole number, found 9007199254740993'],
    ],
  ])('%s', async (_, content, lines) => {
    const error = await problem(content);
    expect(error.message.split('\n')).toEqual(lines);
    expect(error.code).toBe('CONFIG_INVALID');
  });

  test('every missing variable and every other problem are reported at once, in the order of the file', async () => {
    const content = goodYaml
      .replace('localhost:9092', "'${BROKER}', '${BROKER_2:-b}'")
      .replace('public.orders', '${TABLE}');
    const error = await problem(content, {});
    expect(error.code).toBe('CONFIG_VARIABLE_MISSING');
    expect(error.path).toBe('kafka.brokers[0]');
    expect(error.message.split('\n')).toEqual([
      'orders.yaml:3:13 kafka.brokers[0]: the environment variable BROKER is not set; set it, or give a default: ${BROKER:-…}',
      'orders.yaml:3:26 kafka.brokers[1]: "b" is not valid (from ${BROKER_2}); allowed: host:port',
      'orders.yaml:8:21 sink.connectionString: the environment variable DATABASE_URL is not set; set it, or give a default: ${DATABASE_URL:-…}',
      'orders.yaml:9:10 sink.table: the environment variable TABLE is not set; set it, or give a default: ${TABLE:-…}',
    ]);
  });

  test('no problem shows a secret, wherever it was put', async () => {
    const content = goodYaml.replace('[orders]', '["${MY_PASSWORD}", "x y"]').replace('public.orders', "''");
    const error = await problem(content, { ...environment, MY_PASSWORD: 'hun ter2' });
    expect(error.message).toContain('source.topics[0]: "***" is not valid (from ${MY_PASSWORD})');
    expect(error.message).not.toContain('hun ter2');
  });
});

describe('a file of receiver mode', () => {
  const variables = { ...environment, REDIS_URL: 'redis://:hunter2@h', SENSORS_HOST: 'sensors' };

  test('has its log where the file is, wherever the process was started', async () => {
    const folder = await folderWith({ 'readings.yaml': receiverYaml });
    const loaded = await loadPipelineFile(join(folder, 'readings.yaml'), variables);
    expect(loaded.options.wal).toEqual({ dir: join(folder, 'wal'), segmentBytesMax: 67_108_864, retainMs: 60_000 });
    expect(loaded.spec.wal?.dir).toBe('./wal');
  });

  test('has its log where it says, when it says so in full', async () => {
    const folder = await folderWith({ 'readings.yaml': receiverYaml.replace('./wal', '/var/lib/wal') });
    const loaded = await loadPipelineFile(join(folder, 'readings.yaml'), variables);
    expect(loaded.options.wal?.dir).toBe('/var/lib/wal');
  });

  test('says at its place what is wrong with a receiver, and shows no secret', async () => {
    const content = receiverYaml.replace('port: 8090', 'port: 99999').replace('name: sensors', 'name: web');
    const error = await problem(content, { ...variables, REDIS_URL: 'postgres://:hunter2@h', SENSORS_HOST: '' });
    expect(error.message.split('\n')).toEqual([
      'orders.yaml:5:26 source.sharedRate.redisUrl: the value given (not shown) is not valid (from ${REDIS_URL}); allowed: a redis:// or rediss:// URL',
      'orders.yaml:7:37 source.receivers[0].port: 99999 is out of bounds; allowed: from 0 to 65535',
      expect.stringMatching(
        /^orders\.yaml:9:13 source\.receivers\[1\]\.name: "web" stands already at source\.receivers\[0\]/,
      ),
      'orders.yaml:10:13 source.receivers[1].host: is empty (from ${SENSORS_HOST})',
    ]);
  });

  test('is there as an example', async () => {
    const file = fileURLToPath(new URL('../../../demo/readings.yaml', import.meta.url));
    const { spec } = await loadPipelineFile(file, environment);
    expect(spec.source).toMatchObject({ mode: 'receiver', receivers: [{ name: 'web' }, { name: 'sensors' }] });
    expect(spec.kafka).toBeUndefined();
  });
});

describe('variables take the kind the option wants', () => {
  async function written(yaml: string, variables: Environment): Promise<Readonly<Record<string, unknown>>> {
    const folder = await folderWith({ 'orders.yaml': yaml });
    return (await readPipelineFile(join(folder, 'orders.yaml'), { ...environment, ...variables })).written;
  }

  test('a number, a switch, a list', async () => {
    const yaml = `${goodYaml.replace('[localhost:9092]', '${BROKERS}\n  ssl: "${SSL}"')}batch: {lingerMs: '\${LINGER:-20}'}\n`;
    expect(await written(yaml, { BROKERS: 'a:1, b:2', SSL: 'true' })).toMatchObject({
      kafka: { brokers: ['a:1', 'b:2'], ssl: true },
      batch: { lingerMs: 20 },
    });
  });

  test('text stays text, whatever it looks like', async () => {
    const value = '{a: 1}\n- "b"';
    const yaml = `${goodYaml.replace('[orders]', "['1']")}`.replace('public.orders', '${TABLE}');
    expect(await written(yaml, { TABLE: value })).toMatchObject({ sink: { table: value } });
    expect(await written(yaml, { TABLE: '123' })).toMatchObject({ sink: { table: '123' } });
  });

  test('what is no number is refused with the name of the variable', async () => {
    const error = await problem(`${goodYaml}http: {port: '\${PORT}'}\n`, { ...environment, PORT: 'http' });
    expect(error.message).toBe('orders.yaml:11:14 http.port: expected a whole number, found "http" (from ${PORT})');
  });

  test('offsets beyond 2^53 keep every digit', async () => {
    const yaml = goodYaml.replace('[orders]', '[orders]\n  startOffsets: {orders: {0: 9007199254740993}}');
    expect(await written(yaml, {})).toMatchObject({ source: { startOffsets: { orders: { 0: 9007199254740993n } } } });
  });

  test('an anchor is read where its alias stands', async () => {
    const yaml = goodYaml.replace('pipeline: orders', 'pipeline: &name orders').replace('public.orders', '*name');
    expect(await written(yaml, {})).toMatchObject({ pipeline: 'orders', sink: { table: 'orders' } });
  });
});
