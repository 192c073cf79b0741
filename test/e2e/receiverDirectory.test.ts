import { createHash } from 'node:crypto';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { nodeFiles } from '../../src/platform/index.ts';
import { waitUntil } from '../services/index.ts';
import { accepts, freePort } from '../services/ports.ts';
import { startIntakeChild } from '../support/intakeChild.ts';
import { copyDirectory, type IntakeWorld, intakeWorld, postTo, texts } from '../support/intakeWorld.ts';
import { errno } from '../support/walDisk.ts';

// The machine may be busy, and a process of its own takes its time to start.
vi.setConfig({ testTimeout: 180_000 });

const rowsReach = (world: IntakeWorld, count: number) =>
  waitUntil(`${count} rows`, async () => (await world.payloads()).length >= count);

/** What is in a directory, names and contents; but locks, and the state, which counts openings. */
async function contentsOf(dir: string): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(dir)).filter((name) => !name.startsWith('lock-') && name !== 'state').sort();
  const hash = async (name: string) =>
    createHash('sha256')
      .update(await readFile(join(dir, name)))
      .digest('hex');
  return new Map(await Promise.all(names.map(async (name) => [name, await hash(name)] as const)));
}

/** Starts the pipeline as a process of its own, which is listening. */
async function startChild(world: IntakeWorld, dir = world.dir()) {
  const port = await freePort();
  const child = await startIntakeChild(world.options(dir, port));
  onTestFinished(() => {
    if (child.alive()) child.signal('KILL');
  });
  await child.waitFor('started');
  await waitUntil('its HTTP receiver', () => accepts('127.0.0.1', port));
  return { ...child, port, dir };
}

/** Takes records in and stops. */
async function runOnce(world: IntakeWorld, values: readonly string[], dir = world.dir()): Promise<void> {
  const process = await world.start({ dir });
  expect(await process.post(...values)).toBe(200);
  await process.pipeline.stop();
}

describe('a directory that cannot be used: the start says which, why, and what to do', () => {
  test.each(['EROFS', 'EACCES'])('it cannot be written (%s)', async (code) => {
    const world = await intakeWorld();
    await runOnce(world, texts('a', 1));
    const before = await contentsOf(world.dir());
    const files = {
      ...nodeFiles,
      open: (path: string, mode: 'read' | 'write' | 'create') =>
        mode === 'read' ? nodeFiles.open(path, mode) : Promise.reject(errno(code, path)),
    };
    await expect(world.start({ host: { files } })).rejects.toMatchObject({
      code: 'WAL_WRITE_FAILED',
      foreignCode: code,
      path: world.dir(),
      message: expect.stringContaining(world.dir()),
      hint: expect.stringContaining('rights'),
    });
    expect(await contentsOf(world.dir())).toEqual(before);
  });

  test.each([
    ['it is a file', ''],
    ['a folder above it is a file', '/wal'],
  ])('%s', async (_, below) => {
    const world = await intakeWorld();
    await writeFile(world.dir('taken'), 'something else');
    const dir = `${world.dir('taken')}${below}`;
    await expect(world.start({ dir })).rejects.toMatchObject({
      code: 'WAL_WRITE_FAILED',
      path: dir,
      message: expect.stringContaining(dir),
      hint: expect.any(String),
    });
    expect(await readFile(world.dir('taken'), 'utf8')).toBe('something else');
  });
});

test('two processes on one directory: the second is told who has it, and starts at once when that was killed', async () => {
  const world = await intakeWorld();
  const first = await startChild(world);
  expect(await postTo(first.port, '"first"')).toBe(200);
  await expect(world.start()).rejects.toMatchObject({
    code: 'WAL_LOCKED',
    message: expect.stringContaining(`process ${first.pid} on `),
    hint: expect.stringContaining('directory of its own'),
  });
  first.signal('KILL');
  await first.ended();
  const second = await world.start();
  // Not after the five seconds for which a silent owner elsewhere is left alone.
  expect(second.heard('partitionClaimed')).toHaveLength(1);
  expect(await second.post('"second"')).toBe(200);
  await rowsReach(world, 2);
  expect(await world.payloads()).toEqual(['"first"', '"second"']);
});

describe('a directory that is not the one that was used last', () => {
  test.each([
    ['a copy elsewhere', (_: IntakeWorld, copy: string) => Promise.resolve(copy)],
    [
      "yesterday's backup in its place",
      async (world: IntakeWorld, copy: string) => {
        await rm(world.dir(), { recursive: true });
        await rename(copy, world.dir());
        return world.dir();
      },
    ],
  ])('%s is refused when the original went on, and nothing changes', async (_, place) => {
    const world = await intakeWorld();
    await runOnce(world, texts('a', 2));
    const copy = await copyDirectory(world.dir(), world.dir('copy'));
    await runOnce(world, texts('b', 2));
    const dir = await place(world, copy);
    const [files, row] = [await contentsOf(dir), await world.row()];
    await expect(world.start({ dir })).rejects.toMatchObject({
      code: 'RECEIVER_LOG_FOREIGN',
      path: dir,
      topic: row?.topic,
      hint: expect.stringContaining('used last'),
    });
    expect(await contentsOf(dir)).toEqual(files);
    expect(await world.row()).toEqual(row);
    expect(await world.payloads()).toEqual([...texts('a', 2), ...texts('b', 2)]);
  });

  test('a copy that is started while the original is dead goes on, and the original is refused then', async () => {
    const world = await intakeWorld();
    const original = await startChild(world);
    const release = await world.hold();
    expect(await postTo(original.port, '"before"')).toBe(200);
    original.signal('KILL');
    await original.ended();
    await release();
    const copy = await world.start({ dir: await copyDirectory(original.dir, world.dir('copy')) });
    await rowsReach(world, 1);
    expect(await copy.post('"after"')).toBe(200);
    await rowsReach(world, 2);
    await expect(world.start({ dir: original.dir })).rejects.toMatchObject({ code: 'RECEIVER_LOG_FOREIGN' });
    await copy.pipeline.stop();
    await expect(world.start({ dir: original.dir })).rejects.toMatchObject({ code: 'RECEIVER_LOG_FOREIGN' });
    expect(await world.payloads()).toEqual(['"before"', '"after"']);
  });
});

describe('a copy that is started while the original lives stands by and takes nothing in', () => {
  /** Original and copy, with three records that both have. */
  async function both() {
    const world = await intakeWorld();
    const original = await world.start();
    await original.post(...texts('a', 3));
    await rowsReach(world, 3);
    const copy = await world.start({ dir: await copyDirectory(original.dir, world.dir('copy')) });
    await waitUntil('the copy to stand by', () => copy.pipeline.status().ready === 'standby');
    expect(await copy.listens()).toBe(false);
    return { world, original, copy };
  }

  test('and takes over when the original ends, which is refused from then on', async () => {
    const { world, original, copy } = await both();
    await original.pipeline.stop();
    expect(await copy.post('"of the copy"')).toBe(200);
    await rowsReach(world, 4);
    await copy.pipeline.stop();
    await expect(world.start({ dir: original.dir })).rejects.toMatchObject({ code: 'RECEIVER_LOG_FOREIGN' });
    expect(await world.payloads()).toEqual([...texts('a', 3), '"of the copy"']);
  });

  test('and is refused when the original has committed what it lacks', async () => {
    const { world, original, copy } = await both();
    expect(await original.post(...texts('b', 2))).toBe(200);
    await original.pipeline.stop();
    await waitUntil('the copy to be refused', () => copy.heard('partitionParked').length === 1);
    expect(copy.heard('partitionParked')[0]?.error).toMatchObject({
      code: 'LEDGER_AHEAD',
      offset: 5n,
      untilOffset: 3n,
    });
    expect(await copy.listens()).toBe(false);
    await copy.pipeline.stop();
    // The original can go on: the copy has not put its id into the row.
    await runOnce(world, ['"of the original"']);
    expect(await world.payloads()).toEqual([...texts('a', 3), ...texts('b', 2), '"of the original"']);
  });

  test('and when it takes over from a living original, that takes nothing in any more', async () => {
    const world = await intakeWorld();
    const original = await world.start();
    expect(await original.post(...texts('a', 2))).toBe(200);
    await rowsReach(world, 2);
    const copy = await world.start({
      dir: await copyDirectory(original.dir, world.dir('copy')),
      start: { takeOver: true },
    });
    expect(await copy.post('"of the copy"')).toBe(200);
    await rowsReach(world, 3);
    await waitUntil('the original to be fenced', () => original.heard('partitionFenced').length === 1);
    expect(await original.post('"of the original"')).toBe(429);
    await copy.pipeline.stop();
    await waitUntil('the original to be refused', () => original.heard('partitionParked').length === 1);
    expect(await original.listens()).toBe(false);
    expect(original.heard('partitionParked')[0]?.error.code).toBe('RECEIVER_LOG_FOREIGN');
    expect(await world.payloads()).toEqual([...texts('a', 2), '"of the copy"']);
  });
});

describe('a database that was put back from before', () => {
  /** Rows and ledger as they are now; the answer puts them back, together. */
  async function backup({ sql }: IntakeWorld): Promise<() => Promise<void>> {
    const tables = ['public.taken', 'tidemark.offsets', 'tidemark.ranges'];
    await sql(tables.map((table, at) => `CREATE TABLE backup_${at} AS TABLE ${table}`).join('; '));
    const restored = tables.map(
      (table, at) => `DELETE FROM ${table}; INSERT INTO ${table} OVERRIDING SYSTEM VALUE SELECT * FROM backup_${at}`,
    );
    return async () => {
      await sql(`BEGIN; ${restored.join('; ')}; COMMIT`);
    };
  }

  test.each(['while the pipeline is down', 'under a running pipeline'])(
    'what the log still has is committed again (%s)',
    async (when) => {
      const world = await intakeWorld();
      let process = await world.start();
      await process.post(...texts('a', 2));
      await rowsReach(world, 2);
      const restore = await backup(world);
      await process.post(...texts('b', 3));
      await rowsReach(world, 5);
      if (when === 'under a running pipeline') {
        await restore();
      } else {
        await process.pipeline.stop();
        await restore();
        process = await world.start();
        await rowsReach(world, 5);
      }
      expect(await process.post('"c"')).toBe(200);
      await rowsReach(world, 6);
      expect(await world.payloads()).toEqual([...texts('a', 2), ...texts('b', 3), '"c"']);
      expect(process.heard('partitionParked')).toEqual([]);
      await process.pipeline.stop();
      expect(process.heard('intakeClosed')[0]?.waiting).toEqual([]);
    },
  );

  test.each(['while the pipeline is down', 'under a running pipeline'])(
    'beyond retainMs the partition stops, and says which records are gone (%s)',
    async (when) => {
      const world = await intakeWorld();
      const wal = { retainMs: 0 };
      let process = await world.start({ change: { wal } });
      await process.post(...texts('a', 2));
      await rowsReach(world, 2);
      const restore = await backup(world);
      await process.post(...texts('b', 3));
      await rowsReach(world, 5);
      await process.pipeline.stop();
      if (when === 'under a running pipeline') process = await world.start({ change: { wal } });
      await restore();
      if (when === 'under a running pipeline') await process.post('"c"');
      else process = await world.start({ change: { wal } });
      await waitUntil('the partition to stop', () => process.heard('partitionParked').length === 1);
      const error = process.heard('partitionParked')[0]?.error;
      expect(error).toMatchObject({ code: 'DATA_LOSS', fromOffset: 2n, untilOffset: 5n, path: world.dir() });
      expect(error?.message).toContain('2 to 4');
      expect(await world.payloads()).toEqual(texts('a', 2));
    },
  );
});

test('a ledger that is ahead of the log stops the partition, and nothing is taken in', async () => {
  const world = await intakeWorld();
  await runOnce(world, texts('a', 3));
  await world.sql(
    'BEGIN; UPDATE tidemark.offsets SET next_offset = 9; UPDATE tidemark.ranges SET until_offset = 9; COMMIT',
  );
  const process = await world.start();
  expect(process.heard('partitionParked')[0]?.error).toMatchObject({
    code: 'LEDGER_AHEAD',
    offset: 9n,
    untilOffset: 3n,
    path: world.dir(),
  });
  expect(await process.listens()).toBe(false);
  expect(process.pipeline.status().ready).toBe('parked');
  expect(await world.row()).toMatchObject({ nextOffset: 9n, state: 'parked' });
});

test('a flipped byte under blocks that wait: the start is refused with file and byte, and the rest of the files stays', async () => {
  const world = await intakeWorld();
  const child = await startChild(world);
  const release = await world.hold();
  for (const value of texts('waiting', 5)) expect(await postTo(child.port, value)).toBe(200);
  child.signal('KILL');
  await child.ended();
  await release();
  const [segment = ''] = (await readdir(world.dir())).filter((name) => /^\d|\.wal$|segment/.test(name)).sort();
  const path = join(world.dir(), segment);
  const bytes = await readFile(path);
  const at = bytes.indexOf('waiting2');
  expect(at).toBeGreaterThan(0);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await writeFile(path, bytes);
  const before = await contentsOf(world.dir());
  const refusal = await world.start().catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: 'WAL_CORRUPT', path, hint: expect.stringContaining('tidemark wal repair') });
  const { byteOffset } = refusal as { byteOffset: number };
  expect(byteOffset).toBeGreaterThan(0);
  expect(byteOffset).toBeLessThan(at);
  expect(String(refusal)).toContain(`byte ${byteOffset}`);
  expect(await contentsOf(world.dir())).toEqual(before);
  // Put right, everything is there.
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await writeFile(path, bytes);
  await world.start();
  await rowsReach(world, 5);
  expect(await world.payloads()).toEqual(texts('waiting', 5));
});
