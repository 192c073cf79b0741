/**
 * Builds the client library of the confluent driver where no prebuilt binary can be fetched: `npm run confluent`. Once: into
 * a cache folder outside of node_modules, so that `npm ci` neither removes it nor fails because of it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { confluentFolder, isBuilt, packageFolder, packageName } from './confluent/place.ts';

/** Debian's names of what librdkafka is compiled against. */
const debianPackages = [
  'libssl-dev',
  'libsasl2-dev',
  'libcurl4-openssl-dev',
  'libzstd-dev',
  'zlib1g-dev',
  'liblz4-dev',
];
/** dpkg's own way to name a field. */
const statusFormat = '$' + '{db:Status-Status}';
const logTailLines = 25;

function say(text: string): void {
  process.stderr.write(`confluent: ${text}\n`);
}

function fail(what: string, remedy: string): never {
  say(`${what}\n  ${remedy}`);
  process.exit(1);
}

function pinnedVersion(): string {
  const path = new URL('../package.json', import.meta.url);
  const { peerDependencies } = JSON.parse(readFileSync(path, 'utf8')) as { peerDependencies: Record<string, string> };
  const version = peerDependencies[packageName];
  if (version === undefined) fail(`package.json does not name ${packageName}`, 'Add it to peerDependencies.');
  return version;
}

/** Installs the headers where that is possible; elsewhere the build shows whether they are there. */
function installHeaders(): void {
  const isHere = (name: string) => {
    const { stdout } = spawnSync('dpkg-query', ['-W', '-f', statusFormat, name], { encoding: 'utf8' });
    return stdout === 'installed';
  };
  if (spawnSync('dpkg-query', ['--version']).error !== undefined) return;
  const missing = debianPackages.filter((name) => !isHere(name));
  if (missing.length === 0) return;
  const command = `apt-get install ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).error !== undefined) {
    say(`these packages are missing; if the build fails, install them: ${command}`);
    return;
  }
  say(`installing ${missing.join(', ')}`);
  const env = { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' };
  const run = (...args: string[]) => spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'] }).status;
  run('update', '-qq');
  if (run('install', '-y', '-qq', '--no-install-recommends', ...missing) !== 0) {
    fail('the headers cannot be installed', `Install them and run this again: ${command}`);
  }
}

/** Runs npm in a folder; resolves with its exit code and what it printed. */
function npmInstall(folder: string, version: string): Promise<{ code: number; output: string }> {
  const args = ['install', '--prefix', folder, '--no-audit', '--no-fund', `${packageName}@${version}`];
  const child = spawn('npm', args, { cwd: folder, env: { ...process.env, CKJS_LINKING: 'dynamic' } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += String(data);
    });
  }
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: 1, output: error.message }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

function loads(folder: string): string | undefined {
  const program = `require(${JSON.stringify(packageFolder(folder))})`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
  return status === 0 ? undefined : stderr;
}

/** What only the compiler needed, two thirds of it all. */
function prune(folder: string): void {
  const inPackage = packageFolder(folder);
  for (const path of ['deps', join('build', 'Release', 'obj.target')]) {
    rmSync(join(inPackage, path), { recursive: true, force: true });
  }
}

async function build(version: string, folder: string): Promise<void> {
  installHeaders();
  mkdirSync(dirname(folder), { recursive: true });
  // Built apart and renamed: a folder of that name is always whole, also while two builds run at the same time.
  const temporary = mkdtempSync(`${folder}.building-`);
  process.on('exit', () => rmSync(temporary, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
  writeFileSync(join(temporary, 'package.json'), JSON.stringify({ name: 'confluent', private: true }));
  say(`building ${packageName} ${version} for ${basename(folder)}, which takes a minute or two`);
  const beganMs = performance.now();
  const { code, output } = await npmInstall(temporary, version);
  const tail = output.trimEnd().split('\n').slice(-logTailLines).join('\n');
  if (code !== 0 || !isBuilt(temporary)) {
    say(tail);
    const needs = `It needs a C++ compiler, make, Python 3, headers of Node, and ${debianPackages.join(', ')}.`;
    fail(`the build of ${packageName} failed (npm exited with ${code})`, needs);
  }
  prune(temporary);
  const problem = loads(temporary);
  if (problem !== undefined)
    fail(`what was built does not load: ${problem}`, 'Check that the same Node runs here and in npm.');
  try {
    renameSync(temporary, folder);
  } catch (error) {
    // Somebody else was faster.
    if (!isBuilt(folder)) throw error;
  }
  say(`built in ${Math.round((performance.now() - beganMs) / 1_000)} s`);
}

const version = pinnedVersion();
const folder = confluentFolder(version);
if (isBuilt(folder)) say('is there');
else await build(version, folder);
process.stdout.write(`TIDEMARK_CONFLUENT_DIR=${folder}\n`);
