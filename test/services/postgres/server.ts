/** A PostgreSQL server on a machine: initdb, start, stop in the two ways that differ, start again. */
import pg from 'pg';
import { endProcess, type Machine, type MachineProcess, whileAlive } from '../machine.ts';
import { waitUntil } from '../waiting.ts';

/** `fast` ends transactions and writes a checkpoint; `immediate` is a crash: the next start recovers from the WAL. */
export type StopMode = 'fast' | 'immediate';

export interface ServerOptions {
  readonly machine: Machine;
  readonly initdb: string;
  readonly postgres: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
}

export interface PostgresServer {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  restart(mode: StopMode, whileDown?: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

const superuser = 'postgres';
const password = 'tidemark';
const stopSignals = { fast: 'INT', immediate: 'QUIT' } as const;

export async function startServer(options: ServerOptions): Promise<PostgresServer> {
  const { machine, port } = options;
  const dataDir = `${machine.dir}/data`;
  const passwordFile = await machine.writeFile('password', password);
  const account = [`--username=${superuser}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'] as const;
  const text = ['--encoding=UTF8', '--locale=C', '--lc-messages=C'] as const;
  // What initdb makes may be lost with the machine; what the server writes is as durable as it is by default.
  await machine.run([options.initdb, `--pgdata=${dataDir}`, '--no-sync', ...account, ...text]);
  const url = `postgresql://${superuser}:${password}@${machine.address}:${port}/postgres`;
  let process = await startPostgres(options, dataDir, url);
  return {
    url,
    host: machine.address,
    port,
    restart: async (mode, whileDown) => {
      await endProcess(process, stopSignals[mode]);
      await whileDown?.();
      process = await startPostgres(options, dataDir, url);
    },
    stop: () => machine.remove(),
  };
}

async function startPostgres(options: ServerOptions, dataDir: string, url: string): Promise<MachineProcess> {
  const settings = {
    listen_addresses: options.machine.bindAddress,
    port: String(options.port),
    unix_socket_directories: '',
    max_connections: '200',
    ...options.settings,
  };
  const process = await options.machine.start({
    name: 'postgres',
    command: [
      options.postgres,
      '-D',
      dataDir,
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    stopSignal: stopSignals.immediate,
    env: { LC_ALL: 'C' },
  });
  const giveUp = whileAlive('PostgreSQL', process);
  await waitUntil(`PostgreSQL on port ${options.port}`, () => answers(url), { giveUp });
  return process;
}

/** Whether a query comes back; rejects with the reason when it does not. */
export async function answers(url: string): Promise<boolean> {
  return withClient(url, async (client) => (await client.query('SELECT 1')).rowCount === 1);
}

export async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  // A connection that breaks while idle would otherwise end the process; a query on it fails anyway.
  client.on('error', () => {});
  try {
    await client.connect();
    return await use(client);
  } finally {
    await client.end();
  }
}
