import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { redactor, secretsOf } from '../../../src/config/index.ts';

describe('the secrets of options', () => {
  test.each([
    ['a password', { kafka: { sasl: { mechanism: 'plain', username: 'bob', password: 'pw' } } }, ['pw']],
    ['a token', { kafka: { sasl: { mechanism: 'oauthbearer', token: 'tok' } } }, ['tok']],
    ['the key of a certificate', { kafka: { ssl: { cert: 'c', key: 'PEM' } } }, ['PEM']],
    ['a password in a URL', { sink: { connectionString: 'postgres://u:p%40ss@h:5432/db' } }, ['p%40ss', 'p@ss']],
    ['an unescaped one', { sink: { connectionString: 'postgres://u:p@s:s@h/db' } }, ['p@s:s']],
    ['one in the query', { sink: { connectionString: 'postgres://h/db?user=u&password=q&sslpassword=r' } }, ['q', 'r']],
    ['one of a keyword string', { sink: { connectionString: "host=h password='a b' user=u" } }, ['a b']],
    ['one at its start', { sink: { connectionString: 'password=xyz host=h' } }, ['xyz']],
    ['a URL without a password', { sink: { connectionString: 'postgres://u@h/db' } }, []],
    ['something that is neither', { sink: { connectionString: 'whatever' } }, ['whatever']],
    ['a URL at the wrong place', { sink: { table: 'postgres://u:pw@h/db' } }, ['pw']],
    ['a password of Redis', { source: { sharedRate: { redisUrl: 'redis://:p@h:6379/0' } } }, ['p']],
    ['a password beside a receiver', { source: { receivers: [{ host: 'http://u:pw@h' }] } }, ['pw']],
    ['nothing secret', { pipeline: 'orders', kafka: { brokers: ['a:1'] } }, []],
  ])('%s', (_, options, expected) => {
    expect(secretsOf(options)).toEqual(expected);
  });

  test('a variable whose name says so is a secret wherever it was put', () => {
    const variables = [
      ['DB_PASSWORD', 'one'],
      ['API_KEY', 'two'],
      ['PW', 'four'],
      ['PASSENGER_TOPIC', 'riders'],
      ['DATABASE_URL', 'postgres://u:three@h/db'],
      ['KAFKA_BROKERS', 'a:1'],
    ] as const;
    expect(secretsOf({}, variables)).toEqual(['one', 'two', 'four', 'three']);
  });

  test('options of any shape do no harm', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => secretsOf(value).every((secret) => secret !== '')));
  });
});

describe('a redacted text', () => {
  test.each([
    [['hunter2'], 'login hunter2 failed, xhunter2x', 'login *** failed, x***x'],
    [['abc'], 'abc abcd "abc"', '*** abcd "***"'],
    [['abcd', 'abcdef'], 'abcdef abcd', '*** ***'],
    [['a"b\\c'], JSON.stringify({ pw: 'a"b\\c' }), '{"pw":"***"}'],
    [['p@ss/word'], 'postgres://u:p%40ss%2Fword@h', 'postgres://u:***@h'],
    [['.*'], 'a .* b', 'a *** b'],
    [[''], 'text', 'text'],
    [[], 'text', 'text'],
  ])('without %j', (secrets, text, expected) => {
    expect(redactor(secrets)(text)).toBe(expected);
  });

  test('holds none of the longer secrets', () => {
    const secret = fc.string({ minLength: 4 }).filter((text) => !'***'.includes(text) && !text.includes('*'));
    fc.assert(
      fc.property(fc.array(secret, { minLength: 1 }), fc.array(fc.string()), (secrets, parts) => {
        const text = parts.map((part, index) => part + (secrets[index % secrets.length] ?? '')).join('');
        const redacted = redactor(secrets)(text);
        for (const hidden of secrets) expect(redacted).not.toContain(hidden);
      }),
    );
  });
});
