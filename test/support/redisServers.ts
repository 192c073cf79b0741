/** Servers of Redis that a test starts for itself, with settings of its own; they end with it. */
import { Redis } from 'ioredis';
import { localMachine, type Machine, whileAlive } from '../services/machine.ts';
import { accepts, freePort } from '../services/ports.ts';
import { waitUntil } from '../services/waiting.ts';

export interface RedisServers {
  readonly machine: Machine;
  /** Starts a server, by default one that keeps nothing; answers its port. */
  start(...settings: readonly string[]): Promise<number>;
  /** The same, on a port where only TLS is spoken. */
  startTls(...settings: readonly string[]): Promise<number>;
  startSentinel(settings: readonly string[]): Promise<number>;
  stop(): Promise<void>;
}

export function redisServers(): RedisServers {
  const machine = localMachine('redis-own');
  let started = 0;
  const startOn = async (port: number, ...settings: readonly string[]) => {
    started += 1;
    const name = `redis-${started}`;
    const process = await machine.start({ name, command: ['redis-server', ...settings], stopSignal: 'KILL' });
    await waitUntil(`${name} on port ${port}`, () => accepts('127.0.0.1', port), { giveUp: whileAlive(name, process) });
    return port;
  };
  const own = () => ['--bind', '127.0.0.1', '--dir', machine.dir, '--dbfilename', `${started}.rdb`, '--save', ''];
  return {
    machine,
    start: async (...settings) => {
      const port = await freePort();
      return startOn(port, '--port', String(port), ...own(), ...settings);
    },
    startTls: async (...settings) => {
      const port = await freePort();
      return startOn(port, '--port', '0', '--tls-port', String(port), ...own(), ...settings);
    },
    startSentinel: async (settings) => {
      const port = await freePort();
      const file = await machine.writeFile(`sentinel-${port}.conf`, `port ${port}\n${settings.join('\n')}\n`);
      return startOn(port, file, '--sentinel');
    },
    stop: () => machine.remove(),
  };
}

const slots = 16_384;

/** A cluster of three masters, formed; answers its URL. */
export async function startCluster(servers: RedisServers): Promise<string> {
  const nodes = await Promise.all([0, 1, 2].map((index) => startNode(servers, index)));
  const clients = nodes.map(({ port }) => new Redis({ host: '127.0.0.1', port, protocol: 2 }));
  const [first] = nodes;
  if (first === undefined) throw new Error('no nodes');
  try {
    await Promise.all(
      clients.map(async (client, index) => {
        const from = Math.floor((slots * index) / nodes.length);
        const until = Math.floor((slots * (index + 1)) / nodes.length);
        await client.call('CLUSTER', 'ADDSLOTSRANGE', from, until - 1);
        if (index > 0) await client.call('CLUSTER', 'MEET', '127.0.0.1', first.port, first.busPort);
      }),
    );
    const isFormed = async () => {
      const states = await Promise.all(clients.map((client) => client.cluster('INFO')));
      return states.every((text) => /cluster_state:ok/.test(text) && /cluster_known_nodes:3/.test(text));
    };
    await waitUntil('the cluster is formed', isFormed);
  } finally {
    for (const client of clients) client.disconnect();
  }
  return `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
}

async function startNode(servers: RedisServers, index: number): Promise<{ port: number; busPort: number }> {
  const busPort = await freePort();
  const files = ['--cluster-config-file', `nodes-${index}.conf`];
  const port = await servers.start('--cluster-enabled', 'yes', '--cluster-port', String(busPort), ...files);
  return { port, busPort };
}
