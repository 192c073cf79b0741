import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fillOnce, javaMajor, kafkaVersion, missingForKafka } from '../../services/java.ts';

describe('what is found of Java', () => {
  test.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['openjdk version "21" 2023-09-19', 21],
    ['java version "1.8.0_402"', 8],
    ['command not found', undefined],
  ])('%s', (output, expected) => {
    expect(javaMajor(output)).toBe(expected);
  });

  test('the version of Kafka is the one of the pom', () => {
    expect(kafkaVersion()).toMatch(/^4\.2\.\d+$/);
    expect(() => kafkaVersion('<project/>')).toThrow('names no kafka.version');
  });
});

describe('what a local broker lacks', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-path-'));
    vi.stubEnv('PATH', folder);
    vi.stubEnv('JAVA_HOME', undefined);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  function install(name: string, script: string): void {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  test('Java, when none is on the path', async () => {
    const [first] = await missingForKafka();
    expect(first?.what).toBe('Java 17 or newer (none found)');
    expect(first?.command).toMatch(/install/);
  });

  test('a newer Java, when it is too old', async () => {
    install('java', 'echo \'openjdk version "11.0.2"\' >&2');
    expect((await missingForKafka())[0]?.what).toBe('Java 17 or newer (found 11)');
  });

  test('nothing, when Java is new enough and Maven can bring the jars', async () => {
    install('java', 'echo \'openjdk version "17.0.15"\' >&2');
    install('mvn', 'exit 0');
    expect(await missingForKafka(join(folder, 'no-jars'))).toEqual([]);
  });

  test('Maven, only as long as the jars are not there', async () => {
    install('java', 'echo \'openjdk version "17.0.15"\' >&2');
    const [missing] = await missingForKafka(join(folder, 'no-jars'));
    expect(missing?.what).toContain('Maven');
    expect(missing?.command).toMatch(/install.* maven$/);
    expect(await missingForKafka(folder)).toEqual([]);
  });

  test('nothing of Java, when JAVA_HOME has it', async () => {
    mkdirSync(join(folder, 'jdk', 'bin'), { recursive: true });
    install(join('jdk', 'bin', 'java'), 'echo \'openjdk version "21"\' >&2');
    vi.stubEnv('JAVA_HOME', join(folder, 'jdk'));
    expect(await missingForKafka(folder)).toEqual([]);
  });
});

describe('a directory that is filled once', () => {
  let parent: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'tidemark-fill-'));
  });
  afterEach(() => rmSync(parent, { recursive: true }));

  test('is complete when two fill it at the same time, and no draft is left', async () => {
    const dir = join(parent, 'cache', 'jars');
    let waiting = 0;
    let go = () => {};
    const bothFilled = new Promise<void>((resolve) => {
      go = resolve;
    });
    const fill = async (target: string) => {
      writeFileSync(join(target, 'a.jar'), 'whole');
      waiting += 1;
      if (waiting === 2) go();
      await bothFilled;
    };
    await Promise.all([fillOnce(dir, fill), fillOnce(dir, fill)]);
    expect(readFileSync(join(dir, 'a.jar'), 'utf8')).toBe('whole');
    expect(readdirSync(join(parent, 'cache'))).toEqual(['jars']);
  });

  test('stays absent when filling fails', async () => {
    const dir = join(parent, 'jars');
    const filling = fillOnce(dir, async (target) => {
      writeFileSync(join(target, 'half.jar'), '');
      throw new Error('no network');
    });
    await expect(filling).rejects.toThrow('no network');
    expect(existsSync(dir)).toBe(false);
    expect(readdirSync(parent)).toEqual([]);
  });
});
