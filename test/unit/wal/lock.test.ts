import { describe, expect, test } from 'vitest';
import { inspectWal, openWal } from '../../../src/wal/index.ts';
import type { LockHolder, LockProcesses } from '../../../src/wal/lock.ts';
import { systemProcesses } from '../../../src/wal/lock.ts';
import { processNumber, WalDisk } from '../../support/walDisk.ts';
import { dir, failure } from './walSetting.ts';

const bothAlive = () => true;
const locksOf = (disk: WalDisk) => disk.names().filter((name) => name.startsWith('lock-'));
const open = (files: WalDisk, processes: LockProcesses) => openWal({ dir }, { files, processes });

function withLock(text: string): WalDisk {
  const disk = new WalDisk();
  disk.change(`${dir}/lock-6f1c2a4e-8d3b-4c57-9a60-1b2e3d4c5f60`, Buffer.from(text));
  return disk;
}

describe('the lock of a directory', () => {
  test('a second process is told who holds it, and leaves no trace', async () => {
    const disk = new WalDisk();
    const log = await open(disk, processNumber(41, bothAlive));
    const before = disk.names();
    const error = await failure(open(disk, processNumber(42, bothAlive)), 'WAL_LOCKED');
    expect(error.message).toBe('/wal: the write-ahead log is held by process 41 on model');
    expect(disk.names()).toEqual(before);
    expect(
      (await inspectWal(dir, undefined, { files: disk, processes: processNumber(42, bothAlive) })).holder?.pid,
    ).toBe(41);
    await log.close();
    expect(locksOf(disk)).toEqual([]);
    await open(disk, processNumber(42, bothAlive));
  });

  test('of a process that is gone it is taken over', async () => {
    const disk = new WalDisk();
    await open(disk, processNumber(41));
    disk.kill();
    await open(disk, processNumber(42));
    expect(locksOf(disk)).toHaveLength(1);
  });

  test('of a process with the same pid that was started later it is taken over', async () => {
    const own = systemProcesses();
    expect(own.isAlive(own.self)).toBe(true);
    expect(own.isAlive({ ...own.self, startTicks: `${Number(own.self.startTicks) - 1}` })).toBe(
      process.platform !== 'linux',
    );
  });

  test.each<[what: string, text: string]>([
    [
      'of another boot, container or machine',
      JSON.stringify({ host: 'elsewhere', bootId: 'other', pid: 7, startTicks: '1' } satisfies LockHolder),
    ],
    [
      'of a system that does not tell its boot',
      JSON.stringify({ host: 'model', bootId: '', pid: 7, startTicks: '' } satisfies LockHolder),
    ],
    ['that says nothing', ''],
    ['that says something else', '{}'],
  ])('one %s is left alone, and the way out is named', async (_, text) => {
    const disk = withLock(text);
    const error = await failure(open(disk, processNumber(42)), 'WAL_LOCKED');
    expect(error.hint).toContain(`remove ${dir}/lock-6f1c2a4e-8d3b-4c57-9a60-1b2e3d4c5f60`);
    expect(locksOf(disk)).toHaveLength(1);
  });

  test('of many that come at once, one at most gets it, whatever the order of their steps', async () => {
    for (let round = 0; round < 50; round += 1) {
      const disk = new WalDisk();
      const contenders = Array.from({ length: 4 }, (_, at) => at + 1 + round);
      const opened = await Promise.allSettled(contenders.map((pid) => open(disk, processNumber(pid, bothAlive))));
      expect(opened.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1);
    }
  });

  test('both see the other at the worst: both give way', async () => {
    const disk = new WalDisk();
    // The second comes between the first one's lock file and its look for others.
    let second: Promise<unknown> | undefined;
    disk.before = (operation) => {
      if (operation !== 'syncDirectory' || second !== undefined) return;
      second = failure(open(disk, processNumber(2, bothAlive)), 'WAL_LOCKED');
    };
    await open(disk, processNumber(1, bothAlive)).catch(() => {});
    await second;
    disk.before = () => {};
    await open(disk, processNumber(3));
  });

  test('an opening that fails gives it back', async () => {
    const disk = new WalDisk();
    await (await open(disk, processNumber(1))).close();
    disk.move(`${dir}/state`);
    disk.change(`${dir}/00000000000000000000.wal`, Buffer.alloc(500));
    await failure(open(disk, processNumber(2)), 'WAL_SEGMENT_MISSING');
    expect(locksOf(disk)).toEqual([]);
  });
});
