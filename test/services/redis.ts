/** Redis, handed out: the shared server of a run, or an owned one. */
import { type Taken, takeFirstThatWorks } from './attempt.ts';
import { dockerMachine } from './docker.ts';
import { localMachine, type Machine, orRemove, whileAlive } from './machine.ts';
import { accepts, freePort } from './ports.ts';
import { findProgram } from './programs.ts';
import { installCommand, type Missing } from './providers.ts';
import { type Say, sharedService } from './shared.ts';
import { waitUntil } from './waiting.ts';

export interface RedisOptions {
  /** A private server. Default false: the one of the test run. */
  readonly owned?: boolean;
  /** Hears in one line which provider was taken. Default: standard error. */
  readonly say?: Say;
}

export interface RedisService {
  readonly url: string;
  readonly provider: string;
  /** Owned: ends it and removes its data. Shared: nothing, it ends with the run. */
  stop(): Promise<void>;
}

interface RedisFacts {
  readonly url: string;
  readonly provider: string;
}

const image = 'redis:7';

export async function redisService(options: RedisOptions = {}): Promise<RedisService> {
  if (options.owned === true) return startRedis(options);
  return { ...(await sharedService('redis', options, startSharedRedis)), stop: async () => {} };
}

/** Starts the server that a run shares. */
export async function startSharedRedis(options: RedisOptions): Promise<RedisFacts> {
  const { url, provider } = await startRedis({ ...options, owned: false });
  return { url, provider };
}

export function missingForRedis(): Missing[] {
  if (findProgram('redis-server') !== undefined) return [];
  return [{ what: 'redis-server', command: installCommand('redis-server', 'redis') }];
}

async function startRedis(options: RedisOptions): Promise<RedisService> {
  const taken = await takeFirstThatWorks<RedisService>({
    service: 'redis',
    owned: options.owned ?? false,
    say: options.say ?? console.error,
    variable: useNamed,
    docker: async () => {
      const port = await freePort();
      return orRemove(await dockerMachine({ image, ports: [port] }), (machine) =>
        startOn(machine, 'redis-server', port),
      );
    },
    local: async () => {
      const program = findProgram('redis-server') ?? 'redis-server';
      const port = await freePort();
      return orRemove(localMachine('redis'), (machine) => startOn(machine, program, port));
    },
    missing: async () => missingForRedis(),
  });
  return taken.value;
}

async function useNamed(url: string): Promise<Taken<RedisService>> {
  const { hostname, port } = new URL(url);
  if (!(await accepts(hostname, port === '' ? 6379 : Number(port))))
    throw new Error(`${hostname}:${port} does not accept connections`);
  return {
    value: { url, provider: 'REDIS_URL', stop: async () => {} },
    description: `server of REDIS_URL, ${hostname}:${port}`,
  };
}

async function startOn(machine: Machine, program: string, port: number): Promise<Taken<RedisService>> {
  const network = ['--port', String(port), '--bind', machine.bindAddress, '--protected-mode', 'no'] as const;
  const storage = ['--dir', machine.dir, '--save', '', '--appendonly', 'no'] as const;
  const process = await machine.start({
    name: 'redis',
    command: [program, ...network, ...storage],
    stopSignal: 'KILL',
  });
  const giveUp = whileAlive('Redis', process);
  await waitUntil(`Redis on port ${port}`, () => accepts(machine.address, port), { giveUp });
  const url = `redis://${machine.address}:${port}`;
  return {
    value: { url, provider: machine.kind, stop: () => machine.remove() },
    description: `${machine.kind} server on ${machine.address}:${port}`,
  };
}
