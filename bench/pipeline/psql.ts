import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** psql of the system, against one database. */
export class Psql {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Throws with the way out when there is no psql. */
  static async version(): Promise<string> {
    try {
      return (await run('psql', ['--version'])).stdout.trim();
    } catch (cause) {
      throw new Error('psql is not on the PATH; to get it: apt-get install -y postgresql-client', { cause });
    }
  }

  /** Runs commands one after the other, SQL or psql's own; answers what they print. */
  async run(...commands: readonly string[]): Promise<string> {
    const options = ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--set=ON_ERROR_STOP=1'];
    const each = commands.map((command) => `--command=${command}`);
    const { stdout } = await run('psql', [...options, ...each, this.#url], { env: { ...process.env, LC_ALL: 'C' } });
    return stdout.trim();
  }

  /** Seconds a command takes by psql's own clock: without its start and connection. */
  async secondsOf(command: string): Promise<number> {
    const printed = await this.run('\\timing on', command);
    const milliseconds = /^Time: ([\d.]+) ms/m.exec(printed)?.[1];
    if (milliseconds === undefined) throw new Error(`psql printed no time for ${command}: ${printed}`);
    return Number(milliseconds) / 1_000;
  }
}
