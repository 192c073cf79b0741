import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { systemClock } from '../../src/platform/index.ts';
import { guardedDirectory } from '../services/guard.ts';
import {
  checkPrerequisites,
  type KafkaService,
  kafkaService,
  postgresService,
  redisService,
  skipWithout,
  tcpProxy,
  waitUntil,
} from '../services/index.ts';
import { accepts, freePort } from '../services/ports.ts';
import { startIntakeChild } from '../support/intakeChild.ts';
import { type IntakeProcess, type IntakeWorld, intakeWorld, postTo, texts } from '../support/intakeWorld.ts';
import { type KafkaDriverEnvironment, kafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';
import { WalDisk } from '../support/walDisk.ts';

// The machine may be busy, and services of their own take their time to start.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

/** How long something is away. */
const awayMs = 3000;
/** More than any limit here lets through. */
const postsMax = 2000;

const rowsReach = (world: IntakeWorld, count: number, topic?: string) =>
  waitUntil(`${count} rows`, async () => (await world.payloads(topic)).length >= count);

function untilAway(): () => boolean {
  const startedMs = performance.now();
  return () => performance.now() - startedMs >= awayMs;
}

const isDegraded = ({ pipeline }: IntakeProcess, part: string) =>
  pipeline.status().degraded.some(({ what }) => what === part);

/** Posts until the answer is no longer that. */
async function postWhile(process: IntakeProcess, status: number, prefix: string): Promise<string[]> {
  const sent: string[] = [];
  for (let value = `"${prefix}0"`; (await process.post(value)) === status; value = `"${prefix}${sent.length}"`) {
    sent.push(value);
    if (sent.length > postsMax) throw new Error(`${postsMax} answers of ${status}`);
  }
  return sent;
}

describe('with a broker', () => {
  let kafka: KafkaService;
  let environment: KafkaDriverEnvironment;
  beforeAll(async () => {
    kafka = await kafkaService({ owned: true });
    environment = await kafkaDriverEnvironment(kafka.brokers);
  });
  afterAll(async () => {
    await environment?.close();
    await kafka?.stop();
  });

  const produce = (topic: string, values: readonly string[]) =>
    environment.produce(
      topic,
      0,
      values.map((value) => ({ key: null, value: Buffer.from(value) })),
    );
  const change = (topic: string, source: object = {}) => ({
    kafka: { brokers: [...kafka.brokers] },
    source: { topics: [topic], ...source },
  });

  test.each(['while blocks wait', 'while none do'])(
    'it goes away and comes back %s: HTTP goes on being taken in, what is in the log is committed, nothing is lost or doubled',
    async (when) => {
      const world = await intakeWorld();
      const topic = await environment.createTopic();
      const process = await world.start({ change: change(topic) });
      await produce(topic, texts('a', 10));
      await rowsReach(world, 10, topic);
      const release = when === 'while blocks wait' ? await world.hold() : undefined;
      await produce(topic, texts('b', 10));
      await waitUntil('the block', () => process.heard('blockLogged').some(({ untilOffset }) => untilOffset === 20n));
      if (release === undefined) await rowsReach(world, 20, topic);
      await kafka.restart(async () => {
        const isOver = untilAway();
        for (const value of texts('down', 5)) expect(await process.post(value)).toBe(200);
        await release?.();
        // Out of the log: nobody else can have them now.
        await rowsReach(world, 20, topic);
        await rowsReach(world, 5);
        await waitUntil('the pipeline to notice', () => isDegraded(process, 'kafka'));
        await waitUntil('the end of the outage', isOver);
      });
      await produce(topic, texts('c', 10));
      await rowsReach(world, 30, topic);
      await waitUntil('the pipeline to recover', () => !isDegraded(process, 'kafka'));
      await process.pipeline.stop();
      expect(await world.payloads(topic)).toEqual([...texts('a', 10), ...texts('b', 10), ...texts('c', 10)]);
      expect(await world.payloads()).toEqual(texts('down', 5));
      expect(process.heard('intakeClosed')[0]?.waiting).toEqual([]);
    },
  );

  test('the database goes away and comes back: blocks wait up to the limit, then nothing is taken in; it goes on by itself', async () => {
    const proxy = await tcpProxy(await postgresService());
    onTestFinished(() => proxy.close());
    const world = await intakeWorld((databaseUrl) => {
      const url = new URL(databaseUrl);
      url.host = `${proxy.host}:${proxy.port}`;
      return url.toString();
    });
    const topic = await environment.createTopic();
    const process = await world.start({ change: change(topic, { blocksWaitingMax: 8 }) });
    await process.post('"before"');
    await produce(topic, ['"before"']);
    await rowsReach(world, 1);
    await rowsReach(world, 1, topic);
    const isOver = untilAway();
    await proxy.refuse(true);
    proxy.cut();
    // Half of the limit is that of each.
    const accepted = await postWhile(process, 200, 'http');
    expect(await process.post('"no room"')).toBe(429);
    expect(accepted).toHaveLength(4);
    const produced: string[] = [];
    let waitingMax = 0;
    await waitUntil('the end of the outage', async () => {
      const value = `"kafka${produced.length}"`;
      produced.push(value);
      await produce(topic, [value]);
      waitingMax = Math.max(waitingMax, process.pipeline.status().waiting?.blocks ?? 0);
      return isOver() && produced.length > 20 && waitingMax >= 8;
    });
    expect(waitingMax).toBeLessThanOrEqual(8 + 2);
    expect(await process.post('"no room"')).toBe(429);
    expect(isDegraded(process, 'store')).toBe(true);
    await proxy.refuse(false);
    await rowsReach(world, 5);
    expect(await process.post('"after"')).toBe(200);
    await rowsReach(world, 6);
    await rowsReach(world, 1 + produced.length, topic);
    await process.pipeline.stop();
    expect(await world.payloads()).toEqual(['"before"', ...accepted, '"after"']);
    expect(await world.payloads(topic)).toEqual(['"before"', ...produced]);
    expect(process.heard('intakeClosed')[0]?.waiting).toEqual([]);
  });

  test('the disk is full: HTTP is refused, a block of Kafka is tried again, and both go on when there is room', async () => {
    const world = await intakeWorld();
    const topic = await environment.createTopic();
    const disk = new WalDisk();
    const process = await world.start({ change: change(topic), host: { files: disk } });
    expect(await process.post('"before"')).toBe(200);
    await rowsReach(world, 1);
    disk.capacityBytes = 0;
    for (const value of texts('refused', 3)) expect(await process.post(value)).toBe(503);
    expect(process.pipeline.status().degraded).toContainEqual({
      what: 'log',
      error: expect.objectContaining({ code: 'WAL_FULL', retriable: true }),
    });
    await produce(topic, ['"of kafka"']);
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    expect(await process.post('"after"')).toBe(200);
    await rowsReach(world, 2);
    await rowsReach(world, 1, topic);
    await waitUntil('the pipeline to recover', () => !isDegraded(process, 'log'));
    await process.pipeline.stop();
    expect(await world.payloads()).toEqual(['"before"', '"after"']);
    expect(await world.payloads(topic)).toEqual(['"of kafka"']);
  });

  test('a stop while the disk is full misses its deadline, and ends; the next start has everything', async () => {
    const world = await intakeWorld();
    const topic = await environment.createTopic();
    const disk = new WalDisk();
    const setting = { change: change(topic), host: { files: disk } };
    const process = await world.start(setting);
    const release = await world.hold();
    expect(await process.post('"waits"')).toBe(200);
    disk.capacityBytes = 0;
    expect(await process.post('"refused"')).toBe(503);
    await produce(topic, ['"of kafka"']);
    await expect(process.pipeline.stop({ deadlineMs: 1000 })).rejects.toMatchObject({ code: 'STOP_DEADLINE_MISSED' });
    expect(process.heard('intakeClosed')[0]?.waiting).toMatchObject([{ blocks: 1, records: 1 }]);
    await release();
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    const again = await world.start(setting);
    await rowsReach(world, 1);
    await rowsReach(world, 1, topic);
    await again.pipeline.stop();
    expect(await world.payloads()).toEqual(['"waits"']);
  });
});

describe('a disk that the log has filled itself: what is committed makes room', () => {
  const change = { wal: { segmentBytesMax: 131_072, retainMs: 0 } };
  const large = (n: number) => JSON.stringify(`${n} ${'x'.repeat(20_000)}`);

  /** The sink does nothing until the disk is full; then everything goes on by itself. */
  async function fillAndFree(world: IntakeWorld, post: (value: string) => Promise<number | undefined>): Promise<void> {
    const release = await world.hold();
    const accepted: string[] = [];
    // To the last byte: what is left after the large ones would do for what the log says about them.
    for (const [textOf, least] of [
      [large, 10],
      [String, 1],
    ] as const) {
      const before = accepted.length;
      let status = await post(textOf(accepted.length));
      for (; status === 200 && accepted.length < postsMax; status = await post(textOf(accepted.length))) {
        accepted.push(textOf(accepted.length));
      }
      expect(status).toBe(503);
      expect(accepted.length - before).toBeGreaterThanOrEqual(least);
    }
    await release();
    await rowsReach(world, accepted.length);
    await waitUntil('room', async () => (await post('"after"')) === 200);
    await rowsReach(world, accepted.length + 1);
    expect(await world.payloads()).toEqual([...accepted, '"after"']);
  }

  test('(of the port)', async () => {
    const world = await intakeWorld();
    const disk = new WalDisk();
    const process = await world.start({ change, host: { files: disk } });
    disk.capacityBytes = 500_000;
    await fillAndFree(world, process.post);
    await process.pipeline.stop();
  });

  test('(of a mount)', async (context) => {
    const world = await intakeWorld();
    const mountPoint = guardedDirectory('intake-full');
    const [port, dir] = [await freePort(), join(mountPoint, 'log')];
    const mount = 'mount -t tmpfs -o size=500k tmpfs "$1" || exit 77; shift; exec "$@"';
    const isolated = ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', mount, 'sh', mountPoint];
    const child = await startIntakeChild(world.options(dir, port, change), isolated);
    onTestFinished(() => {
      if (child.alive()) child.signal('KILL');
    });
    await child.waitFor('started').catch((error: unknown) => {
      if (/mount|unshare/.test(child.tail())) context.skip(`mounting is not allowed here: ${child.tail()}`);
      throw error;
    });
    await waitUntil('its HTTP receiver', () => accepts('127.0.0.1', port));
    await fillAndFree(world, (value) => postTo(port, value));
    child.signal('TERM');
    expect(await child.ended(), child.tail()).toEqual({ code: 0, signal: null });
  });
});

test.each([0, 50])(
  'the clock is set back by an hour, batch.intervalMs %i: it goes on, and times of batches rise, also after a restart',
  async (intervalMs) => {
    const world = await intakeWorld();
    let backMs = 0;
    const host = { clock: { ...systemClock, now: () => systemClock.now() - backMs } };
    const change = { batch: { intervalMs } };
    const first = await world.start({ host, change });
    await first.post(...texts('a', 2));
    await rowsReach(world, 2);
    backMs = 3_600_000;
    await first.post(...texts('b', 2));
    await rowsReach(world, 4);
    await first.pipeline.stop();
    const second = await world.start({ host, change });
    await second.post(...texts('c', 2));
    await rowsReach(world, 6);
    await second.pipeline.stop();
    expect(await world.payloads()).toEqual([...texts('a', 2), ...texts('b', 2), ...texts('c', 2)]);
    const times = [first, second].flatMap((process) => process.heard('rangeCommitted').map((one) => one.batchTimeMs));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.length).toBeGreaterThan(2);
  },
);

describe('the Redis of a shared rate', () => {
  let redisUrl = '';
  beforeAll(async () => {
    const { ok } = await checkPrerequisites(['redis']);
    if (ok) redisUrl = (await redisService()).url;
  });

  const sharing = (url: string) => ({ source: { maxRate: 100, sharedRate: { redisUrl: url } } });

  test('is away at the start: that is refused, and says where', async () => {
    const world = await intakeWorld();
    const place = `127.0.0.1:${await freePort()}`;
    await expect(world.start({ change: sharing(`redis://${place}`) })).rejects.toMatchObject({
      code: 'RATE_LIMITER_UNREACHABLE',
      message: expect.stringContaining(place),
      hint: expect.any(String),
    });
    // Everything was given back: the directory can be opened.
    await world.start();
  });

  test('goes away and comes back: records wait for their permit, and come once', async (context) => {
    if (redisUrl === '') skipWithout(context, 'redis-server', 'no Redis');
    const { hostname, port } = new URL(redisUrl);
    const proxy = await tcpProxy({ host: hostname, port: Number(port) });
    onTestFinished(() => proxy.close());
    const world = await intakeWorld();
    const process = await world.start({ change: sharing(`redis://${proxy.host}:${proxy.port}`) });
    expect(await process.post('"before"')).toBe(200);
    await proxy.refuse(true);
    proxy.cut();
    let answered = 0;
    const answers = texts('waiting', 40).map((value) =>
      process.post(value).then((status) => {
        answered += 1;
        return status;
      }),
    );
    await waitUntil('the pipeline to notice', () => isDegraded(process, 'rate'));
    expect(process.pipeline.status().degraded).toContainEqual({
      what: 'rate',
      error: expect.objectContaining({ code: 'RATE_LIMITER_UNREACHABLE' }),
    });
    expect(answered).toBeLessThan(40);
    await proxy.refuse(false);
    expect(new Set(await Promise.all(answers))).toEqual(new Set([200]));
    await rowsReach(world, 41);
    await waitUntil('the pipeline to recover', () => !isDegraded(process, 'rate'));
    await process.pipeline.stop();
    expect([...(await world.payloads())].sort()).toEqual(['"before"', ...texts('waiting', 40)].sort());
  });
});
