import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { dockerAddress, dockerAnswers } from '../../services/docker.ts';

describe('the address of the Docker engine', () => {
  test.each([
    [undefined, { socketPath: '/var/run/docker.sock' }],
    ['', { socketPath: '/var/run/docker.sock' }],
    ['unix:///run/user/1000/docker.sock', { socketPath: '/run/user/1000/docker.sock' }],
    ['tcp://10.0.0.1:2375', { host: '10.0.0.1', port: 2375 }],
    ['ssh://somewhere', undefined],
  ])('DOCKER_HOST %s', (value, expected) => {
    expect(dockerAddress(value)).toEqual(expected);
  });
});

describe('whether an engine answers', () => {
  const cleanUps: (() => void)[] = [];
  afterEach(() => {
    for (const cleanUp of cleanUps.splice(0)) cleanUp();
  });

  async function engine(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test('yes, when the ping is answered', async () => {
    const asked: (string | undefined)[] = [];
    const host = await engine((request, response) => {
      asked.push(request.url);
      response.end('OK');
    });
    expect(await dockerAnswers(host)).toBe(true);
    expect(asked).toEqual(['/_ping']);
  });

  test('yes, on a Unix socket', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'tidemark-docker-'));
    const server = createServer((_, response) => response.end('OK'));
    await new Promise<void>((resolve) => server.listen(join(dir, 'docker.sock'), resolve));
    cleanUps.push(() => {
      server.close();
      rmSync(dir, { recursive: true });
    });
    expect(await dockerAnswers(`unix://${dir}/docker.sock`)).toBe(true);
  });

  test('no, when it answers with an error', async () => {
    expect(await dockerAnswers(await engine((_, response) => response.writeHead(500).end()))).toBe(false);
  });

  test('no, when nobody listens', async () => {
    expect(await dockerAnswers('unix:///nowhere/docker.sock')).toBe(false);
  });

  test('no, when it is silent for a second', async () => {
    const host = await engine(() => {});
    const began = performance.now();
    expect(await dockerAnswers(host)).toBe(false);
    expect(performance.now() - began).toBeLessThan(3_000);
  });
});
