import { describe, expect, test } from 'vitest';
import { turnEventLoop } from '../../../src/platform/index.ts';
import { inspectWal } from '../../../src/wal/index.ts';
import { errno, everythingSurvives, nothingSurvives, WalDisk } from '../../support/walDisk.ts';
import { dir, diskWith, failure, firstSegment, frameHeader, openOn, payloadsOf, segmentHeader } from './walSetting.ts';

const text = (value: string) => Buffer.from(value);
/** Two entries of 10 bytes to a segment. */
const small = { segmentBytesMax: segmentHeader + 2 * (frameHeader + 10), entryBytesMax: 48 };

/** One entry of 4000 bytes to a group, and four to a segment. */
const medium = { segmentBytesMax: 20_000, entryBytesMax: 4_000 };

/** Counts operations of some kinds on segments. */
function counted(disk: WalDisk, ...operations: readonly string[]): () => number {
  let count = 0;
  disk.before = (present, path) => {
    if (operations.includes(present) && path.endsWith('.wal')) count += 1;
  };
  return () => count;
}

/** Fails the next operation of a kind on a segment, once. */
function failNext(disk: WalDisk, operation: string, code: string): void {
  disk.before = (present, path) => {
    if (present !== operation || !path.endsWith('.wal')) return;
    disk.before = () => {};
    throw errno(code, path);
  };
}

describe('appending', () => {
  test('an entry that is acknowledged survives a loss of power', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk);
    expect(await log.append(text('one'))).toEqual({ index: 0n, segment: 0n, byteOffset: 40, payloadBytes: 3 });
    expect(await log.append(text(''))).toEqual({ index: 1n, segment: 0n, byteOffset: 71, payloadBytes: 0 });
    disk.restart(nothingSurvives);
    expect(await payloadsOf(await openOn(disk))).toEqual(['one', '']);
  });

  test('callers that wait share one write and one fsync; each round of callers is one group', async () => {
    const disk = new WalDisk();
    const facts: number[] = [];
    const log = await openOn(disk, { onSync: ({ entries }) => facts.push(entries) });
    const operations = counted(disk, 'write', 'sync');
    const caller = async () => {
      for (let round = 0; round < 10; round += 1) await log.append(text('x'));
    };
    await Promise.all(Array.from({ length: 64 }, caller));
    expect(facts).toEqual(Array.from({ length: 10 }, () => 64));
    expect(operations()).toBe(20);
    expect(log.nextIndex).toBe(640n);
  });

  test('where much waits, the next group is written while the one before is synced, and acknowledged after it', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk, medium);
    disk.syncTurns = 5;
    const seen: string[] = [];
    disk.before = (operation, path) => {
      if (path === firstSegment) seen.push(`${operation} ${log.nextIndex}`);
    };
    const big = Buffer.alloc(4_000);
    const places = await Promise.all([big, big, big].map((payload) => log.append(payload)));
    expect(seen).toEqual(['write 0', 'sync 0', 'write 0', 'sync 1', 'write 1', 'sync 2']);
    expect(places.map(({ index }) => index)).toEqual([0n, 1n, 2n]);
    disk.restart(nothingSurvives);
    expect((await openOn(disk)).nextIndex).toBe(3n);
  });

  test('a crash may keep the group that was written ahead and not the one before: both are a torn tail', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk, medium);
    await log.append(text('one'));
    disk.syncTurns = 5;
    let writes = 0;
    disk.before = (operation) => {
      if (operation === 'write') writes += 1;
      // The second write is done, and the first sync is not.
      if (writes === 2) disk.lossAt = disk.operations;
    };
    const big = Buffer.alloc(4_000);
    await Promise.allSettled([big, big].map((payload) => log.append(payload)));
    expect(writes).toBe(2);
    disk.before = () => {};
    const firstSectors = Math.ceil((frameHeader + big.length) / 512);
    disk.restart({ ...nothingSurvives, sector: (sector) => sector > firstSectors });
    const again = await openOn(disk);
    expect(again.recovery.tornTail?.byteOffset).toBe(segmentHeader + frameHeader + 3);
    expect(await payloadsOf(again)).toEqual(['one']);
  });

  test('a full disk takes a group away and leaves the one before, which is just being synced', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk, medium);
    disk.syncTurns = 5;
    const big = Buffer.alloc(4_000);
    disk.capacityBytes = total(disk) + 6_000;
    const [first, second, third] = [big, big, Buffer.alloc(10)].map((payload) => log.append(payload));
    await first;
    await failure(second ?? Promise.reject(new Error('no append')), 'WAL_FULL');
    await third?.catch(() => {});
    expect((await log.append(text('fits'))).index).toBeLessThanOrEqual(2n);
    disk.restart(nothingSurvives);
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    const again = await openOn(disk);
    expect((await payloadsOf(again)).map((payload) => payload.length)).toEqual([big.length, 4]);
  });

  test('who comes while the writer is about to rest is not forgotten', async () => {
    const log = await openOn(new WalDisk());
    for (let turns = 0; turns < 4; turns += 1) {
      for (let steps = 0; steps < 12; steps += 1) {
        await log.append(text('one'));
        for (let turn = 0; turn < turns; turn += 1) await turnEventLoop();
        for (let at = 0; at < steps; at += 1) await Promise.resolve();
        await log.append(text('two'));
      }
    }
    expect(log.nextIndex).toBe(96n);
  });

  test('indices follow the order of the calls, over segments too', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk, small);
    const texts = Array.from({ length: 30 }, (_, at) => `entry-${String(at).padStart(4, '0')}`);
    const places = await Promise.all(texts.map((entry) => log.append(text(entry))));
    expect(places.map(({ index }) => index)).toEqual(texts.map((_, at) => BigInt(at)));
    expect(log.segmentCount).toBe(15);
    expect(await payloadsOf(log)).toEqual(texts);
    for (const [at, place] of places.entries()) expect(String(await log.readEntry(place))).toBe(texts[at]);
  });

  test('a new segment is noted in the state before its first entry: were it lost, nothing else would tell', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk, small);
    await Promise.all([log.append(Buffer.alloc(10)), log.append(Buffer.alloc(10))]);
    let isHeld = true;
    disk.before = (operation, path) => {
      if (isHeld && operation === 'write' && path.endsWith('state')) throw errno('ENOSPC', path);
    };
    await failure(log.append(text('third')), 'WAL_FULL');
    expect(disk.bytes(`${dir}/00000000000000000002.wal`)).toHaveLength(segmentHeader);
    isHeld = false;
    expect((await log.append(text('third'))).segment).toBe(2n);
    disk.restart(nothingSurvives);
    disk.move(`${dir}/00000000000000000002.wal`);
    await failure(openOn(disk, small), 'WAL_SEGMENT_MISSING');
  });

  test('an entry that is too long is refused, and one as long as the limit is not', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk, small);
    await log.append(Buffer.alloc(48));
    const error = await failure(log.append(Buffer.alloc(49)), 'WAL_ENTRY_TOO_LARGE');
    expect(error.message).toContain('49 bytes, the limit is 48');
    await failure(openOn(new WalDisk(), { segmentBytesMax: 1_000, entryBytesMax: 950 }), 'CONFIG_INVALID');
  });

  test('close waits for what was appended, and then nothing is appended', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk);
    const appended = Promise.all(['one', 'two'].map((entry) => log.append(text(entry))));
    await Promise.all([log.close(), log.close()]);
    await appended;
    await failure(log.append(text('late')), 'WAL_CLOSED');
    await failure(log.advance(1n), 'WAL_CLOSED');
    expect(await payloadsOf(await openOn(disk))).toEqual(['one', 'two']);
  });
});

describe('a full disk', () => {
  test('fails the append, leaves nothing of it, and writing goes on when there is room', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk);
    await log.append(text('one'));
    const bytes = disk.bytes(firstSegment).length;
    for (const room of [0, 1, frameHeader + 3, 2 * frameHeader]) {
      disk.capacityBytes = Number.POSITIVE_INFINITY;
      disk.capacityBytes = total(disk) + room;
      const both = [log.append(text('two')), log.append(Buffer.alloc(900))];
      for (const refused of both) expect(await failure(refused, 'WAL_FULL')).toMatchObject({ retriable: true });
      expect(disk.bytes(firstSegment)).toHaveLength(bytes);
    }
    // Not even what had been written whole comes back.
    const crashed = disk.copy();
    disk.restart(everythingSurvives);
    expect(await payloadsOf(await openOn(crashed))).toEqual(['one']);
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    const again = await openOn(disk);
    expect((await again.append(text('two'))).index).toBe(1n);
    expect(await payloadsOf(again)).toEqual(['one', 'two']);
  });

  test('the same writer goes on, also where a segment could not be begun', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk, small);
    await Promise.all([log.append(Buffer.alloc(10)), log.append(Buffer.alloc(10))]);
    disk.capacityBytes = total(disk) + 10;
    await failure(log.append(text('third')), 'WAL_FULL');
    expect(disk.names()).not.toContain('00000000000000000002.wal.tmp');
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    expect((await log.append(text('third'))).segment).toBe(2n);
    disk.restart(nothingSurvives);
    expect(await payloadsOf(await openOn(disk, small), 2n)).toEqual(['third']);
  });

  test('does not keep the low watermark from moving: that is what makes room', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk, small);
    for (let at = 0; at < 7; at += 1) await log.append(Buffer.alloc(10));
    disk.capacityBytes = total(disk);
    await failure(
      log.append(Buffer.alloc(10)).then(() => log.append(Buffer.alloc(10))),
      'WAL_FULL',
    );
    await log.advance(6n);
    expect((await log.append(Buffer.alloc(10))).index).toBe(7n);
  });

  test('a crash brings back nothing of an append that failed', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk);
    await log.append(text('one'));
    disk.capacityBytes = total(disk) + frameHeader + 3 + 100;
    const refused = [log.append(text('two')), log.append(Buffer.alloc(900))];
    for (const work of refused) await failure(work, 'WAL_FULL');
    // Of what is not synced, the write survives and the truncation does not.
    disk.restart({ contents: () => ({ done: 1, tornAt: 0 }), name: () => true });
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    const again = await openOn(disk);
    expect(await payloadsOf(again)).toEqual(['one']);
    expect(again.recovery.tornTail).toBeUndefined();
  });

  test('a truncation that fails ends the writer', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk);
    disk.before = (operation, path) => {
      if (operation === 'write') throw errno('ENOSPC', path);
      if (operation === 'truncate') throw errno('EIO', path);
    };
    await failure(log.append(text('one')), 'WAL_WRITE_FAILED');
    disk.before = () => {};
    await failure(log.append(text('two')), 'WAL_WRITE_FAILED');
  });
});

function total(disk: WalDisk): number {
  return disk.names().reduce((sum, name) => sum + disk.bytes(`${dir}/${name}`).length, 0);
}

describe('a failed fsync', () => {
  test.each(['EIO', 'ENOSPC'])(
    '%s ends the writer for good: all that wait fail, and the file is not touched again',
    async (code) => {
      const disk = new WalDisk();
      const log = await openOn(disk);
      await log.append(text('one'));
      failNext(disk, 'sync', code);
      const first = log.append(text('two'));
      const error = await failure(first, 'WAL_WRITE_FAILED');
      expect(error.hint).toContain('open the log again');
      const touched = counted(disk, 'sync');
      for (const late of [log.append(text('three')), log.advance(1n), log.renewOpenId(undefined)]) {
        await failure(late, 'WAL_WRITE_FAILED');
      }
      await log.close();
      expect(touched()).toBe(0);
      // The system had taken the page for written; what the next opening finds, it makes durable.
      const found = await payloadsOf(await openOn(disk));
      expect(found).toEqual(['one', 'two']);
      disk.restart(nothingSurvives);
      expect(await payloadsOf(await openOn(disk))).toEqual(found);
    },
  );

  test('those who wait behind it fail as well', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk);
    const waiting: Promise<unknown>[] = [];
    disk.before = (operation) => {
      if (operation !== 'sync') return;
      disk.before = () => {};
      waiting.push(log.append(text('behind')));
      throw errno('EIO', dir);
    };
    await failure(log.append(text('one')), 'WAL_WRITE_FAILED');
    expect(waiting).toHaveLength(1);
    for (const work of waiting) await failure(work, 'WAL_WRITE_FAILED');
  });

  test('any other failed write ends it too', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk);
    failNext(disk, 'write', 'EIO');
    await failure(log.append(text('one')), 'WAL_WRITE_FAILED');
    await failure(log.append(text('two')), 'WAL_WRITE_FAILED');
  });
});

describe('reading', () => {
  test('while others append: all that was durable when the reader got there', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk, small);
    for (let at = 0; at < 5; at += 1) await log.append(text(`e${at}`));
    const seen: string[] = [];
    for await (const { payload } of log.read()) {
      seen.push(payload.toString());
      if (seen.length < 20) await log.append(text(`e${seen.length + 4}`));
    }
    expect(seen).toEqual(Array.from({ length: 24 }, (_, at) => `e${at}`));
  });

  test('from any entry on; what was deleted is an error and not a hole', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk, small);
    for (let at = 0; at < 8; at += 1) await log.append(text(`entry-000${at}`));
    const place = { index: 0n, segment: 0n, byteOffset: 40, payloadBytes: 10 };
    expect(await payloadsOf(log, 5n)).toEqual(['entry-0005', 'entry-0006', 'entry-0007']);
    expect(await payloadsOf(log, 8n)).toEqual([]);
    await log.advance(5n);
    expect(await payloadsOf(log)).toEqual(['entry-0005', 'entry-0006', 'entry-0007']);
    expect(await payloadsOf(log, 4n)).toHaveLength(4);
    await failure(payloadsOf(log, 3n), 'WAL_ENTRY_GONE');
    await failure(log.readEntry(place), 'WAL_ENTRY_GONE');
  });

  test('damage that came while the log was open is found', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk);
    const place = await log.append(text('one'));
    disk.bytes(firstSegment).writeUInt8(0x20, place.byteOffset + frameHeader);
    const error = await failure(log.readEntry(place), 'WAL_CORRUPT');
    expect(error).toMatchObject({ path: firstSegment, byteOffset: place.byteOffset });
    await failure(payloadsOf(log), 'WAL_CORRUPT');
  });
});

describe('the low watermark', () => {
  test('deletes whole segments, the oldest first, and only after it is durable', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk, small);
    for (let at = 0; at < 8; at += 1) await log.append(Buffer.alloc(10));
    const order: string[] = [];
    disk.before = (operation, path) => {
      if (operation === 'remove' || operation === 'sync') order.push(`${operation} ${path.slice(dir.length + 1)}`);
    };
    await log.advance(5n);
    expect(order).toEqual(['sync state', 'remove 00000000000000000000.wal', 'remove 00000000000000000002.wal']);
    expect([log.lowWatermark, log.segmentCount]).toEqual([5n, 2]);
    await log.advance(3n);
    expect(log.lowWatermark).toBe(5n);
    await failure(log.advance(9n), 'INVARIANT_BROKEN');
    await log.advance(8n);
    expect(await payloadsOf(log)).toEqual([]);
    disk.restart(nothingSurvives);
    const again = await openOn(disk, small);
    expect([again.lowWatermark, again.nextIndex, again.recovery.entriesWaiting]).toEqual([8n, 8n, 0]);
  });

  test('several that are on their way at once: the highest counts', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk, small);
    for (let at = 0; at < 8; at += 1) await log.append(Buffer.alloc(10));
    await Promise.all([2n, 7n, 5n].map((index) => log.advance(index)));
    expect(log.lowWatermark).toBe(7n);
    disk.restart(nothingSurvives);
    expect((await openOn(disk, small)).lowWatermark).toBe(7n);
  });

  test('close waits for a watermark that is moving: nothing is deleted once the directory is given back', async () => {
    const disk = new WalDisk();
    const log = await openOn(disk, small);
    for (let at = 0; at < 8; at += 1) await log.append(Buffer.alloc(10));
    disk.syncTurns = 3;
    const advanced = log.advance(6n);
    await log.close();
    expect(disk.names().filter((name) => name.endsWith('.wal'))).toEqual(['00000000000000000006.wal']);
    expect(disk.names().filter((name) => name.startsWith('lock-'))).toEqual([]);
    await advanced;
  });

  test('segments of which a crash undid the deletion, in any order, are deleted by the next opening', async () => {
    for (const kept of [0, 1, 2]) {
      const disk = new WalDisk();
      const log = await openOn(disk, small);
      for (let at = 0; at < 8; at += 1) await log.append(Buffer.alloc(10));
      disk.before = (operation) => {
        if (operation === 'syncDirectory') disk.lossAt = 0;
      };
      await log.advance(6n).catch(() => {});
      disk.before = () => {};
      // Three deletions are pending; one of them is done, the others are not.
      disk.restart({ ...nothingSurvives, name: (change) => change === kept });
      const again = await openOn(disk, small);
      expect(again.recovery.entriesWaiting).toBe(2);
      await again.append(Buffer.alloc(10));
      await again.close();
      expect(disk.names().filter((name) => name.endsWith('.wal'))).toEqual([
        '00000000000000000006.wal',
        '00000000000000000008.wal',
      ]);
    }
  });
});

describe('ids', () => {
  test('a log keeps its id; each opening can be told by a fresh one', async () => {
    const disk = new WalDisk();
    const first = await openOn(disk);
    const { logId } = first;
    expect(first.recovery.isNew).toBe(true);
    const one = await first.renewOpenId(undefined);
    disk.restart(nothingSurvives);
    const second = await openOn(disk);
    expect([second.logId, second.openIds, second.recovery.isNew]).toEqual([logId, [one], false]);
    const two = await second.renewOpenId(one);
    expect(second.openIds).toEqual([two, one]);
  });

  test('an id that was never taken over makes room, the known one stays, eight are kept', async () => {
    const log = await openOn(new WalDisk());
    const ids = [await log.renewOpenId(undefined)];
    for (let at = 0; at < 20; at += 1) await log.renewOpenId(ids[0]);
    expect(log.openIds).toHaveLength(2);
    expect(log.openIds[1]).toBe(ids[0]);
    for (let at = 0; at < 20; at += 1) ids.unshift(await log.renewOpenId(log.openIds[0]));
    expect(log.openIds).toEqual(ids.slice(0, 8));
  });

  test('a copy that was opened elsewhere is found out by whoever keeps the id', async () => {
    const disk = await diskWith(['one']);
    const original = await openOn(disk);
    let ledger = await original.renewOpenId(undefined);
    await original.close();
    const copy = await openOn(disk.copy());
    expect(copy.openIds).toContain(ledger);
    ledger = await copy.renewOpenId(ledger);
    expect((await openOn(disk)).openIds).not.toContain(ledger);
  });
});

describe('a directory that cannot be written', () => {
  test('opening fails and says so, looking works', async () => {
    const disk = await diskWith(['one']);
    disk.isReadOnly = true;
    expect(await failure(openOn(disk), 'WAL_WRITE_FAILED')).toMatchObject({ foreignCode: 'EROFS' });
    const found = await inspectWal(dir, undefined, { files: disk });
    expect([found.nextIndex, found.damages]).toEqual([1n, []]);
  });

  test('no log: looking fails and makes nothing', async () => {
    const disk = new WalDisk();
    await failure(inspectWal(dir, undefined, { files: disk }), 'WAL_READ_FAILED');
    expect(disk.names()).toEqual([]);
  });
});
