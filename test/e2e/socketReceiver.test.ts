import { createServer, type Server, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Clock, systemClock } from '../../src/platform/index.ts';
import { createSocketReceiver, type SocketReceiverOptions } from '../../src/receiver/socket/index.ts';
import { ManualClock, MemoryReceiverContext } from '../../src/testkit/index.ts';
import { waitUntil } from '../services/index.ts';

interface TextServer {
  readonly port: number;
  /** Connections so far, open or not. */
  readonly sockets: readonly Socket[];
  /** The next connection that nobody has taken yet. */
  connection(): Promise<Socket>;
  close(): void;
}

async function textServer(): Promise<TextServer> {
  const sockets: Socket[] = [];
  let taken = 0;
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    sockets.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  onTestFinished(close);
  return {
    port: (server.address() as { port: number }).port,
    sockets,
    connection: async () => {
      taken += 1;
      return waitUntil('a connection', () => sockets[taken - 1]);
    },
    close,
  };
}

function receiver(port: number, change: Partial<SocketReceiverOptions> = {}, clock = systemClock) {
  const context = new MemoryReceiverContext();
  const receiver = createSocketReceiver({ host: '127.0.0.1', port, ...change }, clock);
  onTestFinished(async () => {
    context.end();
    await receiver.stop();
  });
  return { context, receiver };
}

async function connected(change: Partial<SocketReceiverOptions> = {}) {
  const server = await textServer();
  const started = receiver(server.port, change);
  await started.receiver.start(started.context);
  return { server, ...started, socket: await server.connection() };
}

describe('lines from a socket', () => {
  test('each line is one record with its bytes as sent, in order; the rest at the end is one too', async () => {
    const { context, socket } = await connected();
    const binary = Buffer.from([0xff, 0xfe, 0x00]);
    socket.write('1\r\n2\n\n');
    socket.write(Buffer.concat([binary, Buffer.from('\n')]));
    socket.end('zwölf €');
    await context.sees(({ restarts }) => restarts.length > 0);
    expect(context.records.map(({ value }) => value)).toEqual([
      Buffer.from('1'),
      Buffer.from('2'),
      Buffer.alloc(0),
      binary,
      Buffer.from('zwölf €'),
    ]);
    expect(context.reports).toEqual([]);
  });

  test('a name with several addresses is connected to', async () => {
    const { context, socket } = await connected({ host: 'localhost' });
    socket.write('one\n');
    await context.sees(({ texts }) => texts.length === 1);
    socket.end('two\n');
    await context.sees(({ restarts }) => restarts.length === 1);
    expect(context.texts).toEqual(['one', 'two']);
  });

  test('characters and lines that are split over packets come out whole', async () => {
    const { context, socket } = await connected();
    socket.setNoDelay(true);
    const text = Buffer.from('größe €\r\n👍👍\n');
    // Written apart, each after the one before has left.
    for (const byte of text) await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
    await context.sees(({ texts }) => texts.length === 2);
    expect(context.texts).toEqual(['größe €', '👍👍']);
  });

  test('a line beyond lineBytesMax is reported with its length and place, and skipped', async () => {
    const { context, server, socket } = await connected({ lineBytesMax: 1000 });
    socket.end(`first\n${'x'.repeat(300_000)}\r\nlast\n`);
    await context.sees(({ restarts }) => restarts.length > 0);
    const where = `socket 127.0.0.1:${server.port}: line 2 of the connection, at byte 6,`;
    expect(context.texts).toEqual(['first', 'last']);
    expect(context.reports.map(({ message }) => message)).toEqual([
      `${where} is longer than 1000 bytes: it is skipped up to its end`,
      `${where} had 300000 bytes, more than 1000: it was skipped`,
    ]);
  });
});

describe('back-pressure', () => {
  /** What is on the way between two sockets of this machine, at most: the buffers of the system. */
  const systemBuffersMax = 20_000_000;

  async function sendMuch(socket: Socket, lines: number): Promise<() => number> {
    const line = `${'x'.repeat(9_999)}\n`;
    const block = line.repeat(100);
    let sent = 0;
    const send = () => {
      if (sent === lines) return;
      sent += 100;
      socket.write(block, send);
    };
    send();
    return () => socket.bytesWritten - socket.writableLength;
  }

  /** Resolves when the number has been the same for a while: whoever sends cannot go on. */
  async function standsStill(number: () => number): Promise<number> {
    let last = -1;
    let same = 0;
    await waitUntil('sending to stand still', () => {
      same = number() === last ? same + 1 : 0;
      last = number();
      return same >= 15;
    });
    return last;
  }

  test('nothing is read while there is no room, and it goes on by itself', async () => {
    const server = await textServer();
    const { context, receiver: socketReceiver } = receiver(server.port);
    context.hasRoom = false;
    await socketReceiver.start(context);
    const socket = await server.connection();
    const sentBytes = await sendMuch(socket, 5000);
    expect(await standsStill(sentBytes)).toBeLessThan(systemBuffersMax);
    expect(context.waiting).toBe(0);
    context.hasRoom = true;
    await context.sees(({ batches }) => batches.length === 5000);
    expect(socket.bytesWritten).toBe(50_000_000);
  });

  test('nothing more is read while a store waits', async () => {
    const server = await textServer();
    const { context, receiver: socketReceiver } = receiver(server.port);
    context.isHeld = true;
    await socketReceiver.start(context);
    const socket = await server.connection();
    const sentBytes = await sendMuch(socket, 5000);
    await context.sees(({ waiting }) => waiting === 1);
    expect(await standsStill(sentBytes)).toBeLessThan(systemBuffersMax);
    expect(context.waiting).toBe(1);
    context.isHeld = false;
    await context.sees(({ batches }) => batches.length === 5000);
    expect(context.restarts).toEqual([]);
  });
});

describe('a connection that is not there, or not any more (Spark: restart after 2 s, for ever)', () => {
  test('a refused connect asks for a restart after 2 s, and so does the next', async () => {
    const server = await textServer();
    server.close();
    const { context, receiver: socketReceiver } = receiver(server.port);
    for (const times of [1, 2]) {
      await socketReceiver.start(context);
      await context.sees(({ restarts }) => restarts.length === times);
      await socketReceiver.stop();
    }
    const message = `socket 127.0.0.1:${server.port}: cannot connect`;
    const restart = { message, delayMs: 2000, error: { code: 'ECONNREFUSED' } };
    expect(context.restarts).toMatchObject([restart, restart]);
  });

  test('a connect that takes longer than connectTimeoutMs is given up', async () => {
    const server = await textServer();
    const waits: number[] = [];
    // On this clock the time is over before any connect can be answered.
    const clock: Clock = {
      ...systemClock,
      after: (ms, callback) => {
        waits.push(ms);
        queueMicrotask(callback);
        return () => {};
      },
    };
    const { context, receiver: socketReceiver } = receiver(server.port, { connectTimeoutMs: 70 }, clock);
    await socketReceiver.start(context);
    await context.sees(({ restarts }) => restarts.length === 1);
    expect(waits).toEqual([70]);
    expect(context.restarts[0]).toMatchObject({
      message: `socket 127.0.0.1:${server.port}: cannot connect`,
      error: {
        code: 'RECEIVER_FAILED',
        message: `socket 127.0.0.1:${server.port}: no connection within 70 ms`,
        retriable: true,
      },
      delayMs: 2000,
    });
  });

  test('the end of the connection asks for a restart; the next start connects again', async () => {
    const { context, server, socket, receiver: socketReceiver } = await connected();
    socket.end('one\n');
    await context.sees(({ restarts }) => restarts.length === 1);
    expect(context.restarts).toEqual([
      { message: `socket 127.0.0.1:${server.port}: the connection ended`, error: undefined, delayMs: 2000 },
    ]);
    await socketReceiver.stop();
    await socketReceiver.start(context);
    (await server.connection()).write('two\n');
    await context.sees(({ texts }) => texts.length === 2);
    expect(context.texts).toEqual(['one', 'two']);
  });

  test('half a line before a reset is no record, and said to be dropped', async () => {
    const { context, socket } = await connected();
    socket.write('whole\nhal');
    await context.sees(({ texts }) => texts.length === 1);
    socket.resetAndDestroy();
    await context.sees(({ restarts }) => restarts.length === 1);
    expect(context.texts).toEqual(['whole']);
    expect(context.restarts[0]).toMatchObject({ delayMs: 2000, error: { code: 'ECONNRESET' } });
    expect(context.restarts[0]?.message).toMatch(
      /: the connection broke and 3 bytes of a line without its end are dropped$/,
    );
  });
});

describe('stop', () => {
  test('is prompt while connecting, and asks for nothing', async () => {
    const clock = new ManualClock();
    const { context, receiver: socketReceiver } = receiver(9, { host: '192.0.2.1' }, clock);
    await socketReceiver.start(context);
    await socketReceiver.stop();
    await waitUntil('the timer of the connect to be gone', () => clock.pendingTimers === 0);
    await clock.advance(10_000);
    expect(context.restarts).toEqual([]);
  });

  test('is prompt while a store waits, and nothing follows that store', async () => {
    const { context, socket, receiver: socketReceiver } = await connected();
    context.isHeld = true;
    socket.write('1\n2\n3\n');
    await context.sees(({ waiting }) => waiting === 1);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    await socketReceiver.stop();
    await closed;
    context.isHeld = false;
    await context.sees(({ waiting }) => waiting === 0);
    await new ManualClock().settle();
    expect(context.texts).toEqual(['1']);
    expect(context.restarts).toEqual([]);
  });

  test('ends the connection while it waits for room or for data, by the signal and the call in either order', async () => {
    for (const hasRoom of [true, false]) {
      for (const isSignalFirst of [true, false]) {
        const { context, socket, receiver: socketReceiver } = await connected();
        context.hasRoom = hasRoom;
        socket.write('1\n');
        await context.sees(({ texts }) => texts.length === 1 || !hasRoom);
        const closed = new Promise((resolve) => socket.once('close', resolve));
        socket.resume();
        if (isSignalFirst) context.end();
        await socketReceiver.stop();
        context.end();
        await closed;
        await new ManualClock().settle();
        expect(context.restarts).toEqual([]);
      }
    }
  });

  test('before a start and twice is nothing', async () => {
    const { socket, context, receiver: socketReceiver } = await connected();
    await createSocketReceiver({ host: '127.0.0.1', port: 9 }).stop();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    await Promise.all([socketReceiver.stop(), socketReceiver.stop()]);
    await closed;
    await socketReceiver.stop();
    expect(context.restarts).toEqual([]);
  });
});
