import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openWal, type WriteAheadLog } from '../../src/wal/index.ts';
import { guardedDirectory } from '../services/guard.ts';
import { tidemark } from '../support/tidemarkCommand.ts';

const texts = ['one', 'two', 'three', 'four', 'five'];
/** Two entries to a segment, nearly. */
const limits = { segmentBytesMax: 110, entryBytesMax: 20 };

/** An open log with these entries, of which the first two are done. */
async function openLog(): Promise<{ dir: string; log: WriteAheadLog }> {
  const dir = join(guardedDirectory('wal-command'), 'log');
  const log = await openWal({ dir, ...limits });
  onTestFinished(() => log.close());
  for (const text of texts) await log.append(Buffer.from(text));
  await log.advance(1n);
  return { dir, log };
}

async function closedLog(): Promise<{ dir: string; segments: readonly string[] }> {
  const { dir, log } = await openLog();
  const { segments } = JSON.parse((await tidemark(['wal', 'inspect', '--json', dir])).stdout) as {
    segments: { name: string }[];
  };
  await log.close();
  return { dir, segments: segments.map(({ name }) => join(dir, name)) };
}

function flip(path: string, byte: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(byte) ^ 1, byte);
  writeFileSync(path, bytes);
}

describe('help', () => {
  test.each(['inspect', 'verify', 'repair'])('wal %s: purpose, usage, two examples', async (name) => {
    const { code, stdout, stderr } = await tidemark(['wal', name, '--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Usage: tidemark wal/);
    expect(stdout.split('Examples:')[1]?.match(/^ {2}tidemark /gm)).toHaveLength(2);
  });

  test.each<[args: readonly string[], text: string]>([
    [['wal'], 'Usage: tidemark wal'],
    [['wal', 'repair', 'x'], "required option '--to <OTHER>' not specified [USAGE_INVALID]"],
    [['wal', 'verfy', 'x'], "unknown command 'verfy' (Did you mean verify?)"],
  ])('%j is wrong', async (args, text) => {
    const { code, stderr } = await tidemark(args);
    expect(stderr).toContain(text);
    expect(code).toBe(2);
  });
});

describe('wal inspect', () => {
  test('shows what waits and what is done, also while the log is in use', async () => {
    const { dir, log } = await openLog();
    const { code, stdout, stderr } = await tidemark(['wal', 'inspect', dir]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`log            ${log.logId}\n`);
    expect(stdout).toContain(`open           by process ${process.pid} on `);
    expect(stdout).toContain(
      'low watermark  1\nnext index     5\nwaiting        4 entries, 16 bytes\ndone           1 entries\n',
    );
    expect(stdout).toMatch(/^00000000000000000000\.wal +0 +2 +2 +1 +\d+$/m);
    expect(stdout).toMatch(/^00000000000000000004\.wal +4 +5 +1 +1 +\d+$/m);
  });

  test('as JSON, indices as text', async () => {
    const { dir } = await closedLog();
    const { code, stdout } = await tidemark(['wal', 'inspect', '--json', dir]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ dir, lowWatermark: '1', nextIndex: '5', entriesWaiting: 4, bytesWaiting: 16, entriesDone: 1 },
      ...{ damages: [], gaps: [], openIds: [] },
      segments: [{ firstIndex: '0', entries: 2 }, { firstIndex: '2' }, { firstIndex: '4', nextIndex: '5' }],
    });
    expect(JSON.parse(stdout)).not.toHaveProperty('holder');
  });

  test('a damaged log is shown as far as it goes', async () => {
    const { dir, segments } = await closedLog();
    flip(segments[0] ?? '', 40 + 28);
    const { code, stdout } = await tidemark(['wal', 'inspect', dir]);
    expect(code).toBe(0);
    expect(stdout).toContain(`${segments[0]}, byte 40: the payload of 0 fails its checksum [WAL_CORRUPT]\n`);
    expect(stdout).toContain('waiting        4 entries');
  });

  test('a directory without a log is an error', async () => {
    const { code, stdout, stderr } = await tidemark(['wal', 'inspect', '/nowhere']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('[WAL_READ_FAILED]');
  });
});

describe('wal verify', () => {
  test('a good log is ok', async () => {
    const { dir } = await closedLog();
    expect(await tidemark(['wal', 'verify', dir])).toMatchObject({
      code: 0,
      stdout: `${dir}: ok, 4 entries wait, 1 are done, 3 segments\n`,
      stderr: '',
    });
  });

  test('damage is exit code 5, with file and byte', async () => {
    const { dir, segments } = await closedLog();
    flip(segments[1] ?? '', 40 + 28);
    const { code, stdout, stderr } = await tidemark(['wal', 'verify', dir]);
    expect([code, stdout]).toEqual([5, '']);
    expect(stderr).toBe(`tidemark: ${segments[1]}, byte 40: the payload of 2 fails its checksum [WAL_CORRUPT]\n`);
    const json = await tidemark(['wal', 'verify', '--json', dir]);
    expect(json.code).toBe(5);
    expect(JSON.parse(json.stdout)).toMatchObject({
      ok: false,
      damages: [{ code: 'WAL_CORRUPT', path: segments[1], byteOffset: 40 }],
    });
  });

  test('a torn tail is told, and no damage', async () => {
    const { dir, segments } = await closedLog();
    const newest = segments.at(-1) ?? '';
    writeFileSync(newest, Buffer.concat([readFileSync(newest), Buffer.from('torn')]));
    const { code, stderr } = await tidemark(['wal', 'verify', dir]);
    expect(code).toBe(0);
    expect(stderr).toContain(
      'torn tail of 4 bytes (the header of an entry is cut short): the next opening cuts it off',
    );
  });
});

describe('wal repair', () => {
  test('writes a good log elsewhere and lists what it could not save', async () => {
    const { dir, segments } = await closedLog();
    const to = `${dir}-saved`;
    truncateSync(segments[1] ?? '', 40);
    const before = readFileSync(segments[1] ?? '');
    const { code, stdout, stderr } = await tidemark(['wal', 'repair', dir, '--to', to]);
    expect([code, stdout]).toEqual([0, `${to}: 3 entries saved\nlost: entries 2 to 3\n`]);
    expect(stderr).toContain('[WAL_SEGMENT_MISSING]');
    expect(readFileSync(segments[1] ?? '')).toEqual(before);
    expect((await tidemark(['wal', 'verify', to])).code).toBe(0);
    const log = await openWal({ dir: to, ...limits });
    const found: string[] = [];
    for await (const { index, payload } of log.read()) found.push(`${index} ${payload}`);
    await log.close();
    expect(found).toEqual(['1 two', '4 five']);
  });

  test('refuses a directory that is not empty, and says what it lost as JSON', async () => {
    const { dir, segments } = await closedLog();
    expect(await tidemark(['wal', 'repair', dir, '--to', dir])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the directory is not empty'),
    });
    flip(segments[0] ?? '', 40 + 28 + 3 + 28);
    const { code, stdout } = await tidemark(['wal', 'repair', '--json', dir, '--to', `${dir}-saved`]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ entriesSaved: 4, lost: [{ fromIndex: '1', untilIndex: '2' }] });
  });
});
