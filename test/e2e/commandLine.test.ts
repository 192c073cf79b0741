// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of configuration files are what is tested
import { spawn } from 'node:child_process';
import { access, constants, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { commandFile, tidemark } from '../support/tidemarkCommand.ts';
import { folderWith, goodYaml } from '../unit/config/files.ts';

const environment = { DATABASE_URL: 'postgres://u:hunter2@127.0.0.1:1/db' };
const main = commandFile;

describe('a wrong command line ends with 2 and says what is allowed', () => {
  test.each<[args: readonly string[], text: string]>([
    [[], 'Usage: tidemark'],
    [['config'], 'Usage: tidemark config'],
    [['offsets'], 'Usage: tidemark offsets'],
    [['rnu', 'x.yaml'], "tidemark: unknown command 'rnu' (Did you mean run?) [USAGE_INVALID]"],
    [['config', 'chek', 'x.yaml'], "tidemark: unknown command 'chek' (Did you mean check?) [USAGE_INVALID]"],
    [['run'], "tidemark: missing required argument 'FILE' [USAGE_INVALID]"],
    [['config', 'explain', 'a', 'b'], 'tidemark: too many arguments'],
    [['run', '--untilend', 'x'], "tidemark: unknown option '--untilend' (Did you mean --until-end?) [USAGE_INVALID]"],
    [['run', '--log-level', 'loud', 'x'], 'tidemark: --log-level: unknown value (loud), allowed: trace, debug, info'],
    [['run', '--log-level', 'wran', 'x'], '(did you mean warn?)'],
    [['run', '--once', '--until-end', 'x'], 'tidemark: --once: excludes --until-end, allowed: one of them'],
    [
      ['offsets', 'lag', '--fail-over', '-1', 'x'],
      'tidemark: --fail-over: not a whole number (-1), allowed: 0 or more',
    ],
    [['config', 'schema', 'x.yaml'], 'tidemark: FILE: not a name for a schema (x.yaml), allowed: *.json'],
  ])('%j', async (args, text) => {
    const { code, stdout, stderr } = await tidemark(args);
    expect(stderr).toContain(text);
    expect([code, stdout]).toEqual([2, '']);
  });

  test('with --json the complaint is one line of JSON', async () => {
    const { code, stderr } = await tidemark(['run', '--json', '--nope', 'x']);
    expect(code).toBe(2);
    expect(JSON.parse(stderr)).toEqual({
      error: expect.objectContaining({
        code: 'USAGE_INVALID',
        message: "unknown option '--nope' (Did you mean --once?)",
        exitCode: 2,
      }),
    });
  });
});

describe('help and version', () => {
  test.each([
    [['--help']],
    [['run', '--help']],
    [['config', 'check', '--help']],
    [['config', 'explain', '--help']],
    [['config', 'schema', '--help']],
    [['offsets', 'lag', '--help']],
    [['offsets', 'describe', '--help']],
    [['offsets', 'list', '--help']],
  ])('%j: purpose, usage, options, two examples, on standard output', async (args) => {
    const { code, stdout, stderr } = await tidemark(args);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Usage: tidemark/);
    expect(stdout).toContain('Options:');
    expect(stdout.split('Examples:')[1]?.match(/^ {2}tidemark /gm)).toHaveLength(2);
  });

  test('--version is that of the package', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect(await tidemark(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  test('the command begins with a shebang', async () => {
    expect((await readFile(main, 'utf8')).split('\n')[0]).toBe('#!/usr/bin/env node');
    await expect(access(main, constants.R_OK)).resolves.toBeUndefined();
  });
});

describe('config check', () => {
  test('a good file is ok, also when nothing it names can be reached', async () => {
    const cwd = await folderWith({
      'orders.yaml': `${goodYaml}transform: ./t.ts\n`,
      't.ts': 'export default () => ({});',
    });
    expect(await tidemark(['config', 'check', 'orders.yaml'], { cwd, environment })).toEqual({
      code: 0,
      signal: null,
      stdout: 'orders.yaml: ok, pipeline orders\n',
      stderr: '',
    });
  });

  test('a transform that keeps a timer does not keep the command', async () => {
    const cwd = await folderWith({
      'orders.yaml': `${goodYaml}transform: ./t.mjs\n`,
      't.mjs': 'setInterval(() => {}, 1000);\nexport default () => ({});',
    });
    expect(await tidemark(['config', 'check', 'orders.yaml'], { cwd, environment })).toMatchObject({ code: 0 });
  });

  test('every file and every problem is reported, each with its place', async () => {
    const cwd = await folderWith({
      'good.yaml': goodYaml,
      'bad.yaml': goodYaml.replace('topics:', 'topcs:'),
      'broken.yaml': 'a: [\n',
    });
    const { code, stdout, stderr } = await tidemark(
      ['config', 'check', 'good.yaml', 'bad.yaml', 'broken.yaml', 'no.yaml'],
      {
        cwd,
        environment,
      },
    );
    expect(code).toBe(2);
    expect(stdout).toBe('good.yaml: ok, pipeline orders\n');
    expect(stderr).toContain('tidemark: bad.yaml:4:1 source: nothing says what is read');
    expect(stderr).toContain(
      'tidemark: bad.yaml:5:3 source.topcs: unknown option; did you mean topics? [CONFIG_INVALID]',
    );
    expect(stderr).toMatch(/tidemark: broken\.yaml:2:1: .*\[CONFIG_UNREADABLE\]/);
    expect(stderr).toContain('tidemark: no.yaml: there is no such file [CONFIG_UNREADABLE]');
  });

  test('--json puts all of it on standard output', async () => {
    const cwd = await folderWith({ 'good.yaml': goodYaml });
    const { code, stdout, stderr } = await tidemark(['config', 'check', '--json', 'good.yaml', 'no.yaml'], {
      cwd,
      environment,
    });
    expect([code, stderr]).toEqual([2, '']);
    expect(JSON.parse(stdout)).toMatchObject({
      files: [
        { file: 'good.yaml', ok: true, pipeline: 'orders' },
        { file: 'no.yaml', ok: false, error: { code: 'CONFIG_UNREADABLE', exitCode: 2 } },
      ],
    });
  });

  test('a missing variable is named with its place and the way out', async () => {
    const cwd = await folderWith({ 'orders.yaml': goodYaml });
    const { code, stderr } = await tidemark(['config', 'check', 'orders.yaml'], { cwd });
    expect(code).toBe(2);
    expect(stderr).toBe(
      'tidemark: orders.yaml:8:21 sink.connectionString: the environment variable DATABASE_URL is not set; set it, or give a default: ${DATABASE_URL:-…} [CONFIG_VARIABLE_MISSING]\n',
    );
  });
});

describe('config explain', () => {
  test('shows options with their origin and no secret', async () => {
    const cwd = await folderWith({ 'orders.yaml': goodYaml });
    const { code, stdout } = await tidemark(['config', 'explain', 'orders.yaml'], { cwd, environment });
    expect(code).toBe(0);
    expect(stdout).toContain(
      'connectionString: postgres://u:***@127.0.0.1:1/db # orders.yaml:8:21 from ${DATABASE_URL}',
    );
    expect(stdout).not.toContain('hunter2');
    expect(parse(stdout)).toMatchObject({ batch: { lingerMs: 10 } });
  });

  test('--json gives options and origins', async () => {
    const cwd = await folderWith({ 'orders.yaml': goodYaml });
    const { stdout } = await tidemark(['config', 'explain', '--json', 'orders.yaml'], { cwd, environment });
    expect(JSON.parse(stdout)).toMatchObject({
      file: 'orders.yaml',
      options: { pipeline: 'orders', sink: { connectionString: 'postgres://u:***@127.0.0.1:1/db' } },
      origins: { 'batch.lingerMs': { from: 'default' }, pipeline: { from: 'file', line: 1 } },
    });
  });
});

describe('config schema', () => {
  test('prints the schema', async () => {
    const { code, stdout } = await tidemark(['config', 'schema']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ $schema: 'http://json-schema.org/draft-07/schema#' });
  });

  test('writes it to a file, again as well, but never over something else', async () => {
    const cwd = await folderWith({});
    expect(await tidemark(['config', 'schema', 's.json'], { cwd })).toMatchObject({ code: 0, stdout: '' });
    expect(await tidemark(['config', 'schema', 's.json'], { cwd })).toMatchObject({ code: 0 });
    expect(JSON.parse(await readFile(join(cwd, 's.json'), 'utf8'))).toMatchObject({ title: 'A tidemark pipeline' });
    await writeFile(join(cwd, 'mine.json'), '{"mine": true}');
    const { code, stderr } = await tidemark(['config', 'schema', 'mine.json'], { cwd });
    expect(code).toBe(2);
    expect(stderr).toContain('is there and holds no JSON schema (mine.json)');
    expect(await readFile(join(cwd, 'mine.json'), 'utf8')).toBe('{"mine": true}');
  });
});

describe('run, before anything connects', () => {
  test('all that is wrong with all files is told, as JSON lines with --json', async () => {
    const cwd = await folderWith({ 'bad.yaml': goodYaml.replace('topics:', 'topcs:') });
    const { code, stdout, stderr } = await tidemark(['run', '--json', 'bad.yaml', 'no.yaml'], { cwd, environment });
    expect([code, stdout]).toEqual([2, '']);
    const errors = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { error: { code: string } });
    expect(errors.map(({ error }) => error.code)).toEqual(['CONFIG_INVALID', 'CONFIG_UNREADABLE']);
  });

  test('two files with one pipeline name are refused', async () => {
    const cwd = await folderWith({ 'a.yaml': goodYaml, 'b.yaml': goodYaml });
    const { code, stderr } = await tidemark(['run', 'a.yaml', 'b.yaml'], { cwd, environment });
    expect(code).toBe(2);
    expect(stderr).toContain('tidemark: b.yaml pipeline: the name orders is also that of a.yaml');
  });

  test('two files that want to listen at different places are refused', async () => {
    const cwd = await folderWith({
      'a.yaml': `${goodYaml}http: {port: 8081}\n`,
      'b.yaml': `${goodYaml.replace('pipeline: orders', 'pipeline: b')}http: {port: 8082}\n`,
    });
    const { code, stderr } = await tidemark(['run', 'a.yaml', 'b.yaml'], { cwd, environment });
    expect(code).toBe(2);
    expect(stderr).toContain(
      'tidemark: b.yaml http: differs from http of a.yaml: one process listens once [CONFIG_INVALID]',
    );
  });
});

describe('a reader that goes away is not an error', () => {
  test.each([
    ['config schema | head -c 1', 'config schema'],
    ['--help | head -c 1', '--help'],
  ])('%s', async (_, args) => {
    const shell = spawn('bash', [
      '-c',
      `set -o pipefail; "${process.execPath}" "${main}" ${args} | head -c 1 >/dev/null`,
    ]);
    let stderr = '';
    shell.stderr.on('data', (data: Buffer) => {
      stderr += data.toString();
    });
    const code = await new Promise((resolve) => shell.on('close', resolve));
    expect([code, stderr]).toEqual([0, '']);
  });

  test('one that was never there: standard output and error closed from the start', async () => {
    const shell = spawn('bash', [
      '-c',
      `"${process.execPath}" "${main}" config check no.yaml >&- 2>&-; echo "code $?"`,
    ]);
    let stdout = '';
    shell.stdout.on('data', (data: Buffer) => {
      stdout += data.toString();
    });
    await new Promise((resolve) => shell.on('close', resolve));
    expect(stdout).toBe('code 2\n');
  });
});
