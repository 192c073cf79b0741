import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/platform/index.ts';
import type { LoggedBlock } from '../../src/receiver/block.ts';
import { BlockTracker } from '../../src/receiver/blockTracker.ts';
import { openWal, type WriteAheadLog } from '../../src/wal/index.ts';
import { guardedDirectory } from '../services/guard.ts';
import { tidemark } from '../support/tidemarkCommand.ts';
import { addBlocks, orders, web } from '../unit/receiver/trackerSetting.ts';

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

/** A log of receiver mode, open: a batch that is done, one that is not, a block that waits, one that was discarded. */
async function openReceiverLog(): Promise<{ dir: string; log: WriteAheadLog; tracker: BlockTracker }> {
  const dir = join(guardedDirectory('wal-command'), 'log');
  const log = await openWal({ dir, segmentBytesMax: 2_000, entryBytesMax: 1_000 });
  onTestFinished(() => log.close());
  const tracker = await BlockTracker.recover(log, systemClock);
  const [first] = await addBlocks({ tracker }, orders, [0]);
  await tracker.allocate(1_000);
  tracker.finish(first as LoggedBlock);
  await tracker.sweep(60_000);
  await addBlocks({ tracker }, orders, [10, 40]);
  await tracker.allocate(2_000);
  await addBlocks({ tracker }, web, [0]);
  await tracker.discard(await addBlocks({ tracker }, orders, [50]), 'received under another claim');
  return { dir, log, tracker };
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

describe('wal inspect of a log of receiver mode', () => {
  const ordersRow = /^orders-0 +3 +2 +1 +1 +30 +53 +\[0, 20\) \[40, 50\)$/m;

  test('shows the blocks of each partition and the batches that have them, also while it is in use', async () => {
    const { dir, tracker } = await openReceiverLog();
    const { code, stdout, stderr } = await tidemark(['wal', 'inspect', dir]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^PARTITION +BLOCKS +WAITING +DONE +DISCARDED +RECORDS +BYTES +OFFSETS$/m);
    expect(stdout).toMatch(ordersRow);
    expect(stdout).toMatch(/^receiver:web@6f1c2a4e-0 +1 +1 +0 +0 +10 +17 +\[0, 10\)$/m);
    expect(stdout).toMatch(/^BATCH +BLOCKS +RECORDS\n +2000 +2 +20$/m);
    expect(tracker.waiting.blocks).toBe(3);
  });

  test('as JSON', async () => {
    const { dir } = await openReceiverLog();
    const { code, stdout } = await tidemark(['wal', 'inspect', '--json', dir]);
    expect(code).toBe(0);
    const { receiver } = JSON.parse(stdout) as { receiver: { streams: object[] } };
    expect(receiver).toEqual({
      streams: [
        {
          ...{ topic: 'orders', partition: 0, blocks: 3, records: 30, bytes: 53 },
          offsetRanges: [
            { fromOffset: '0', untilOffset: '20' },
            { fromOffset: '40', untilOffset: '50' },
          ],
          ...{ blocksWaiting: 2, recordsWaiting: 20, bytesWaiting: 36, blocksDone: 1 },
          ...{ blocksDiscarded: 1, recordsDiscarded: 10 },
        },
        expect.objectContaining({ topic: 'receiver:web@6f1c2a4e', blocksWaiting: 1, nextOffset: '10' }),
      ],
      batches: [{ batchTimeMs: 2_000, blocks: 2, records: 20 }],
      newestBatchTimeMs: 2_000,
    });
    const documented = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
    const fields = [
      ...Object.keys(JSON.parse(stdout)),
      ...Object.keys(receiver),
      ...receiver.streams.flatMap(Object.keys),
    ];
    for (const field of fields) expect(documented, field).toMatch(new RegExp(`^\\|.*\\b${field}\`.*\\|`, 'm'));
  });

  test('after the low watermark has moved only what lies behind it counts', async () => {
    const { dir, tracker } = await openReceiverLog();
    await tracker.sweep(0);
    const { stdout } = await tidemark(['wal', 'inspect', dir]);
    expect(stdout).toMatch(/^orders-0 +2 +2 +0 +1 +20 +36 +\[10, 20\) \[40, 50\)$/m);
  });

  test('a damaged one is shown as far as it goes', async () => {
    const { dir, log } = await openReceiverLog();
    await log.close();
    // The first entry: its block is missing, and its batch is as good as empty.
    flip(join(dir, '00000000000000000000.wal'), 40 + 28 + 6);
    const { code, stdout } = await tidemark(['wal', 'inspect', dir]);
    expect(code).toBe(0);
    expect(stdout).toContain('[WAL_CORRUPT]');
    expect(stdout).toMatch(/^orders-0 +2 +2 +0 +1 +20 +36 +\[10, 20\) \[40, 50\)$/m);
  });

  test('a log of other entries is shown without', async () => {
    const { dir } = await closedLog();
    expect(JSON.parse((await tidemark(['wal', 'inspect', '--json', dir])).stdout)).not.toHaveProperty('receiver');
    expect((await tidemark(['wal', 'inspect', dir])).stdout).not.toContain('PARTITION');
  });

  test('verify finds entries that are intact and cannot be read, below the low watermark none', async () => {
    const { dir, log, tracker } = await openReceiverLog();
    const places = [
      await log.append(Buffer.from('other')),
      await log.append(Buffer.from([1, 9, 0, 0, 0, 2, 123, 125])),
    ];
    const { code, stdout, stderr } = await tidemark(['wal', 'verify', dir]);
    expect([code, stdout]).toEqual([5, '']);
    const lines = places.map(
      ({ segment, byteOffset }) =>
        `tidemark: ${join(dir, `${String(segment).padStart(20, '0')}.wal`)}, byte ${byteOffset}: `,
    );
    expect(stderr).toBe(
      `${lines[0]}entry ${places[0]?.index}: an entry of 5 bytes [WAL_CORRUPT]\n${lines[1]}entry ${places[1]?.index}: version 9 is not known [WAL_VERSION_UNSUPPORTED]\n`,
    );
    for (const block of [...tracker.held(orders), ...tracker.held(web)]) tracker.finish(block);
    await tracker.sweep(0);
    expect(await tidemark(['wal', 'verify', dir])).toMatchObject({ code: 0, stderr: '' });
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
