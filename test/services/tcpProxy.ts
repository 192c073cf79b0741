/**
 * A TCP proxy that breaks connections on purpose: between client and service, at a chosen moment.
 *
 * For a COMMIT whose answer is lost: `proxy.blackholeReplies()` before it is sent, then `proxy.cut()` once the server
 * has it. Or by content: `proxy.onClientData((data) => data.includes('COMMIT') ? 'loseReply' : 'pass')`.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './ports.ts';

export type Direction = 'toServer' | 'toClient';

/**
 * What happens to data a client sent. `pass`: forwarded. `cut`: it never arrives, the connection breaks. `loseReply`:
 * it arrives, and the connection breaks instead of carrying back the first byte that the server answers from then on.
 * `hold`: it waits, with everything after it, until `resume`.
 */
export type Verdict = 'pass' | 'cut' | 'loseReply' | 'hold';

export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  /** How many connections stand at present. */
  readonly connections: number;
  /** Breaks every connection with a reset. New ones are accepted, unless refused. */
  cut(): void;
  /** While true, new connections are refused as by a closed port. The port itself is free then. */
  refuse(refused: boolean): Promise<void>;
  /** Stops forwarding in one direction; what arrives waits. Default: both. */
  pause(direction?: Direction): void;
  /** Ends `pause`, `blackholeReplies`, `hold` and a watch by `onClientData`. */
  resume(): void;
  /** What the server answers from now on is thrown away, until `resume`. */
  blackholeReplies(): void;
  /** Judges each piece of data from a client before it is forwarded. One watch at a time. */
  onClientData(judge: (data: Buffer) => Verdict): void;
  close(): Promise<void>;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Data that a verdict holds back, and what came after it. */
  readonly held: Buffer[];
  loseReply: boolean;
}

interface Faults {
  readonly paused: Set<Direction>;
  blackhole: boolean;
  judge: ((data: Buffer) => Verdict) | undefined;
}

/** `target`: anything with host and port, e.g. a PostgresService. */
export async function tcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const faults: Faults = { paused: new Set(), blackhole: false, judge: undefined };
  const links = new Set<Link>();
  const listen = (port: number) => listenOn(port, (client) => openLink(client, target, links, faults));
  const port = await freePort();
  let listener: Server | undefined = await listen(port);
  const cut = () => {
    for (const link of links) breakLink(link);
  };
  return {
    host: '127.0.0.1',
    port,
    get connections() {
      return links.size;
    },
    cut,
    refuse: async (refused) => {
      if (refused) {
        listener?.close();
        listener = undefined;
      } else {
        listener ??= await listen(port);
      }
    },
    pause: (direction) => {
      for (const each of direction === undefined ? (['toServer', 'toClient'] as const) : [direction]) {
        faults.paused.add(each);
        for (const link of links) sourceOf(link, each).pause();
      }
    },
    resume: () => {
      faults.paused.clear();
      faults.blackhole = false;
      faults.judge = undefined;
      for (const link of links) {
        link.loseReply = false;
        for (const data of link.held.splice(0)) link.server.write(data);
        link.client.resume();
        link.server.resume();
      }
    },
    blackholeReplies: () => {
      faults.blackhole = true;
    },
    onClientData: (judge) => {
      faults.judge = judge;
    },
    close: async () => {
      listener?.close();
      listener = undefined;
      cut();
    },
  };
}

function listenOn(port: number, onConnection: (client: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection);
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

function openLink(client: Socket, target: { host: string; port: number }, links: Set<Link>, faults: Faults): void {
  const server = connect({ ...target, allowHalfOpen: true, noDelay: true });
  const link: Link = { client, server, held: [], loseReply: false };
  links.add(link);
  forward(link, faults, 'toServer', (data) => judgeClientData(link, faults, data));
  forward(link, faults, 'toClient', () => {
    if (link.loseReply) breakLink(link);
    return !link.loseReply && !faults.blackhole;
  });
  for (const direction of faults.paused) sourceOf(link, direction).pause();
  for (const socket of [client, server]) {
    // One broken end breaks the other; a link whose ends both closed is gone.
    socket.on('error', () => breakLink(link));
    socket.on('close', () => {
      if (client.destroyed && server.destroyed) links.delete(link);
    });
  }
}

/** Forwards what `mayPass` lets through, as fast as the receiver takes it, and the end of the stream after it. */
function forward(link: Link, faults: Faults, direction: Direction, mayPass: (data: Buffer) => boolean): void {
  const source = sourceOf(link, direction);
  const sink = direction === 'toServer' ? link.server : link.client;
  source.on('data', (data: Buffer) => {
    if (mayPass(data) && !sink.write(data)) {
      source.pause();
      sink.once('drain', () => {
        if (!faults.paused.has(direction)) source.resume();
      });
    }
  });
  source.on('end', () => sink.end());
}

function judgeClientData(link: Link, faults: Faults, data: Buffer): boolean {
  const verdict = link.held.length > 0 ? 'hold' : (faults.judge?.(data) ?? 'pass');
  if (verdict === 'cut') breakLink(link);
  if (verdict === 'hold') link.held.push(data);
  if (verdict === 'loseReply') link.loseReply = true;
  return verdict === 'pass' || verdict === 'loseReply';
}

function sourceOf(link: Link, direction: Direction): Socket {
  return direction === 'toServer' ? link.client : link.server;
}

function breakLink(link: Link): void {
  link.client.resetAndDestroy();
  link.server.resetAndDestroy();
}
