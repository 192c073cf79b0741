import { connect, createServer, type Socket } from 'node:net';

/**
 * A way to a Kafka cluster of one's own, which can be cut. Whatever address of a broker stands in an answer is replaced
 * by that of its proxy, so a client that begins here never finds another way, and the brokers need no listener for it.
 */
export interface IsolatingProxy {
  /** Bootstrap addresses. */
  readonly brokers: readonly string[];
  /** From now on nothing passes in either direction; connections stay, new ones are accepted and stay silent. */
  isolate(): void;
  /** What waited passes. */
  heal(): void;
  close(): Promise<void>;
}

interface Port {
  readonly target: number;
  proxy: number;
}

const host = '127.0.0.1';

/** The brokers must advertise themselves as `127.0.0.1:port`. */
export async function isolatingProxy(brokers: readonly string[]): Promise<IsolatingProxy> {
  const ports: Port[] = brokers.map((broker) => ({ target: Number(broker.split(':').at(-1)), proxy: 0 }));
  const sockets = new Set<Socket>();
  let isIsolated = false;
  const servers = ports.map((port) =>
    createServer({ noDelay: true }, (client) => {
      const server = connect({ host, port: port.target, noDelay: true });
      const framer = new Framer((frame) => server.destroyed || client.write(renamed(frame, ports)));
      client.on('data', (data) => server.write(data));
      server.on('data', (data) => framer.push(data));
      for (const [socket, other] of [
        [client, server],
        [server, client],
      ] as const) {
        sockets.add(socket);
        if (isIsolated) socket.pause();
        socket.on('error', () => other.destroy());
        socket.on('close', () => {
          sockets.delete(socket);
          other.destroy();
        });
      }
    }),
  );
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.listen(0, host, resolve))));
  for (const [index, server] of servers.entries()) {
    const address = server.address();
    const port = ports[index];
    if (port !== undefined && address !== null && typeof address === 'object') port.proxy = address.port;
  }
  return {
    brokers: ports.map(({ proxy }) => `${host}:${proxy}`),
    isolate: () => {
      isIsolated = true;
      for (const socket of sockets) socket.pause();
    },
    heal: () => {
      isIsolated = false;
      for (const socket of sockets) socket.resume();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

/** Cuts a stream of answers into whole ones: 4 bytes of length, then as many bytes. */
class Framer {
  #bytes = Buffer.alloc(0);
  readonly #onFrame: (frame: Buffer) => void;

  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  push(data: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    while (this.#bytes.length >= 4 && this.#bytes.length >= 4 + this.#bytes.readInt32BE(0)) {
      const end = 4 + this.#bytes.readInt32BE(0);
      this.#onFrame(this.#bytes.subarray(0, end));
      this.#bytes = this.#bytes.subarray(end);
    }
  }
}

/** In every version of the protocol an address is the host, length before text, and right after it the port in 4 bytes. */
function renamed(frame: Buffer, ports: readonly Port[]): Buffer {
  const copy = Buffer.from(frame);
  for (const { target, proxy } of ports) {
    const address = Buffer.concat([Buffer.from(host), int32(target)]);
    for (let at = copy.indexOf(address); at >= 0; at = copy.indexOf(address, at + address.length)) {
      copy.writeInt32BE(proxy, at + host.length);
    }
  }
  return copy;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
