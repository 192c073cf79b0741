import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { checkPrerequisites, redisService, skipWithout, stopServices } from '../services/index.ts';
import { accepts } from '../services/ports.ts';

function reachable(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return accepts(hostname, Number(port));
}

describe('Redis', () => {
  beforeEach(async (context) => {
    const { ok, lines } = await checkPrerequisites(['redis']);
    if (!ok) skipWithout(context, 'redis-server', lines.join(' '));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test('is shared by default; an owned one is another, and ends', async () => {
    const shared = await redisService();
    const owned = await redisService({ owned: true });
    expect(owned.url).not.toBe(shared.url);
    expect(await reachable(owned.url)).toBe(true);
    await owned.stop();
    await shared.stop();
    expect(await reachable(owned.url)).toBe(false);
    expect(await reachable(shared.url)).toBe(true);
  });

  test('is the one that REDIS_URL names', async () => {
    const { url } = await redisService();
    vi.stubEnv('TIDEMARK_TEST_SERVICES', undefined);
    vi.stubEnv('REDIS_URL', url);
    expect(await redisService({ say: () => {} })).toMatchObject({ url, provider: 'REDIS_URL' });
    await stopServices();
  });
});
