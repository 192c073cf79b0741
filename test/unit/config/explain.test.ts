// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of configuration files are what is tested
import { join } from 'node:path';
import fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { editorSchema, explainPipeline, explanationText, readPipelineFile } from '../../../src/config/index.ts';
import { folderWith, goodYaml } from './files.ts';

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

  test.each([
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
