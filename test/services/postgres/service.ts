/** PostgreSQL, handed out: a shared server in which every test makes its own database, or an owned server. */
import { randomBytes } from 'node:crypto';
import { type Taken, takeFirstThatWorks } from '../attempt.ts';
import { dockerMachine } from '../docker.ts';
import { localMachine, orRemove } from '../machine.ts';
import { freePort } from '../ports.ts';
import { unprivilegedUser } from '../programs.ts';
import { type Say, sharedService } from '../shared.ts';
import { findPostgres, missingForPostgres } from './binaries.ts';
import { answers, type PostgresServer, type StopMode, startServer, withClient } from './server.ts';

export interface PostgresOptions {
  /** A private server. Default false: the one of the test run. */
  readonly owned?: boolean;
  /** Server settings. Count when this call is the one that starts the server. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Hears in one line which provider was taken. Default: standard error. */
  readonly say?: Say;
}

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  /** Drops it, also under open connections. */
  drop(): Promise<void>;
}

export interface PostgresService {
  /** Of the maintenance database, as superuser (as the user of DATABASE_URL where that is the provider). */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly provider: string;
  /** A new, empty database. */
  createDatabase(prefix?: string): Promise<TestDatabase>;
  /** Owned: ends it and removes its data. Shared: nothing, it ends with the run. */
  stop(): Promise<void>;
  /** Owned only: stops the server, runs `whileDown`, starts it on the same port with the same data. */
  restart(mode: StopMode, whileDown?: () => Promise<void>): Promise<void>;
}

interface PostgresFacts {
  readonly url: string;
  readonly provider: string;
}

interface StartedPostgres extends PostgresFacts {
  readonly server: PostgresServer | undefined;
}

const image = 'postgres:18';
const imageFolder = '/usr/lib/postgresql/18/bin';

export async function postgresService(options: PostgresOptions = {}): Promise<PostgresService> {
  if (options.owned === true) return serviceOf(await startPostgres(options));
  return serviceOf({ ...(await sharedService('postgres', options, startSharedPostgres)), server: undefined });
}

/** Starts the server that a run shares. */
export async function startSharedPostgres(options: PostgresOptions): Promise<PostgresFacts> {
  const { url, provider } = await startPostgres({ ...options, owned: false });
  return { url, provider };
}

async function startPostgres(options: PostgresOptions): Promise<StartedPostgres> {
  const taken = await takeFirstThatWorks<StartedPostgres>({
    service: 'postgres',
    owned: options.owned ?? false,
    say: options.say ?? console.error,
    variable: useNamed,
    docker: () => startInDocker(options),
    local: () => startLocally(options),
    missing: async () => missingForPostgres(),
  });
  return taken.value;
}

async function useNamed(url: string): Promise<Taken<StartedPostgres>> {
  await answers(url);
  const { hostname, port } = new URL(url);
  const value = { url, provider: 'DATABASE_URL', server: undefined };
  return { value, description: `server of DATABASE_URL, ${hostname}:${port === '' ? '5432' : port}` };
}

async function startLocally(options: PostgresOptions): Promise<Taken<StartedPostgres>> {
  const binaries = findPostgres();
  if (binaries === undefined) throw new Error('no PostgreSQL programs');
  const port = await freePort();
  const machine = localMachine('postgres', unprivilegedUser());
  const settings = options.settings ?? {};
  const server = await orRemove(machine, () => startServer({ machine, ...binaries, port, settings }));
  const value = { url: server.url, provider: 'local', server };
  return { value, description: `local server (${binaries.source}) on ${server.host}:${port}` };
}

async function startInDocker(options: PostgresOptions): Promise<Taken<StartedPostgres>> {
  const port = await freePort();
  const machine = await dockerMachine({ image, ports: [port], user: 'postgres' });
  const programs = { initdb: `${imageFolder}/initdb`, postgres: `${imageFolder}/postgres` };
  const settings = options.settings ?? {};
  const server = await orRemove(machine, () => startServer({ machine, ...programs, port, settings }));
  const value = { url: server.url, provider: 'docker', server };
  return { value, description: `docker ${image} on ${server.host}:${port}` };
}

function serviceOf(postgres: StartedPostgres): PostgresService {
  const { hostname, port } = new URL(postgres.url);
  return {
    url: postgres.url,
    host: hostname,
    port: port === '' ? 5432 : Number(port),
    provider: postgres.provider,
    createDatabase: (prefix) => createDatabase(postgres.url, prefix ?? 'test'),
    stop: async () => postgres.server?.stop(),
    restart: async (mode, whileDown) => {
      if (postgres.server === undefined) {
        throw new Error('this PostgreSQL is shared: ask for one with owned: true');
      }
      await postgres.server.restart(mode, whileDown);
    },
  };
}

async function createDatabase(maintenanceUrl: string, prefix: string): Promise<TestDatabase> {
  const name = `${prefix.toLowerCase().replace(/[^a-z0-9_]/g, '_')}_${randomBytes(5).toString('hex')}`;
  await withClient(maintenanceUrl, (client) => client.query(`CREATE DATABASE "${name}"`));
  const url = new URL(maintenanceUrl);
  url.pathname = `/${name}`;
  return {
    name,
    url: url.toString(),
    drop: async () => {
      await withClient(maintenanceUrl, (client) => client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`));
    },
  };
}
