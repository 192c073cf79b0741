/** Java and Maven as they are found here, and the broker's jars, which Maven brings once. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runToEnd } from './machine.ts';
import { findProgram, pathFolders } from './programs.ts';
import { installCommand, type Missing } from './providers.ts';

const javaVersionMin = 17;
const pomFile = fileURLToPath(new URL('./kafka/pom.xml', import.meta.url));
const cacheDir = fileURLToPath(new URL('../../.cache', import.meta.url));

/** The version of Kafka that is started, as the pom says. */
export function kafkaVersion(pom = readFileSync(pomFile, 'utf8')): string {
  const version = /<kafka\.version>([^<]+)</.exec(pom)?.[1];
  if (version === undefined) throw new Error(`${pomFile} names no kafka.version`);
  return version;
}

/** The major version in what `java -version` prints: `17.0.15` → 17, `1.8.0_402` → 8. */
export function javaMajor(output: string): number | undefined {
  const match = /version "(\d+)(?:\.(\d+))?/.exec(output);
  if (match === null) return undefined;
  return Number(match[1] === '1' ? match[2] : match[1]);
}

/** The java of JAVA_HOME, which is the one Maven takes as well, else the one on the PATH. */
export function javaProgram(): string | undefined {
  const home = process.env.JAVA_HOME;
  return findProgram('java', [...(home === undefined ? [] : [join(home, 'bin')]), ...pathFolders()]);
}

/** What a local broker lacks here; empty = it can start. Maven is needed as long as its jars are not there. */
export async function missingForKafka(jars = jarsDir()): Promise<Missing[]> {
  const missing: Missing[] = [];
  const java = javaProgram();
  const found = java === undefined ? undefined : await versionOf(java);
  if (found === undefined || found < javaVersionMin) {
    const seen = found === undefined ? 'none found' : `found ${found}`;
    missing.push({
      what: `Java ${javaVersionMin} or newer (${seen})`,
      command: installCommand('openjdk-17-jre-headless', 'openjdk@17'),
    });
  }
  if (!existsSync(jars) && findProgram('mvn') === undefined) {
    missing.push({ what: 'Maven (mvn), which brings the jars of Kafka', command: installCommand('maven', 'maven') });
  }
  return missing;
}

function versionOf(java: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    execFile(java, ['-version'], (error, stdout, stderr) => resolve(error ? undefined : javaMajor(stdout + stderr)));
  });
}

/** Class path of the broker and its tools; brings the jars when they are not there yet. */
export async function kafkaClassPath(say: (line: string) => void = console.error): Promise<string> {
  const dir = jarsDir();
  if (!existsSync(dir)) {
    say(`kafka: bringing the jars of Kafka ${kafkaVersion()} with Maven, once`);
    await fillOnce(dir, (target) =>
      runToEnd([
        'mvn',
        '-q',
        '-B',
        '-f',
        pomFile,
        'dependency:copy-dependencies',
        '-DincludeScope=runtime',
        `-DoutputDirectory=${target}`,
      ]),
    );
  }
  const jars = readdirSync(dir).filter((name) => name.endsWith('.jar'));
  return jars
    .sort()
    .map((name) => join(dir, name))
    .join(delimiter);
}

function jarsDir(): string {
  const pom = readFileSync(pomFile, 'utf8');
  const digest = createHash('sha256').update(pom).digest('hex').slice(0, 8);
  return join(cacheDir, `kafka-${kafkaVersion(pom)}-${digest}`);
}

/**
 * Makes a directory that is either absent or complete, also when two processes do it at once: each fills one of its
 * own, the first rename wins, the loser throws its copy away.
 */
export async function fillOnce(dir: string, fill: (target: string) => Promise<unknown>): Promise<void> {
  mkdirSync(join(dir, '..'), { recursive: true });
  const draft = mkdtempSync(`${dir}.`);
  try {
    await fill(draft);
    await rename(draft, dir);
  } catch (error) {
    if (!existsSync(dir)) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
