import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTidemarkError, type TidemarkError } from '../../../src/errors.ts';
import { partitionKey } from '../../../src/model/index.ts';
import { fileNameOf, pipelineOfFile } from '../../../src/offsets/stores/file/fileNames.ts';
import { decodeBook, encodeBook } from '../../../src/offsets/stores/file/format.ts';
import type { FileStore as Store } from '../../../src/offsets/stores/file/index.ts';
import { FilePlace, FileStore } from '../../../src/offsets/stores/file/index.ts';
import type { LockProcesses } from '../../../src/platform/index.ts';
import { everythingSurvives, nothingSurvives, processNumber, WalDisk } from '../../support/walDisk.ts';

const dir = '/offsets';
const path = `${dir}/orders.json`;
const of = { topic: 'orders', partition: 0 };
const bothAlive = () => true;

async function failure(work: Promise<unknown>): Promise<TidemarkError> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!isTidemarkError(error)) throw error;
  return error;
}

function storeOn(files: WalDisk, processes: LockProcesses = processNumber(1)): Store {
  return new FileStore({ dir, pipeline: 'orders', files, processes });
}

async function opened(files: WalDisk, processes: LockProcesses = processNumber(1)): Promise<Store> {
  const store = storeOn(files, processes);
  await store.open();
  await store.registerOwner({ instanceId: `instance ${processes.self.pid}`, host: 'model', bootId: 'boot', pid: 1 });
  return store;
}

async function reset(store: Store, toOffset: bigint): Promise<void> {
  const [seen] = await store.read();
  const move = { ...of, kind: 'reset', toOffset, topicId: 'id', reason: 'test', seen } as const;
  expect(await store.move([move], 'anna')).toEqual([]);
}

const offsetOf = async (store: Store) => (await store.read())[0]?.nextOffset;

describe('a file store', () => {
  test('refuses a second process and names the first', async () => {
    const disk = new WalDisk();
    const store = await opened(disk, processNumber(41, bothAlive));
    const error = await failure(storeOn(disk, processNumber(42, bothAlive)).open());
    expect([error.code, error.message]).toEqual([
      'STORE_LOCKED',
      '/offsets/orders.json: the offsets of orders are held by process 41 on model',
    ]);
    const neighbour = new FileStore({
      dir,
      pipeline: 'orders.lock',
      files: disk,
      processes: processNumber(42, bothAlive),
    });
    await neighbour.open();
    await store.close();
    await opened(disk, processNumber(42, bothAlive));
  });

  test('takes over from a process that is gone, whose owner is forgotten', async () => {
    const disk = new WalDisk();
    const first = await opened(disk, processNumber(1));
    await first.initialise([{ ...of, nextOffset: 5n, topicId: 'id' }]);
    await first.claim([{ ...of, seenClaim: null }]);
    disk.kill();
    const second = await opened(disk, processNumber(2));
    expect((await second.owners()).map(({ instanceId }) => instanceId)).toEqual(['instance 2']);
    expect(await second.read()).toMatchObject([{ owner: 'instance 1', nextOffset: 5n }]);
  });

  test('shows its content without the lock, and writes nothing then', async () => {
    const disk = new WalDisk();
    const store = await opened(disk, processNumber(41, bothAlive));
    await reset(store, 7n);
    const beside = storeOn(disk, processNumber(42, bothAlive));
    await beside.open('look');
    expect(await offsetOf(beside)).toBe(7n);
    expect((await beside.owners()).map(({ instanceId }) => instanceId)).toEqual(['instance 41']);
    expect((await failure(beside.initialise([{ topic: 'x', partition: 0, nextOffset: 0n, topicId: '' }]))).code).toBe(
      'PIPELINE_STATE',
    );
    await beside.close();
    expect(await offsetOf(store)).toBe(7n);
  });

  test('a file of a newer version is named and left alone', async () => {
    const disk = new WalDisk();
    disk.change(path, Buffer.from('{"version": 2, "pipeline": "orders", "positions": {}}'));
    for (const purpose of ['use', 'look'] as const) {
      const error = await failure(storeOn(disk).open(purpose));
      expect([error.code, error.path]).toEqual(['STORE_SCHEMA_UNSUPPORTED', path]);
      expect(error.message).toContain('version 2');
    }
    expect(disk.names()).toEqual(['orders.json']);
  });

  test('a damaged file is an error that names it, never an empty store', async () => {
    const good = new WalDisk();
    await reset(await opened(good), 7n);
    const text = good.bytes(path).toString();
    const damages = [
      '',
      text.slice(0, -3),
      text.replace('"7"', '7'),
      text.replace('"7"', '"-7"'),
      text.replace('"7"', '"99999999999999999999"'),
      text.replace('orders', 'bills'),
      '[]',
      text.replace('"version": 1', '"version": 0'),
    ];
    for (const damaged of damages) {
      const disk = new WalDisk();
      disk.change(path, Buffer.from(damaged));
      const error = await failure(storeOn(disk).open());
      expect([error.code, error.path], damaged).toEqual(['STORE_REQUEST_FAILED', path]);
      expect(error.message.startsWith(`${path}: the file is damaged`)).toBe(true);
      expect(disk.bytes(path).toString()).toBe(damaged);
    }
  });

  test('a failed fsync ends it: no later change succeeds', async () => {
    for (const failing of ['sync', 'syncDirectory', 'rename']) {
      const disk = new WalDisk();
      const store = await opened(disk);
      await reset(store, 7n);
      disk.before = (operation) => {
        if (operation === failing) throw Object.assign(new Error('EIO'), { code: 'EIO', syscall: failing });
      };
      const [seen] = await store.read();
      if (seen === undefined) throw new Error('no row');
      expect((await failure(store.remove([seen], 'anna', 'test'))).retriable).toBe(false);
      disk.before = () => {};
      expect((await failure(store.claim([{ ...of, seenClaim: null }]))).foreignCode, failing).toBe('EIO');
      expect((await failure(store.read())).code).toBe('STORE_REQUEST_FAILED');
      await store.close();
      disk.kill();
      await opened(disk, processNumber(2));
    }
  });

  test('a full disk changes nothing, and works again when there is room', async () => {
    const disk = new WalDisk();
    const store = await opened(disk);
    await reset(store, 7n);
    disk.before = (operation) => {
      if (operation === 'write') throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' });
    };
    expect((await failure(store.claim([{ ...of, seenClaim: null }]))).retriable).toBe(true);
    disk.before = () => {};
    expect(await offsetOf(store)).toBe(7n);
    expect((await store.claim([{ ...of, seenClaim: null }]))[0]?.claimed).toBe(true);
  });

  test('after a loss of power at any operation the file holds the last answer, or the change after it', async () => {
    for (const survival of [nothingSurvives, everythingSurvives]) {
      let isThrough = false;
      for (let lossAt = 1; !isThrough; lossAt += 1) {
        const disk = new WalDisk();
        disk.lossAt = lossAt;
        let answered = 0n;
        try {
          const store = await opened(disk);
          for (let to = 1n; to <= 4n; to += 1n) {
            await reset(store, to);
            answered = to;
          }
          isThrough = true;
        } catch (error) {
          if (!isTidemarkError(error, 'STORE_REQUEST_FAILED')) throw error;
        }
        disk.restart(survival);
        const found = (await offsetOf(await opened(disk, processNumber(2)))) ?? 0n;
        expect([answered, answered + 1n], `loss at ${lossAt}`).toContain(found);
      }
    }
  });

  test('changes that come together are written together', async () => {
    const disk = new WalDisk();
    const store = await opened(disk);
    let renames = 0;
    disk.before = (operation) => {
      if (operation === 'rename') renames += 1;
    };
    const partitions = Array.from({ length: 20 }, (_, partition) => partition);
    await Promise.all(
      partitions.map((partition) => store.initialise([{ ...of, partition, nextOffset: 1n, topicId: '' }])),
    );
    expect((await store.read()).length).toBe(20);
    expect(renames).toBeLessThanOrEqual(2);
  });

  test('the place lists pipelines by their files, and nothing else', async () => {
    const disk = new WalDisk();
    expect(await new FilePlace(dir, { files: disk }).pipelines()).toEqual([]);
    for (const pipeline of ['b', 'a/b', 'é']) {
      const store = new FileStore({ dir, pipeline, files: disk, processes: processNumber(1) });
      await store.open();
      await store.initialise([{ ...of, nextOffset: 0n, topicId: '' }]);
    }
    disk.change(`${dir}/notes.txt`, Buffer.from(''));
    disk.change(`${dir}/a%.json`, Buffer.from(''));
    const place = new FilePlace(dir, { files: disk });
    expect(await place.pipelines()).toEqual(['a/b', 'b', 'é']);
    const looking = place.store('é');
    await looking.open('look');
    expect(await looking.read()).toHaveLength(1);
  });
});

describe('the format of a file store', () => {
  const counter = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
  const text = fc.string({ unit: 'binary' }).map((one) => one.toWellFormed());
  const row = fc.record({
    topic: text,
    partition: fc.nat(),
    nextOffset: counter,
    claim: fc.option(text),
    owner: fc.option(text),
    ownerEpoch: counter,
    incarnation: counter,
    topicId: text,
    leaderEpoch: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
    state: fc.constantFrom('running' as const, 'paused' as const, 'parked' as const),
    reason: fc.option(text),
    changedAtMs: fc.nat(),
  });
  const owner = fc.record({ instanceId: text, host: text, bootId: text, pid: fc.nat(), seenAtMs: fc.nat() });

  test('what is written is read again', () => {
    fc.assert(
      fc.property(fc.array(row), fc.array(row), fc.array(owner), text, (rows, gone, owners, pipeline) => {
        const removed = gone.map(({ topic, partition, ownerEpoch, incarnation }) => ({
          topic,
          partition,
          ownerEpoch,
          incarnation,
        }));
        const book = {
          rows: new Map(rows.map((one) => [partitionKey(one), one])),
          removed: new Map(removed.map((one) => [partitionKey(one), one])),
          owners: new Map(owners.map((one) => [one.instanceId, one])),
        };
        expect(decodeBook(encodeBook(pipeline, book), pipeline, path)).toEqual(book);
      }),
    );
  });

  test('a file that was cut anywhere is an error', () => {
    fc.assert(
      fc.property(fc.array(row), fc.double({ min: 0, max: 0.999, noNaN: true }), (rows, part) => {
        const bytes = encodeBook('orders', {
          rows: new Map(rows.map((one) => [partitionKey(one), one])),
          removed: new Map(),
          owners: new Map(),
        });
        // The last line break is no part of it.
        const cut = bytes.subarray(0, Math.floor((bytes.length - 1) * part));
        expect(() => decodeBook(cut, 'orders', path)).toThrow('the file is damaged');
      }),
    );
  });

  test('a pipeline of any name has a file of its own', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), (name) => {
        const pipeline = name.toWellFormed();
        expect(pipelineOfFile(fileNameOf(pipeline))).toBe(pipeline);
        expect(fileNameOf(pipeline)).toMatch(/^[A-Za-z0-9%_-][A-Za-z0-9%._-]*\.json$/);
      }),
    );
    expect(() => fileNameOf('é'.repeat(200))).toThrow('file name');
  });
});
