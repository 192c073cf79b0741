import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { takeFirstThatWorks, type Ways } from '../../services/attempt.ts';

const noDocker = 'unix:///nowhere/docker.sock';
const java = { what: 'Java', command: 'apt-get install -y java' };

/** An engine that answers pings and cannot run containers: no more is tested of Docker where there is none. */
async function withEngine(use: () => Promise<void>): Promise<void> {
  const server: Server = createServer((_, response) => response.end('OK'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('DOCKER_HOST', `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    await use();
  } finally {
    server.close();
  }
}

describe('taking a service', () => {
  const said: string[] = [];
  beforeEach(() => {
    said.length = 0;
    vi.stubEnv('DOCKER_HOST', noDocker);
    vi.stubEnv('KAFKA_BROKERS', undefined);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  function ways(changes: Partial<Ways<string>> = {}): Ways<string> {
    const by = (kind: string) => async () => ({ value: kind, description: `a ${kind} broker` });
    return {
      service: 'kafka',
      owned: false,
      say: (line) => said.push(line),
      variable: async (value) => ({ value, description: `brokers of ${value}` }),
      docker: by('docker'),
      local: by('local'),
      missing: async () => [],
      ...changes,
    };
  }

  const failing = async () => {
    throw new Error('no route to host');
  };

  test('prefers the variable, and says in one line what it took', async () => {
    vi.stubEnv('KAFKA_BROKERS', 'host:9092');
    expect((await takeFirstThatWorks(ways())).value).toBe('host:9092');
    expect(said).toEqual([expect.stringMatching(/^kafka: brokers of host:9092 \(\d+\.\d s\)$/)]);
  });

  test('ignores the variable for an owned service', async () => {
    vi.stubEnv('KAFKA_BROKERS', 'host:9092');
    expect((await takeFirstThatWorks(ways({ owned: true }))).value).toBe('local');
    expect(said[0]).toContain('owned');
  });

  test('does not fall back from a variable that leads nowhere', async () => {
    vi.stubEnv('KAFKA_BROKERS', 'host:9092');
    await expect(takeFirstThatWorks(ways({ variable: failing }))).rejects.toThrow(
      'kafka: variable provider: no route to host',
    );
  });

  test('takes Docker before local where an engine answers (containers themselves are untested)', async () => {
    await withEngine(async () => {
      expect((await takeFirstThatWorks(ways())).value).toBe('docker');
    });
  });

  test('falls back to local when a container does not start, and says why', async () => {
    await withEngine(async () => {
      expect((await takeFirstThatWorks(ways({ docker: failing }))).value).toBe('local');
    });
    expect(said[0]).toBe('kafka: docker provider: no route to host');
  });

  test('says everything that is missing and how to get it when no way is left', async () => {
    const taking = takeFirstThatWorks(ways({ missing: async () => [java] }));
    await expect(taking).rejects.toThrow(
      'Kafka cannot be started here.\n  missing: Java\n  to get it: apt-get install -y java\n  or: start Docker, or set KAFKA_BROKERS',
    );
  });

  test('gives the reason of a container that failed beside what is missing locally', async () => {
    await withEngine(async () => {
      const taking = takeFirstThatWorks(ways({ docker: failing, missing: async () => [java] }));
      await expect(taking).rejects.toThrow(/no route to host.*missing: Java/s);
    });
  });
});
