import { Agent, type ClientRequest, createServer, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TidemarkError } from '../../src/errors.ts';
import { systemClock } from '../../src/platform/index.ts';
import { createHttpReceiver, type HttpReceiverOptions } from '../../src/receiver/http/index.ts';
import { ManualClock, MemoryReceiverContext } from '../../src/testkit/index.ts';
import { waitUntil } from '../services/index.ts';

const ndjson = 'application/x-ndjson';
const json = 'application/json';

async function started(change: Partial<HttpReceiverOptions> = {}, clock = systemClock, requestTimeoutMs = 30_000) {
  const context = new MemoryReceiverContext();
  const receiver = createHttpReceiver({ port: 0, ...change }, clock, requestTimeoutMs);
  await receiver.start(context);
  onTestFinished(async () => {
    context.end();
    await receiver.stop();
  });
  return { context, receiver, url: `http://${receiver.address}` };
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: { readonly accepted?: number; readonly code?: string; readonly message?: string };
}

/** A POST whose bytes the test sends when it likes. `answer` rejects when the connection breaks before one. */
function open(url: string, headers: Record<string, string | number> = {}, agent?: Agent) {
  const sent = request(url, {
    method: 'POST',
    headers: { 'content-type': ndjson, ...headers },
    ...(agent === undefined ? {} : { agent }),
  });
  const answer = new Promise<Answer>((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', async (response) => {
      const text = (await response.toArray()).join('');
      resolve({ status: response.statusCode, headers: response.headers, body: text === '' ? {} : JSON.parse(text) });
    });
  });
  answer.catch(() => {});
  return { sent, answer };
}

function post(
  url: string,
  body: string | Buffer,
  headers: Record<string, string | number> = {},
  agent?: Agent,
): Promise<Answer> {
  const { sent, answer } = open(url, headers, agent);
  sent.end(body);
  return answer;
}

/** Bytes of a request as they are, over a connection of its own. */
async function raw(url: string, text: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(text);
  return socket;
}

const written = (sent: ClientRequest, bytes: string | Buffer) => new Promise((resolve) => sent.write(bytes, resolve));

describe('what is accepted', () => {
  test('a line of NDJSON is a record, its bytes as they came; a request is one batch', async () => {
    const { context, url } = await started();
    const { status, body } = await post(url, '{"id": 1}\r\n\n{"id":"zwölf"}\n');
    expect([status, body]).toEqual([200, { accepted: 2 }]);
    expect(context.batches).toEqual([[{ value: Buffer.from('{"id": 1}') }, { value: Buffer.from('{"id":"zwölf"}') }]]);
  });

  test('a JSON document is one record', async () => {
    const { context, url } = await started();
    const document = '[\n  1,\n  2\n]\n';
    const { status, body } = await post(url, document, { 'content-type': 'application/json; charset=UTF-8' });
    expect([status, body]).toEqual([200, { accepted: 1 }]);
    expect(context.texts).toEqual([document]);
  });

  test('a gzip body is unpacked', async () => {
    const { context, url } = await started();
    const { status } = await post(url, gzipSync('1\n2\n'), { 'content-encoding': 'gzip' });
    expect(status).toBe(200);
    expect(context.texts).toEqual(['1', '2']);
  });

  test('nothing is answered before it is durable', async () => {
    const { context, url } = await started();
    context.isHeld = true;
    let isAnswered = false;
    const answer = post(url, '1\n').finally(() => {
      isAnswered = true;
    });
    await context.sees(({ waiting }) => waiting === 1);
    // The receiver answers others meanwhile, so it had its turns.
    expect((await post(url, 'no')).status).toBe(400);
    expect([isAnswered, context.batches]).toEqual([false, []]);
    context.isHeld = false;
    expect((await answer).status).toBe(200);
    expect(context.texts).toEqual(['1']);
  });

  test('50 requests at a time are 50 batches, on connections that are used again', async () => {
    const { context, url } = await started();
    const agent = new Agent({ keepAlive: true, maxSockets: 50 });
    onTestFinished(() => agent.destroy());
    for (const round of ['a', 'b']) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) => post(url, `"${round}${index}"\n`.repeat(20), {}, agent)),
      );
      expect(answers.map(({ status, body }) => [status, body.accepted])).toEqual(Array(50).fill([200, 20]));
    }
    expect(context.batches.length).toBe(100);
    for (const batch of context.batches) expect(new Set(batch.map(({ value }) => String(value))).size).toBe(1);
    expect(new Set(context.texts).size).toBe(100);
  });

  test('a sender that asks first is told to go on', async () => {
    const { context, url } = await started();
    const { sent, answer } = open(url, { expect: '100-continue' });
    await new Promise<void>((resolve) => sent.once('continue', resolve).flushHeaders());
    sent.end('1\n');
    expect((await answer).status).toBe(200);
    expect(context.texts).toEqual(['1']);
  });

  test('another path, with a query', async () => {
    const { context, url } = await started({ path: '/hooks/:id' });
    expect((await post(`${url}/hooks/:id?from=shop`, '1')).status).toBe(200);
    expect((await post(`${url}/hooks/7`, '2')).status).toBe(404);
    expect((await post(url, '3')).status).toBe(404);
    expect(context.texts).toEqual(['1']);
  });
});

describe('what is refused, with nothing stored', () => {
  test.each([
    ['a bad line', '1\n{"a":\n', {}, 400, 'BODY_INVALID'],
    ['a bad document', '{} {}', { 'content-type': json }, 400, 'BODY_INVALID'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), {}, 400, 'BODY_INVALID'],
    ['an empty body', '', {}, 400, 'BODY_EMPTY'],
    ['another content type', 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }, 415, undefined],
    ['a content type that is none', '1', { 'content-type': '///' }, 415, undefined],
    ['another charset', '1', { 'content-type': `${json}; charset=utf-16` }, 415, undefined],
    ['another encoding', '1', { 'content-encoding': 'br' }, 415, 'CONTENT_ENCODING_UNSUPPORTED'],
    ['a body that is not gzip', '1', { 'content-encoding': 'gzip' }, 400, 'BODY_INVALID'],
    ['gzip that is cut off', gzipSync('[1,2,3]').subarray(0, 20), { 'content-encoding': 'gzip' }, 400, 'BODY_INVALID'],
  ] as const)('%s', async (_, body, headers, status, code) => {
    const { context, url } = await started();
    const answer = await post(url, body, headers);
    expect(answer).toMatchObject({ status, body: { code: code ?? 'CONTENT_TYPE_UNSUPPORTED' } });
    expect(answer.body.message).toBeTypeOf('string');
    expect(context.batches).toEqual([]);
  });

  test('the line and the reason are named', async () => {
    const { url } = await started();
    const { body } = await post(url, '1\n\n{"a":}\n');
    expect(body.message).toMatch(/^line 3 is not JSON: Unexpected token/);
  });

  test('other methods are 405 and name the one that is allowed; other paths are 404', async () => {
    const { url } = await started();
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      const answer = await fetch(url, { method });
      expect([method, answer.status, answer.headers.get('allow')]).toEqual([method, 405, 'POST']);
      expect(await answer.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
    }
    const elsewhere = await fetch(`${url}/elsewhere`);
    expect([elsewhere.status, await elsewhere.json()]).toEqual([
      404,
      { code: 'NOT_FOUND', message: 'records are taken at / only' },
    ]);
    const unreadable = await fetch(`${url}/%zz`, { method: 'POST' });
    expect([unreadable.status, await unreadable.json()]).toMatchObject([400, { code: 'FST_ERR_BAD_URL' }]);
  });

  test('a body over the limit is 413: by its length, by its bytes, by what it unpacks to', async () => {
    const { context, url } = await started({ bodyBytesMax: 1000 });
    const tooMuch = `"${'x'.repeat(999)}"`;
    expect((await post(url, tooMuch.slice(0, 998).concat('"'))).status).toBe(200);
    context.batches.length = 0;
    expect(await post(url, tooMuch)).toMatchObject({ status: 413, body: { code: 'BODY_TOO_LARGE' } });
    const chunked = open(url);
    await written(chunked.sent, tooMuch);
    // Answered before the sender is done.
    expect((await chunked.answer).status).toBe(413);
    chunked.sent.destroy();
    expect((await post(url, gzipSync(tooMuch), { 'content-encoding': 'gzip' })).status).toBe(413);
    expect(context.batches).toEqual([]);
  });

  test('a bomb of 1 GiB is given up at the limit', async () => {
    const { context, url } = await started();
    // Gzip members one after the other are one text.
    const bomb = Buffer.concat(Array(1024).fill(gzipSync(Buffer.alloc(1_048_576, ' '), { level: 9 })));
    const before = process.memoryUsage().rss;
    expect((await post(url, bomb, { 'content-encoding': 'gzip', 'content-type': json })).status).toBe(413);
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
    expect(context.batches).toEqual([]);
  });

  test('a sender that goes on after 413 can read its answer, on a connection that lives on', async () => {
    const { url } = await started({ bodyBytesMax: 1000 });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    expect((await post(url, 'x'.repeat(3_000_000), {}, agent)).status).toBe(413);
    const { sent, answer } = open(url, {}, agent);
    sent.end('1');
    expect([(await answer).status, sent.reusedSocket]).toEqual([200, true]);
  });

  test('a sender may go on with its chunks after 413, and with the next request', async () => {
    const { context, url } = await started({ bodyBytesMax: 1000 });
    const head = `POST / HTTP/1.1\r\nhost: x\r\ncontent-type: ${ndjson}\r\n`;
    const chunk = `7d0\r\n${'x'.repeat(2000)}\r\n`;
    const socket = await raw(url, `${head}transfer-encoding: chunked\r\n\r\n${chunk}`);
    let answers = '';
    socket.on('data', (data) => {
      answers += data;
    });
    await waitUntil('the first answer', () => answers.startsWith('HTTP/1.1 413 '));
    socket.write(`${chunk.repeat(1000)}0\r\n\r\n${head}content-length: 1\r\n\r\n1`);
    await waitUntil('the second answer', () => answers.includes('HTTP/1.1 200 '));
    expect(context.texts).toEqual(['1']);
  });

  test('without room it is 429 and Retry-After, before the body is sent', async () => {
    const { context, url } = await started();
    context.hasRoom = false;
    const { sent, answer } = open(url, { 'content-length': 5_000_000 });
    sent.flushHeaders();
    const { status, headers, body } = await answer;
    expect([status, headers['retry-after'], body.code]).toEqual([429, '1', 'NO_ROOM']);
    sent.destroy();
    const asking = open(url, { expect: '100-continue' });
    asking.sent.on('continue', () => asking.sent.destroy(new Error('told to go on')));
    asking.sent.flushHeaders();
    expect((await asking.answer).status).toBe(429);
    asking.sent.destroy();
    context.hasRoom = true;
    expect((await post(url, '1')).status).toBe(200);
    expect(context.texts).toEqual(['1']);
  });

  test('bodies of many requests at a time are bounded: one too many is 429', async () => {
    const { context, url } = await started({ bodyBytesMax: 1000 });
    context.isHeld = true;
    const body = `"${'x'.repeat(998)}"`;
    const held = Array.from({ length: 16 }, () => post(url, body));
    await context.sees(({ waiting }) => waiting === 16);
    expect(await post(url, '1')).toMatchObject({ status: 429, body: { code: 'NO_ROOM' } });
    context.isHeld = false;
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual(Array(16).fill(200));
    expect((await post(url, body)).status).toBe(200);
  });
});

describe('when the store fails', () => {
  test('503 when nothing was stored, 500 when nobody knows', async () => {
    const { context, url } = await started();
    context.failure = new TidemarkError('WAL_FULL', '/var/wal: no space', { retriable: true });
    const full = await post(url, '1');
    expect([full.status, full.headers['retry-after'], full.body]).toEqual([
      503,
      '1',
      { code: 'WAL_FULL', message: 'nothing was stored: try again later' },
    ]);
    expect(context.reports).toEqual([]);
    context.failure = new TidemarkError('WAL_WRITE_FAILED', '/var/wal: EIO');
    const failed = await post(url, '2');
    expect([failed.status, failed.headers['retry-after'], failed.body]).toEqual([
      500,
      undefined,
      { code: 'WAL_WRITE_FAILED', message: 'it is unknown whether the records were stored' },
    ]);
    expect(context.reports).toMatchObject([{ error: { code: 'WAL_WRITE_FAILED' } }]);
    context.failure = undefined;
    expect((await post(url, '3')).status).toBe(200);
    expect(context.texts).toEqual(['3']);
  });
});

describe('requests that do not arrive', () => {
  test('a request cut in the middle stores nothing, with a length, in chunks and packed', async () => {
    // On a clock that stands still a stop that waits for one of them would never end.
    const { context, receiver, url } = await started({}, new ManualClock());
    for (const headers of [{ 'content-length': 100 }, {}, { 'content-encoding': 'gzip' }]) {
      const { sent, answer } = open(url, headers);
      await written(sent, '1\n2\n');
      sent.destroy();
      await expect(answer).rejects.toThrow();
    }
    expect((await post(url, '3')).status).toBe(200);
    await receiver.stop();
    expect(context.texts).toEqual(['3']);
  });

  test('a sender that goes while its records are stored changes nothing', async () => {
    const { context, receiver, url } = await started({}, new ManualClock());
    context.isHeld = true;
    const { sent, answer } = open(url);
    sent.end('1');
    await context.sees(({ waiting }) => waiting === 1);
    sent.destroy();
    await expect(answer).rejects.toThrow();
    expect((await post(url, 'no')).status).toBe(400);
    let isStopped = false;
    const stopped = Promise.resolve(receiver.stop()).finally(() => {
      isStopped = true;
    });
    await new ManualClock().settle();
    expect([isStopped, context.batches]).toEqual([false, []]);
    context.isHeld = false;
    await stopped;
    expect(context.texts).toEqual(['1']);
  });

  test('a slow one is ended at the time limit, in its headers and in its body', async () => {
    const { context, url } = await started({}, systemClock, 300);
    const head = `POST / HTTP/1.1\r\nhost: x\r\ncontent-type: ${ndjson}\r\n`;
    for (const text of [head, `${head}content-length: 100\r\n\r\n1\n2\n`, '']) {
      const socket = await raw(url, text);
      const answer = String(Buffer.concat(await socket.toArray()));
      expect(answer.split('\r\n', 1)[0]).toBe('HTTP/1.1 408 Request Timeout');
    }
    expect(context.batches).toEqual([]);
  });

  test('the time limit is for arriving: a store may take longer', async () => {
    const { context, url } = await started({}, systemClock, 1000);
    context.isHeld = true;
    const slow = await raw(url, 'POST / HTTP/1.1\r\n');
    const answer = post(url, '1');
    await context.sees(({ waiting }) => waiting === 1);
    // What began before it has timed out, so it would have by now, or at the next look.
    await slow.toArray();
    await (await raw(url, 'POST / HTTP/1.1\r\n')).toArray();
    context.isHeld = false;
    expect((await answer).status).toBe(200);
  });
});

describe('start and stop', () => {
  test('an address in use rejects the start; it can be started again', async () => {
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    const { port } = squatter.address() as { port: number };
    const receiver = createHttpReceiver({ port });
    await expect(receiver.start(new MemoryReceiverContext())).rejects.toMatchObject({
      code: 'HTTP_LISTEN_FAILED',
      message: expect.stringContaining(`http receiver: cannot listen on 127.0.0.1:${port}: `),
      foreignCode: 'EADDRINUSE',
    });
    expect(receiver.address).toBeUndefined();
    await receiver.stop();
    await new Promise((resolve) => squatter.close(resolve));
    await receiver.start(new MemoryReceiverContext());
    expect(receiver.address).toBe(`127.0.0.1:${port}`);
    await receiver.stop();
  });

  test('address says where it listens, and only while it does', async () => {
    const receiver = createHttpReceiver({ port: 0, host: '::1' });
    expect(receiver.address).toBeUndefined();
    await receiver.start(new MemoryReceiverContext());
    expect(receiver.address).toMatch(/^\[::1]:\d+$/);
    await receiver.stop();
    expect(receiver.address).toBeUndefined();
    await receiver.stop();
  });

  test('a stop during the start is a stop', async () => {
    const receiver = createHttpReceiver({ port: 0 });
    const starting = receiver.start(new MemoryReceiverContext());
    const stopped = receiver.stop();
    await starting;
    await stopped;
    expect(receiver.address).toBeUndefined();
  });

  test('connections that are kept alive, or have never said a word, do not hold it up', async () => {
    const { receiver, url } = await started({}, new ManualClock());
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    expect((await post(url, '1', {}, agent)).status).toBe(200);
    const silent = await raw(url, '');
    const ended = silent.toArray();
    await receiver.stop();
    await ended.catch(() => {});
    expect(silent.closed).toBe(true);
    await expect(post(url, '2')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('what is being stored is answered when it is durable; what comes meanwhile is 503', async () => {
    const { context, receiver, url } = await started({}, new ManualClock());
    context.isHeld = true;
    const answer = post(url, '1');
    const arriving = open(url, { 'content-length': 100 });
    await written(arriving.sent, '2\n');
    await context.sees(({ waiting }) => waiting === 1);
    let isStopped = false;
    const stopped = Promise.resolve(receiver.stop()).finally(() => {
      isStopped = true;
    });
    expect(await arriving.answer).toMatchObject({ status: 503, headers: { connection: 'close', 'retry-after': '1' } });
    expect(await post(url, '3')).toMatchObject({ status: 503, headers: { connection: 'close', 'retry-after': '1' } });
    expect(isStopped).toBe(false);
    context.isHeld = false;
    expect(await answer).toMatchObject({ status: 200, headers: { connection: 'close' } });
    await stopped;
    expect(context.texts).toEqual(['1']);
  });

  test('what does not become durable is waited for no longer than 2 s, and never answered with 200', async () => {
    const clock = new ManualClock();
    const { context, receiver, url } = await started({}, clock);
    context.isHeld = true;
    const answer = post(url, '1');
    await context.sees(({ waiting }) => waiting === 1);
    const stopped = receiver.stop();
    await waitUntil('the stop to wait', () => clock.pendingTimers === 1);
    await clock.advance(2000);
    await stopped;
    await expect(answer).rejects.toThrow();
  });

  test('a store that the end of the start rejects is 503', async () => {
    const { context, receiver, url } = await started();
    context.isHeld = true;
    const answer = post(url, '1');
    await context.sees(({ waiting }) => waiting === 1);
    context.end();
    await receiver.stop();
    expect(await answer).toMatchObject({ status: 503, body: { code: 'RECEIVER_STOPPED' } });
    expect(context.batches).toEqual([]);
  });
});
