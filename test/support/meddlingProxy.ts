import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * A proxy that changes, holds or cuts what a broker answers. It puts its own port in place of the broker's into
 * metadata, so that a client stays with it; the broker itself need not know.
 */
export interface MeddlingProxy {
  readonly address: string;
  /** Sees every piece of data on its way to the client and says what arrives; `cut` breaks the connection. */
  meddle: (data: Buffer) => Buffer | 'cut';
  /** While true nothing reaches the client, and nothing breaks. */
  silence(silent: boolean): void;
  /** Breaks all connections. */
  cut(): void;
  close(): Promise<void>;
}

export async function meddlingProxy(broker: string): Promise<MeddlingProxy> {
  const [host = '', brokerPort = ''] = broker.split(':');
  const links = new Set<readonly [client: Socket, broker: Socket]>();
  let silent = false;
  const breakLink = (link: readonly [Socket, Socket]) => {
    links.delete(link);
    for (const socket of link) socket.resetAndDestroy();
  };
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host, port: Number(brokerPort), noDelay: true });
    const link = [client, upstream] as const;
    links.add(link);
    client.on('data', (data) => upstream.write(data));
    upstream.on('data', (data: Buffer) => {
      const passed = proxy.meddle(replacePort(data, host, Number(brokerPort), port));
      if (passed === 'cut') breakLink(link);
      else client.write(passed);
    });
    if (silent) upstream.pause();
    for (const socket of link) {
      socket.on('error', () => breakLink(link));
      socket.on('close', () => breakLink(link));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const proxy: MeddlingProxy = {
    address: `${host}:${port}`,
    meddle: (data) => data,
    silence: (on) => {
      silent = on;
      for (const [, upstream] of links) {
        if (on) upstream.pause();
        else upstream.resume();
      }
    },
    cut: () => {
      for (const link of links) breakLink(link);
    },
    close: async () => {
      for (const link of links) breakLink(link);
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

/** A broker's address in metadata is its host, then its port in 32 bits. */
function replacePort(data: Buffer, host: string, from: number, to: number): Buffer {
  const address = Buffer.alloc(host.length + 4);
  address.write(host, 'latin1');
  address.writeInt32BE(from, host.length);
  for (let at = data.indexOf(address); at >= 0; at = data.indexOf(address, at + 1))
    data.writeInt32BE(to, at + host.length);
  return data;
}
