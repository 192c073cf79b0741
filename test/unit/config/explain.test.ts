// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of configuration files are what is tested
import { join } from 'node:path';
import fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { editorSchema, explainPipeline, explanationText, readPipelineFile } from '../../../src/config/index.ts';
import { folderWith, goodYaml, receiverYaml } from './files.ts';

const secret = 'hunter2';
const yaml = `${goodYaml.replace('[localhost:9092]', '${BROKERS:-a:1,b:2}\n  sasl: {mechanism: plain, username: bob, password: "${PW}"}')}transform: ./t.ts\n`;
const environment = { DATABASE_URL: `postgres://u:${secret}@h/db`, PW: secret };

async function explained() {
  const folder = await folderWith({ 'orders.yaml': yaml });
  const explanation = explainPipeline(await readPipelineFile(join(folder, 'orders.yaml'), environment));
  return { ...explanation, file: 'orders.yaml' };
}

describe('config explain', () => {
  test('says where every option comes from', async () => {
    const { origins } = await explained();
    expect(origins).toMatchObject({
      pipeline: { from: 'file', line: 1, column: 11, variables: [] },
      'kafka.brokers': { from: 'variable', line: 3, column: 12, variables: [{ name: 'BROKERS', isDefault: true }] },
      'kafka.sasl.password': { from: 'variable', variables: [{ name: 'PW', isDefault: false }] },
      'sink.columns.id': { from: 'file' },
      'batch.lingerMs': { from: 'default' },
      'batch.backpressure.minRate': { from: 'default' },
    });
  });

  test('shows the options in effect, secrets as stars, as YAML that can be read again', async () => {
    const text = explanationText(await explained());
    expect(text).toContain('  brokers: [ a:1, b:2 ] # orders.yaml:3:12 from default of ${BROKERS}\n');
    expect(text).toContain('  lingerMs: 10 # default\n');
    expect(text).toContain('  connectionString: postgres://u:***@h/db # orders.yaml:9:21 from ${DATABASE_URL}\n');
    expect(text).toContain('    password: "***" # orders.yaml:4:');
    expect(text).not.toContain(secret);
    expect(parse(text)).toMatchObject({ pipeline: 'orders', transform: './t.ts', batch: { transaction: 'partition' } });
  });
});

describe('config explain of receiver mode', () => {
  const variables = {
    DATABASE_URL: `postgres://u:${secret}@h/db`,
    REDIS_URL: `redis://:${secret}@cache:6379`,
    SENSORS_HOST: 'sensors',
  };

  async function explainedReceivers() {
    const folder = await folderWith({ 'readings.yaml': receiverYaml });
    const explanation = explainPipeline(await readPipelineFile(join(folder, 'readings.yaml'), variables));
    return { ...explanation, file: 'readings.yaml' };
  }

  test('says of every option of every receiver where it comes from', async () => {
    const { origins } = await explainedReceivers();
    expect(origins).toMatchObject({
      'source.receivers[0].name': { from: 'file', line: 7 },
      'source.receivers[0].path': { from: 'default' },
      'source.receivers[1].host': {
        from: 'variable',
        line: 10,
        variables: [{ name: 'SENSORS_HOST', isDefault: false }],
      },
      'source.receivers[1].lineBytesMax': { from: 'default' },
      'wal.retainMs': { from: 'default' },
    });
  });

  test('shows them as YAML that can be read again, without the password of Redis', async () => {
    const explanation = await explainedReceivers();
    const text = explanationText(explanation);
    expect(text).toContain('    redisUrl: redis://:***@cache:6379 # readings.yaml:5:26 from ${REDIS_URL}\n');
    expect(text).toContain('      host: sensors # readings.yaml:10:13 from ${SENSORS_HOST}\n');
    expect(text).toContain('  dir: ./wal # readings.yaml:12:12\n');
    expect(text).not.toContain(secret);
    expect(JSON.stringify(explanation)).not.toContain(secret);
    expect(parse(text)).toMatchObject({
      source: { receivers: [{ name: 'web', bodyBytesMax: 8_388_608 }, { name: 'sensors' }] },
    });
  });

  test("the other mode's options are in no effect, and not shown", async () => {
    const { origins } = await explainedReceivers();
    expect(Object.keys(origins)).not.toContain('batch.lingerMs');
    expect(Object.keys(origins)).toContain('batch.maxQueuedBatches');
    const direct = Object.keys((await explained()).origins);
    expect(direct).toContain('batch.lingerMs');
    expect(direct.filter((path) => /^wal|blocks|receivers|maxRate$/i.test(path))).toEqual([]);
  });
});

describe('the schema for editors', () => {
  /** Fastify compiles draft 7: a body that does not fit is answered with 400. */
  async function fits(options: unknown): Promise<boolean> {
    const app = fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false, strict: false } } });
    app.post('/', { schema: { body: editorSchema() } }, () => 'ok');
    const answer = await app.inject({ method: 'POST', url: '/', payload: options as object });
    await app.close();
    return answer.statusCode === 200;
  }

  const change = (section: string, options: object) => {
    const parsed = parse(yaml) as Record<string, object>;
    return { ...parsed, [section]: { ...parsed[section], ...options } };
  };

  test('takes a good file as it is written, variables included', async () => {
    expect(await fits(parse(yaml))).toBe(true);
    expect(await fits(change('http', { port: '${PORT}' }))).toBe(true);
    expect(await fits(change('source', { reset: '${RESET:-latest}' }))).toBe(true);
  });

  test('takes a file of receiver mode, variables included', async () => {
    expect(await fits(parse(receiverYaml))).toBe(true);
    expect(await fits(parse(receiverYaml.replace('9999', '"${PORT}"')))).toBe(true);
    expect(JSON.stringify(editorSchema())).not.toContain('counterpart');
  });

  test.each([
    ['a receiver nobody knows', parse(receiverYaml.replace('type: http', 'type: tcp'))],
    ['a receiver without a name', parse(receiverYaml.replace('name: web, ', ''))],
    ['a log without a directory', parse(receiverYaml.replace('dir: ./wal', ''))],
    ['an unknown key', change('source', { topcs: [] })],
    ['a wrong kind', change('http', { port: 'eighty' })],
    ['an unknown value', change('source', { reset: 'never' })],
    ['an unknown key of the sink', change('sink', { tabel: 'x' })],
    ['a number out of bounds', change('http', { port: 70_000 })],
    ['a transform that is no path', { ...parse(yaml), transform: 5 }],
    ['an offset that is a list', change('source', { startOffsets: { orders: { 0: [] } } })],
  ])('refuses %s', async (_, options) => {
    expect(await fits(options)).toBe(false);
  });
});
