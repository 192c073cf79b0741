/** PgBouncer in transaction mode before a PostgreSQL, where the program is installed. */
import { localMachine, type Machine, orRemove, whileAlive } from './machine.ts';
import { freePort } from './ports.ts';
import { answers } from './postgres/index.ts';
import { findProgram, pathFolders, unprivilegedUser } from './programs.ts';
import { installCommand } from './providers.ts';
import { waitUntil } from './waiting.ts';

export interface PgbouncerService {
  /** The same database and user as the URL it stands before. */
  readonly url: string;
  stop(): Promise<void>;
}

/** `{ missing }` says what to install. The pool has two server connections, so that sessions really are shared. */
export async function pgbouncerService(postgresUrl: string): Promise<PgbouncerService | { readonly missing: string }> {
  const program = findProgram('pgbouncer', [...pathFolders(), '/usr/sbin', '/usr/local/sbin']);
  if (program === undefined) {
    return { missing: `pgbouncer is not installed; to get it: ${installCommand('pgbouncer', 'pgbouncer')}` };
  }
  const machine = localMachine('pgbouncer', unprivilegedUser());
  const url = await orRemove(machine, () => startBefore(new URL(postgresUrl), machine, program));
  return { url, stop: () => machine.remove() };
}

async function startBefore(target: URL, machine: Machine, program: string): Promise<string> {
  const port = await freePort();
  const user = decodeURIComponent(target.username);
  const password = decodeURIComponent(target.password);
  const usersFile = await machine.writeFile('users.txt', `"${user}" "${password}"\n`);
  const settings = [
    '[databases]',
    `* = host=${target.hostname} port=${target.port === '' ? '5432' : target.port}`,
    '[pgbouncer]',
    `listen_addr = ${machine.bindAddress}`,
    `listen_port = ${port}`,
    'unix_socket_dir =',
    // Where PostgreSQL trusts everybody the URL has no password, and then neither asks for one.
    `auth_type = ${password === '' ? 'trust' : 'scram-sha-256'}`,
    `auth_file = ${usersFile}`,
    'pool_mode = transaction',
    'default_pool_size = 2',
  ];
  const settingsFile = await machine.writeFile('pgbouncer.ini', `${settings.join('\n')}\n`);
  const process = await machine.start({ name: 'pgbouncer', command: [program, settingsFile], stopSignal: 'KILL' });
  const url = new URL(target);
  url.hostname = machine.address;
  url.port = String(port);
  const giveUp = whileAlive('PgBouncer', process);
  await waitUntil(`PgBouncer on port ${port}`, () => answers(url.toString()), { giveUp });
  return url.toString();
}
