import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { readInput } from '../../../src/cli/inputFile.ts';

test('text comes from a file, or from standard input, a character cut in two among it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'input-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, '-'), 'a file');
  expect(await readInput('--from', join(folder, '-'))).toBe('a file');
  const bytes = Buffer.from('\uFEFFBestellungen für März');
  const parts = Readable.from([...bytes].map((byte) => Buffer.from([byte])));
  expect(await readInput('--from', '-', parts)).toBe('\uFEFFBestellungen für März');
});

test.each([
  ['a file that is not there', '/no/such/file', [], /--from: cannot be read \(\/no\/such\/file\): ENOENT/],
  ['a directory', '/tmp', [], /cannot be read \(\/tmp\): EISDIR/],
  ['what is no text', '-', [Buffer.from([0xff, 0xfe])], /is no text \(-\), allowed: UTF-8/],
  ['half a character at the end', '-', [Buffer.from('ü').subarray(0, 1)], /is no text/],
])('%s is refused', async (_, file, parts, message) => {
  await expect(readInput('--from', file, Readable.from(parts))).rejects.toThrow(message);
});

test('what has no end is not read to its end', async () => {
  let taken = 0;
  const endless = Readable.from(
    (function* () {
      const part = Buffer.alloc(8 * 1_048_576, 'a');
      for (;;) {
        taken += 1;
        yield part;
      }
    })(),
    { highWaterMark: 1 },
  );
  await expect(readInput('--from', '-', endless)).rejects.toThrow('too large (-), allowed: 67108864 bytes');
  expect(taken).toBeLessThan(12);
});
