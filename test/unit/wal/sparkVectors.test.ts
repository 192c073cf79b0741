/**
 * The cases of Spark's WriteAheadLogSuite that do not depend on file names by time, under its names. Data are the strings
 * "1" to "100". What differs is on purpose and says so.
 */
import { describe, expect, test } from 'vitest';
import { TidemarkError } from '../../../src/errors.ts';
import type { WriteAheadLog } from '../../../src/wal/index.ts';
import { nothingSurvives, WalDisk } from '../../support/walDisk.ts';
import { dir, diskWith, failure, firstSegment, openOn, payloadsOf } from './walSetting.ts';

const data = Array.from({ length: 100 }, (_, index) => String(index + 1));
/** So small that a hundred entries need several. */
const segmentBytesMax = 600;
const small = { segmentBytesMax, entryBytesMax: 100 };

async function appendAll(log: WriteAheadLog, payloads: readonly string[]) {
  const places = [];
  for (const payload of payloads) places.push(await log.append(Buffer.from(payload)));
  return places;
}

const segments = (disk: WalDisk) => disk.names().filter((name) => name.endsWith('.wal'));

describe("as Spark's WriteAheadLogSuite has it", () => {
  test('read all logs: what lies in many files comes in the order of the writes', async () => {
    const disk = await diskWith(Array.from({ length: 10 }, () => data).flat(), small);
    expect(segments(disk).length).toBeGreaterThan(10);
    const log = await openOn(disk, small);
    expect(await payloadsOf(log)).toEqual(Array.from({ length: 10 }, () => data).flat());
  });

  test('write logs: several files, together the data', async () => {
    const disk = await diskWith(data, small);
    expect(segments(disk).length).toBeGreaterThan(1);
    expect(await payloadsOf(await openOn(disk, small))).toEqual(data);
  });

  test('read all logs after write: a new log on the same directory has them', async () => {
    const disk = new WalDisk();
    await appendAll(await openOn(disk, small), data);
    disk.kill();
    expect(await payloadsOf(await openOn(disk, small))).toEqual(data);
  });

  test('clean old logs: fewer files afterwards, what was not done is left; closed twice', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk, small);
    await appendAll(log, data);
    const before = segments(disk).length;
    await log.advance(50n);
    expect(segments(disk).length).toBeLessThan(before);
    expect(await payloadsOf(log)).toEqual(data.slice(50));
    await log.close();
    await log.close();
  });

  test('read by handle: each record immediately after its write', async () => {
    const log = await openOn(new WalDisk(), small);
    for (const value of data) {
      const place = await log.append(Buffer.from(value));
      expect(String(await log.readEntry(place))).toBe(value);
    }
  });

  test('sequential reader: nothing follows the last one', async () => {
    const log = await openOn(await diskWith(data), small);
    const reader = log.read();
    for (const value of data) expect(String((await reader.next()).value?.payload)).toBe(value);
    expect(await reader.next()).toMatchObject({ done: true });
    expect(await reader.next()).toMatchObject({ done: true });
  });

  test('corrupted end of a log whose writer died: text behind the last record is cut off, the data are whole', async () => {
    const disk = new WalDisk();
    await appendAll(await openOn(disk), data);
    disk.kill();
    const garbage = Buffer.from('This line appended to file!');
    disk.change(firstSegment, Buffer.concat([disk.bytes(firstSegment), garbage]));
    const log = await openOn(disk);
    const { byteOffset = 0, untilByte = 0 } = log.recovery.tornTail ?? {};
    expect(untilByte - byteOffset).toBe(garbage.length);
    expect(await payloadsOf(log)).toEqual(data);
  });

  test('a last record cut short is no record, and unlike in Spark one that was acknowledged is damage, never dropped', async () => {
    const disk = new WalDisk();
    await appendAll(await openOn(disk), data.slice(0, 99));
    // The last one is written and not synced: nobody was told that it is there.
    const unsynced = disk.bytes(firstSegment).length;
    disk.restart(nothingSurvives);
    expect(disk.bytes(firstSegment).length).toBe(unsynced);
    expect(await payloadsOf(await openOn(disk))).toEqual(data.slice(0, 99));

    const closed = await diskWith(data);
    closed.change(firstSegment, closed.bytes(firstSegment).subarray(0, -1));
    await failure(openOn(closed), 'WAL_CORRUPT');
  });

  test('a file that was removed is missed, where Spark reads an empty one', async () => {
    const disk = await diskWith(data, small);
    const [, second] = segments(disk);
    disk.move(`${dir}/${second}`);
    await failure(openOn(disk, small), 'WAL_SEGMENT_MISSING');
  });

  test('batched: what many wrote at once is written together and comes back apart, in the order of the calls', async () => {
    const disk = new WalDisk();
    const syncs: number[] = [];
    const log = await openOn(disk, { onSync: ({ entries }) => syncs.push(entries) });
    await Promise.all(data.map((value) => log.append(Buffer.from(value))));
    expect(syncs.length).toBeLessThan(10);
    expect(syncs.reduce((sum, entries) => sum + entries, 0)).toBe(100);
    expect(await payloadsOf(log)).toEqual(data);
  });

  test('batched: a failing write fails every caller, with its cause; and none can write to a closed log', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk);
    disk.before = (operation) => {
      if (operation === 'write') throw new Error('Hello!');
    };
    const results = await Promise.allSettled(data.slice(0, 3).map((value) => log.append(Buffer.from(value))));
    for (const result of results) {
      const { reason } = result as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(TidemarkError);
      expect((reason as TidemarkError).message).toContain('Hello!');
    }
    const other = await openOn(new WalDisk());
    await other.close();
    await failure(other.append(Buffer.from('late')), 'WAL_CLOSED');
  });
});
