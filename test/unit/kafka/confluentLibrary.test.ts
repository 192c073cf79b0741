import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { folderVariable, packageName } from '../../../src/kafka/drivers/confluent/library.ts';
import { createDriver } from '../../../src/kafka/index.ts';

const folders: string[] = [];

afterEach(() => {
  vi.unstubAllEnvs();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Makes a folder with the package as given and lets the driver look there. */
function installed(files: Readonly<Record<string, string>>): void {
  const folder = mkdtempSync(join(tmpdir(), 'confluent-'));
  folders.push(folder);
  const inside = join(folder, 'node_modules', packageName);
  mkdirSync(inside, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(inside, name), text);
  vi.stubEnv(folderVariable, folder);
}

const refusal = () =>
  createDriver({ driver: 'confluent', brokers: ['127.0.0.1:1'] }).then(
    () => undefined,
    (error: unknown) => error,
  );

const withMain = (program: string) => ({ 'package.json': '{"main":"index.js"}', 'index.js': program });

describe('a package that cannot be loaded says why, and what to do', () => {
  test.each<[string, Readonly<Record<string, string>> | undefined, string, string]>([
    ['that is not there', undefined, 'is not installed', 'npm install'],
    ['whose folder an install that failed left empty', {}, 'is not installed', 'npm install'],
    [
      'of which parts are missing',
      withMain("require('there-is-no-such-package')"),
      'only partly installed',
      'npm install',
    ],
    [
      'without its native part',
      withMain("throw new Error('Could not locate the bindings file. Tried: a, b')"),
      'without its native part',
      'npm rebuild',
    ],
    [
      'built for another Node',
      withMain(
        "throw Object.assign(new Error('compiled against NODE_MODULE_VERSION 1'), { code: 'ERR_DLOPEN_FAILED' })",
      ),
      'does not fit this Node',
      'npm rebuild',
    ],
    [
      'in a second thread',
      withMain("throw new Error('Module did not self-register: x.node')"),
      'second thread',
      'scale by processes',
    ],
    ['that is another one', withMain('module.exports = {}'), 'is not the package it should be', 'npm install'],
  ])('one %s', async (_, files, what, remedy) => {
    if (files === undefined) vi.stubEnv(folderVariable, '');
    else installed(files);
    expect(await refusal()).toMatchObject({
      code: 'KAFKA_DRIVER_UNAVAILABLE',
      message: expect.stringContaining(what),
      hint: expect.stringContaining(remedy),
    });
  });
});
