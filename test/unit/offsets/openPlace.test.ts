import { describe, expect, test } from 'vitest';
import { openPlace } from '../../../src/offsets/stores/openPlace.ts';

describe('a place of ledgers by its URL', () => {
  test.each([
    ['postgres://me:secret@db:5432/orders?sslmode=require', 'PostgreSQL db:5432/orders, schema tidemark'],
    ['postgresql://db/orders', 'PostgreSQL db/orders, schema tidemark'],
    ['redis://me:secret@cache:6379/2', 'Redis at cache:6379/2'],
    ['rediss://cache', 'Redis at cache:6379'],
    ['redis+sentinel://a,b:26380/main', 'Redis sentinel at a:26379,b:26380/main'],
    ['rediss+sentinel://a/main', 'Redis sentinel at a:26379/main'],
    ['redis+cluster://a,b', 'Redis cluster at a:6379,b:6379'],
    ['rediss+cluster://a', 'Redis cluster at a:6379'],
    ['file:///var/lib/tidemark', 'files in /var/lib/tidemark'],
    ['file:///var/my%20offsets', 'files in /var/my offsets'],
  ])('%s', async (url, name) => {
    expect((await openPlace(url)).name).toBe(name);
  });

  test('the schema of PostgreSQL can be named', async () => {
    expect((await openPlace('postgres://db/orders', { schema: 'ledger' })).name).toBe(
      'PostgreSQL db/orders, schema ledger',
    );
  });

  test.each(['mysql://me:secret@db/orders', 'me:secret@db', 'file://host/dir', ''])(
    'what is none says what is allowed, and no secret: %s',
    async (url) => {
      const error = await openPlace(url).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
      const { message, hint = '' } = error as { message: string; hint?: string };
      expect(`${message} ${hint}`).toContain('file:///');
      expect(`${message} ${hint}`).not.toContain('secret');
    },
  );
});
