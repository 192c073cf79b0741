import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** A TCP server that is not a Kafka broker: it does with each connection whatever the test wants. */
export interface FakeListener {
  readonly address: string;
  close(): Promise<void>;
}

export async function fakeListener(onConnection: (socket: Socket) => void): Promise<FakeListener> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers every request with these bytes behind its correlation id. */
export function answering(body: Buffer): (socket: Socket) => void {
  return (socket) => {
    socket.on('data', (request) => answer(socket, request, body));
  };
}

/** Answers one request with these bytes behind its correlation id. */
export function answer(socket: Socket, request: Buffer, body: Buffer): void {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + body.length, 0);
  request.copy(head, 4, 8, 12);
  socket.write(Buffer.concat([head, body]));
}
