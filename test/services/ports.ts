/**
 * Free ports below the range from which systems take the ports of outgoing connections (32768 on Linux, 49152
 * elsewhere). Otherwise: a broker is killed, a client keeps connecting to its port, the system gives that client this
 * very port as its own end, the connection reaches itself, and the broker cannot bind again.
 */
import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';

const lowestPort = 12_000;
const highestPort = 32_000;
const attemptsMax = 200;

export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let attempt = 0; found.size < count; attempt += 1) {
    if (attempt === attemptsMax) throw new Error(`no ${count} free ports between ${lowestPort} and ${highestPort}`);
    const port = randomInt(lowestPort, highestPort);
    if (!found.has(port) && (await canBind(port))) found.add(port);
  }
  return [...found];
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port ?? 0;
}

function canBind(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Whether something accepts connections there. */
export function accepts(host: string, port: number, limitMs = 1_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(limitMs, () => finish(false));
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}
