/**
 * Docker as a provider. The engine is asked directly, because importing testcontainers costs more than the answer.
 * A container here is only a machine: it sleeps, and the services are started inside it as they are started locally.
 */
import { request } from 'node:http';
import type { Machine, MachineProcess } from './machine.ts';
import { waitUntil } from './waiting.ts';

const pingLimitMs = 1_000;

/** Where the engine listens: the socket or address of DOCKER_HOST, else the usual socket. */
export function dockerAddress(
  dockerHost: string | undefined,
): { socketPath: string } | { host: string; port: number } | undefined {
  if (dockerHost === undefined || dockerHost === '') return { socketPath: '/var/run/docker.sock' };
  if (dockerHost.startsWith('unix://')) return { socketPath: dockerHost.slice('unix://'.length) };
  const match = /^(?:tcp|http):\/\/([^:/]+):(\d+)/.exec(dockerHost);
  return match === null ? undefined : { host: match[1] ?? '', port: Number(match[2]) };
}

/** Whether an engine answers `GET /_ping` within a second. Never rejects. */
export function dockerAnswers(dockerHost: string | undefined = process.env.DOCKER_HOST): Promise<boolean> {
  const address = dockerAddress(dockerHost);
  if (address === undefined) return Promise.resolve(false);
  return new Promise((resolve) => {
    const finish = (answer: boolean) => {
      clearTimeout(timer);
      ping.destroy();
      resolve(answer);
    };
    const ping = request({ ...address, path: '/_ping', agent: false }, (response) =>
      finish(response.statusCode === 200),
    );
    const timer = setTimeout(() => finish(false), pingLimitMs);
    ping.on('error', () => finish(false));
    ping.end();
  });
}

export interface ContainerOptions {
  readonly image: string;
  /** Same numbers inside and outside, because a broker tells clients its port. */
  readonly ports: readonly number[];
  readonly user?: string;
}

/** A sleeping container. testcontainers' reaper removes it when this process ends. */
export async function dockerMachine(options: ContainerOptions): Promise<Machine> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const image = new GenericContainer(options.image)
    .withEntrypoint(['sh', '-c'])
    // A shell in a loop also buries the processes that end in its container.
    .withCommand(['echo asleep; while :; do sleep 1; done'])
    // Not the usual wait for the ports: nobody listens on them yet.
    .withWaitStrategy(Wait.forLogMessage('asleep'))
    .withExposedPorts(...options.ports.map((port) => ({ container: port, host: port })));
  const container = await image.start();
  const user = options.user === undefined ? {} : { user: options.user };
  const run = async (command: readonly [string, ...string[]]): Promise<string> => {
    const { exitCode, output } = await container.exec([...command], user);
    if (exitCode !== 0) throw new Error(`${command[0]} failed in the container:\n${output.trim()}`);
    return output;
  };
  const dir = (await run(['mktemp', '-d'])).trim();
  return {
    kind: 'docker',
    address: container.getHost(),
    bindAddress: '0.0.0.0',
    dir,
    writeFile: async (name, content) => {
      const path = `${dir}/${name}`;
      // Through a shell and not by the copy API, which would make the file root's.
      const encoded = Buffer.from(content).toString('base64');
      await run(['sh', '-c', `echo ${encoded} | base64 -d >"$1"`, 'sh', path]);
      return path;
    },
    readFile: (path) => run(['cat', path]),
    run,
    start: async ({ name, command, env }) => {
      const log = `${dir}/${name}.log`;
      const assignments = Object.entries(env ?? {}).map(([key, value]) => `${key}=${value}`);
      const script = 'log=$1; shift; cd "$(dirname "$log")"; setsid env "$@" >>"$log" 2>&1 & echo $!';
      const pid = (await run(['sh', '-c', script, 'sh', log, ...assignments, ...command])).trim();
      return processInContainer(run, pid, log);
    },
    remove: async () => {
      await container.stop();
    },
  };
}

function processInContainer(
  run: (command: readonly [string, ...string[]]) => Promise<string>,
  pid: string,
  log: string,
): MachineProcess {
  const alive = async () => {
    const state = await run(['sh', '-c', `grep -s ^State: /proc/${pid}/status || true`]);
    return state !== '' && !state.includes('Z');
  };
  return {
    alive,
    signal: async (signal) => {
      await run(['sh', '-c', `kill -s ${signal} ${pid} 2>/dev/null || true`]);
    },
    ended: async () => {
      await waitUntil(`the end of process ${pid}`, async () => !(await alive()), { everyMs: 100 });
    },
    logTail: () => run(['tail', '-n', '15', log]),
  };
}
