import { describe, expect, test } from 'vitest';
import { inspectWal, openWal, repairWal } from '../../../src/wal/index.ts';
import { processNumber, type WalDisk } from '../../support/walDisk.ts';
import { dir, diskWith, failure, firstSegment, frameHeader, openOn, payloadsOf, segmentHeader } from './walSetting.ts';

const texts = Array.from({ length: 10 }, (_, at) => `entry-000${at}`);
/** Two entries to a segment. */
const small = { segmentBytesMax: segmentHeader + 2 * (frameHeader + 10), entryBytesMax: 40 };
const to = '/saved';

const repair = (files: WalDisk) => repairWal(dir, to, { files, processes: processNumber(77) });
const openSaved = (files: WalDisk) => openWal({ dir: to, ...small }, { files, processes: processNumber(78) });

function flip(disk: WalDisk, path: string, byte: number): void {
  const bytes = Buffer.from(disk.bytes(path));
  bytes.writeUInt8(bytes.readUInt8(byte) ^ 1, byte);
  disk.change(path, bytes);
}

async function entriesOf(disk: WalDisk): Promise<readonly (readonly [bigint, string])[]> {
  const log = await openSaved(disk);
  const entries: [bigint, string][] = [];
  for await (const { index, payload } of log.read()) entries.push([index, payload.toString()]);
  await log.append(Buffer.from('more'));
  await log.close();
  return entries;
}

const all = texts.map((text, at) => [BigInt(at), text] as const);
const without = (...lost: number[]) => all.filter((_, at) => !lost.includes(at));

describe('a repair saves what is good and lists what is not', () => {
  test.each<[what: string, breaks: (disk: WalDisk) => void, lost: readonly [number, number][]]>([
    ['nothing is wrong', () => {}, []],
    ['a flipped bit in a payload', (disk) => flip(disk, firstSegment, segmentHeader + frameHeader), [[0, 1]]],
    [
      'a flipped bit in a frame',
      (disk) => flip(disk, `${dir}/00000000000000000004.wal`, segmentHeader + frameHeader + 10 + 5),
      [[5, 6]],
    ],
    ['a flipped bit in the header of a segment', (disk) => flip(disk, `${dir}/00000000000000000002.wal`, 3), []],
    ['a missing segment', (disk) => disk.move(`${dir}/00000000000000000006.wal`), [[6, 8]]],
    ['the newest segment missing', (disk) => disk.move(`${dir}/00000000000000000008.wal`), [[8, 10]]],
    ['the first segment missing', (disk) => disk.move(firstSegment), [[0, 2]]],
    ['no state', (disk) => disk.move(`${dir}/state`), []],
    [
      'two of these',
      (disk) => {
        flip(disk, firstSegment, segmentHeader + frameHeader);
        disk.move(`${dir}/00000000000000000008.wal`);
      },
      [
        [0, 1],
        [8, 10],
      ],
    ],
  ])('%s', async (_, breaks, lost) => {
    const disk = await diskWith(texts, small);
    breaks(disk);
    const before = disk.names().map((name) => name);
    const report = await repair(disk);
    expect(report.lost).toEqual(lost.map(([from, until]) => ({ fromIndex: BigInt(from), untilIndex: BigInt(until) })));
    const left = without(
      ...lost.flatMap(([from, until]) => texts.map((_, at) => at).filter((at) => at >= from && at < until)),
    );
    expect(report.entriesSaved).toBe(left.length);
    expect(await entriesOf(disk)).toEqual(left);
    const { damages, gaps, logId, nextIndex } = await inspectWal(to, undefined, {
      files: disk,
      processes: processNumber(79),
    });
    expect([damages, gaps, nextIndex]).toEqual([[], report.lost, 11n]);
    expect(logId).toBe(report.from.logId);
    expect(before.filter((name) => !disk.names().includes(name))).toEqual([]);
  });

  test('low watermark and open ids go with it; what was done is no loss', async () => {
    const disk = await diskWith(texts, small);
    const log = await openOn(disk, small);
    const openId = await log.renewOpenId(undefined);
    await log.advance(5n);
    await log.close();
    flip(disk, `${dir}/00000000000000000004.wal`, segmentHeader + frameHeader);
    expect((await repair(disk)).lost).toEqual([]);
    const saved = await openSaved(disk);
    expect([saved.lowWatermark, saved.openIds]).toEqual([5n, [openId]]);
    expect(await payloadsOf(saved)).toEqual(texts.slice(5));
  });

  test('a log that was repaired before keeps its gaps', async () => {
    const disk = await diskWith(texts, small);
    disk.move(`${dir}/00000000000000000004.wal`);
    await repair(disk);
    const report = await repairWal(to, '/again', { files: disk, processes: processNumber(80) });
    expect([report.lost, report.from.gaps]).toEqual([[], [{ fromIndex: 4n, untilIndex: 6n }]]);
    const { gaps, damages } = await inspectWal('/again', undefined, { files: disk, processes: processNumber(81) });
    expect([gaps, damages]).toEqual([[{ fromIndex: 4n, untilIndex: 6n }], []]);
  });

  test('a torn tail is left out', async () => {
    const disk = await diskWith(texts, small);
    const newest = `${dir}/00000000000000000008.wal`;
    disk.change(newest, Buffer.concat([disk.bytes(newest), Buffer.from('torn')]));
    const report = await repair(disk);
    expect([report.lost, report.from.tornTail?.untilByte]).toEqual([[], disk.bytes(newest).length]);
    expect(await entriesOf(disk)).toEqual(all);
  });

  test('a log in use, a directory that is not empty, and no log at all are refused', async () => {
    const disk = await diskWith(texts, small);
    disk.change(`${to}/other`, Buffer.from('x'));
    expect((await failure(repair(disk), 'WAL_WRITE_FAILED')).message).toContain('not empty');
    const processes = processNumber(90, () => true);
    await openWal({ dir }, { files: disk, processes });
    await failure(repairWal(dir, '/free', { files: disk, processes: processNumber(91, () => true) }), 'WAL_LOCKED');
    await failure(repairWal('/nothing', '/free', { files: disk, processes }), 'WAL_READ_FAILED');
  });
});
