import { afterEach, describe, expect, test, vi } from 'vitest';
import { skipWithout } from '../../services/index.ts';

/** Like vitest's: ends the test by throwing. */
const context = {
  skip(note: string): never {
    throw new Error(`skipped: ${note}`);
  },
};

describe('a test without its program', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test.each([
    [undefined, undefined, 'skipped: not installed'],
    ['false', undefined, 'skipped: not installed'],
    ['true', undefined, 'nothing skips itself in CI: not installed'],
    ['true', 'redis-server', 'nothing skips itself in CI: not installed'],
    ['true', 'redis-server pgbouncer', 'skipped: not installed'],
  ])('CI=%s, without %s: %s', (ci, without, words) => {
    vi.stubEnv('CI', ci);
    vi.stubEnv('TIDEMARK_TESTS_WITHOUT', without);
    expect(() => skipWithout(context, 'pgbouncer', 'not installed')).toThrow(words);
  });
});
