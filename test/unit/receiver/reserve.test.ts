import { expect, test } from 'vitest';
import { Reserve } from '../../../src/receiver/reserve.ts';
import { WalDisk } from '../../support/walDisk.ts';

const path = 'log/reserve';

test('it is made once, and given up once', async () => {
  const disk = new WalDisk();
  const reserve = new Reserve(disk, 'log');
  expect(await reserve.giveUp()).toBe(false);
  await Promise.all([reserve.hold(), reserve.hold()]);
  expect([reserve.isHeld, disk.bytes(path).length]).toEqual([true, 65_536]);
  expect([await reserve.giveUp(), await reserve.giveUp()]).toEqual([true, false]);
  expect([reserve.isHeld, disk.names()]).toEqual([false, []]);
});

test('a full disk is told, leaves nothing behind, and passes', async () => {
  const disk = new WalDisk();
  disk.capacityBytes = 65_535;
  const reserve = new Reserve(disk, 'log');
  await expect(reserve.hold()).rejects.toMatchObject({ code: 'WAL_FULL', retriable: true, path });
  expect([reserve.isHeld, disk.names()]).toEqual([false, []]);
  disk.capacityBytes = 65_536;
  await reserve.hold();
  expect(reserve.isHeld).toBe(true);
});

test('what a process before has left is used, also where it is cut short', async () => {
  const disk = new WalDisk();
  disk.change(path, Buffer.alloc(100));
  await new Reserve(disk, 'log').hold();
  expect(disk.bytes(path).length).toBe(65_536);
  disk.capacityBytes = 0;
  const reserve = new Reserve(disk, 'log');
  await reserve.hold();
  expect(await reserve.giveUp()).toBe(true);
});
