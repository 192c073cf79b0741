import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tcpProxy, waitUntil } from '../../services/index.ts';
import type { TcpProxy } from '../../services/tcpProxy.ts';

/** Answers every line with `re:<line>`, and remembers what it got. */
class EchoServer {
  received = '';
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer((socket) => {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      this.received += data;
      for (const line of String(data).split('\n').slice(0, -1)) socket.write(`re:${line}\n`);
    });
  });

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

class TestClient {
  received = '';
  ended = false;
  error: string | undefined;
  readonly socket: Socket;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (data) => {
      this.received += data;
    });
    this.socket.on('end', () => {
      this.ended = true;
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
  }

  async exchange(line: string): Promise<void> {
    this.socket.write(`${line}\n`);
    await waitUntil(`the answer to ${line}`, () => this.received.endsWith(`re:${line}\n`));
  }
}

describe('a TCP proxy', () => {
  let server: EchoServer;
  let proxy: TcpProxy;
  let client: TestClient;

  beforeEach(async () => {
    server = new EchoServer();
    proxy = await tcpProxy({ host: '127.0.0.1', port: await server.listen() });
    client = new TestClient(proxy.port);
    await client.exchange('hello');
  });
  afterEach(async () => {
    client.socket.destroy();
    await proxy.close();
    server.close();
  });

  test('forwards more than fits into its buffers, in order', async () => {
    const line = 'x'.repeat(1_000);
    const lines = Array.from({ length: 20_000 }, (_, index) => `${index}:${line}`);
    client.socket.write(`${lines.join('\n')}\n`);
    await waitUntil('all answers', () => client.received.includes('re:19999:'));
    expect(server.received.slice('hello\n'.length)).toBe(`${lines.join('\n')}\n`);
  });

  test('forwards the end of a stream', async () => {
    client.socket.end();
    await waitUntil('the end of the connection', () => proxy.connections === 0);
    expect(client.error).toBeUndefined();
  });

  test('cuts what stands with a reset and accepts anew', async () => {
    proxy.cut();
    await waitUntil('the reset', () => client.error === 'ECONNRESET');
    expect(proxy.connections).toBe(0);
    client = new TestClient(proxy.port);
    await client.exchange('again');
  });

  test('refuses new connections and keeps the old ones, until told otherwise', async () => {
    await proxy.refuse(true);
    const refused = new TestClient(proxy.port);
    await waitUntil('the refusal', () => refused.error === 'ECONNREFUSED');
    await client.exchange('still here');
    await proxy.refuse(false);
    const accepted = new TestClient(proxy.port);
    await accepted.exchange('in');
    accepted.socket.destroy();
  });

  test('holds what goes to the server while that direction is paused', async () => {
    proxy.pause('toServer');
    client.socket.write('later\n');
    await waitUntil('the write', () => client.socket.writableLength === 0);
    const other = new TestClient(proxy.port);
    await once(other.socket, 'connect');
    expect(server.received).toBe('hello\n');
    proxy.resume();
    await waitUntil('the answer', () => client.received.endsWith('re:later\n'));
    other.socket.destroy();
  });

  test('lets a request through and holds its answer while the other direction is paused', async () => {
    proxy.pause('toClient');
    client.socket.write('COMMIT\n');
    await waitUntil('the request at the server', () => server.received.endsWith('COMMIT\n'));
    expect(client.received).toBe('re:hello\n');
    proxy.resume();
    await waitUntil('the answer', () => client.received.endsWith('re:COMMIT\n'));
  });

  test('throws answers away until it is resumed', async () => {
    proxy.blackholeReplies();
    client.socket.write('lost\n');
    await waitUntil('the request at the server', () => server.received.endsWith('lost\n'));
    // The answer to `lost` precedes the end of the stream, so after the end it can no longer come.
    client.socket.end('');
    await waitUntil('the end', () => client.ended || client.error !== undefined || proxy.connections === 0);
    expect(client.received).toBe('re:hello\n');
  });

  test('cuts at a request that the watch names, before the server has it', async () => {
    proxy.onClientData((data) => (data.includes('COMMIT') ? 'cut' : 'pass'));
    await client.exchange('BEGIN');
    client.socket.write('COMMIT\n');
    await waitUntil('the reset', () => client.error === 'ECONNRESET');
    expect(server.received).toBe('hello\nBEGIN\n');
  });

  test('cuts between a request and its answer', async () => {
    proxy.onClientData((data) => (data.includes('COMMIT') ? 'loseReply' : 'pass'));
    await client.exchange('BEGIN');
    client.socket.write('COMMIT\n');
    await waitUntil('the reset', () => client.error === 'ECONNRESET');
    expect(server.received).toBe('hello\nBEGIN\nCOMMIT\n');
    expect(client.received).toBe('re:hello\nre:BEGIN\n');
  });

  test('holds a request and everything after it until it is resumed', async () => {
    proxy.onClientData((data) => (data.includes('hold me') ? 'hold' : 'pass'));
    client.socket.write('hold me\n');
    await waitUntil('the write', () => client.socket.writableLength === 0);
    client.socket.write('and me\n');
    const other = new TestClient(proxy.port);
    await other.exchange('not me');
    expect(server.received).toBe('hello\nnot me\n');
    proxy.resume();
    await waitUntil('both answers', () => client.received.endsWith('re:and me\n'));
    expect(server.received).toBe('hello\nnot me\nhold me\nand me\n');
    other.socket.destroy();
  });

  test('breaks the client when the server is gone', async () => {
    server.close();
    await waitUntil('the end', () => client.ended || client.error !== undefined);
    const late = new TestClient(proxy.port);
    await waitUntil('the reset', () => late.error !== undefined);
  });
});
