import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../../src/offsets/stores/redis/address.ts';

describe('the URL of a Redis', () => {
  const nobody = { username: undefined, password: undefined, masterName: undefined, db: 0, tls: false };

  test.each([
    ['redis://h', { kind: 'single', hosts: [{ host: 'h', port: 6379 }], name: 'Redis at h:6379' }],
    ['rediss://h:1/', { kind: 'single', tls: true, hosts: [{ host: 'h', port: 1 }], name: 'Redis at h:1' }],
    ['redis://[::1]:7/3', { kind: 'single', hosts: [{ host: '::1', port: 7 }], db: 3, name: 'Redis at ::1:7/3' }],
    [
      'redis+sentinel://a,b:2/main/5',
      {
        kind: 'sentinel',
        hosts: [
          { host: 'a', port: 26_379 },
          { host: 'b', port: 2 },
        ],
        masterName: 'main',
        db: 5,
        name: 'Redis sentinel at a:26379,b:2/main/5',
      },
    ],
    [
      'rediss+cluster://:p@a:1,b:2',
      {
        kind: 'cluster',
        tls: true,
        password: 'p',
        hosts: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
        name: 'Redis cluster at a:1,b:2',
      },
    ],
  ])('%s is read', (url, expected) => {
    expect(parseAddress(url)).toEqual({ ...nobody, ...expected });
  });

  test.each([
    'http://h',
    'redis:h',
    'redis://',
    'redis://u:secret@',
    'redis://:secret@a:1,b:2',
    'redis://:secret@h:0',
    'redis://:secret@h:65536',
    'redis://:secret@h/x',
    'redis://:secret@h/1/2',
    'redis://:secret@h/?db=1',
    'redis://:secret%@h',
    'redis+sentinel://:secret@h',
    'redis+cluster://:secret@h/1',
    'redis+other://:secret@h',
  ])('%s is refused, and not quoted', (url) => {
    const read = () => parseAddress(url);
    expect(read).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(read).not.toThrow(/secret/);
  });

  test('may have any user and password, and shows neither', () => {
    const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => text.isWellFormed());
    fc.assert(
      fc.property(word, word, (username, password) => {
        const url = `redis://${encodeURIComponent(username)}:${encodeURIComponent(password)}@h:1/2`;
        expect(parseAddress(url)).toMatchObject({ username, password, name: 'Redis at h:1/2' });
        // A password that nobody encoded is understood as far as that is possible.
        const plain = password.replaceAll(/[%/?#]/g, '');
        const expected = plain === '' ? undefined : plain;
        expect(parseAddress(`redis://u:${plain}@h`)).toMatchObject({ username: 'u', password: expected });
      }),
    );
  });
});
