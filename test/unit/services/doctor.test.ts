import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { checkPrerequisites } from '../../services/index.ts';

describe('the check before anything starts', () => {
  let emptyFolder: string;
  beforeEach(() => {
    emptyFolder = mkdtempSync(join(tmpdir(), 'tidemark-path-'));
    vi.stubEnv('PATH', emptyFolder);
    vi.stubEnv('JAVA_HOME', undefined);
    vi.stubEnv('DOCKER_HOST', 'unix:///nowhere/docker.sock');
    vi.stubEnv('KAFKA_BROKERS', undefined);
    vi.stubEnv('REDIS_URL', undefined);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(emptyFolder, { recursive: true });
  });

  test('names every missing thing of every service, with the command that brings it', async () => {
    const { ok, lines } = await checkPrerequisites(['kafka', 'redis']);
    expect(ok).toBe(false);
    expect(lines.join('\n')).toMatch(/Kafka cannot.*Java 17.*install.*Redis cannot.*redis-server.*install/s);
  });

  test('asks for nothing that a variable makes unnecessary', async () => {
    vi.stubEnv('KAFKA_BROKERS', 'host:9092');
    vi.stubEnv('REDIS_URL', 'redis://host');
    expect(await checkPrerequisites(['kafka', 'redis'])).toEqual({ ok: true, lines: [] });
  });
});
