import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prelude } from '../../src/offsets/stores/redis/prelude.ts';
import { redisService } from '../services/index.ts';

/** Near the places where doubles, or a count of digits, give out. */
const edges = [0n, 9n, 10n ** 14n, 10n ** 15n, 10n ** 18n, 2n ** 53n, 2n ** 63n - 1n];
const number = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  fc
    .record({ edge: fc.constantFrom(...edges), by: fc.bigInt({ min: -3n, max: 3n }) })
    .map(({ edge, by }) => edge + by)
    .filter((value) => value >= 0n && value < 2n ** 63n),
);

describe('decimals in the scripts of Redis', () => {
  let client: Redis;
  beforeAll(async () => {
    client = new Redis((await redisService()).url);
  });
  afterAll(() => client.disconnect());

  /** What a Lua expression over the strings `a` and `b` gives for each pair. */
  async function each(expression: string, pairs: readonly (readonly [string, string])[]): Promise<readonly unknown[]> {
    const text = `${prelude}
      local answer = {}
      for index, pair in ipairs(cjson.decode(ARGV[2])) do
        local a, b = pair[1], pair[2]
        answer[index] = tostring(${expression})
      end
      return answer`;
    return (await client.eval(text, 0, '[]', JSON.stringify(pairs))) as readonly unknown[];
  }

  const texts = (pairs: readonly (readonly [bigint, bigint])[]) =>
    pairs.map(([a, b]) => [String(a), String(b)] as const);

  test('compare and add as bigint does', async () => {
    const close = number.chain((a) => fc.tuple(fc.constant(a), fc.constantFrom(a, a + 1n, a + 10n)));
    const pairs = fc.array(fc.oneof(fc.tuple(number, number), close), { minLength: 1, maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(pairs, async (some) => {
        const orders = some.map(([a, b]) => String(a < b ? -1 : a > b ? 1 : 0));
        expect(await each('compare(a, b)', texts(some))).toEqual(orders);
        expect(await each('add(a, b)', texts(some))).toEqual(some.map(([a, b]) => String(a + b)));
      }),
      { numRuns: 50 },
    );
  });

  test('are what an offset can be, in one form', async () => {
    const good = fc.array(number, { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(good, async (some) => {
        const answers = await each('isNumber(a)', texts(some.map((value) => [value, 0n])));
        expect(answers).toEqual(some.map(() => 'true'));
      }),
      { numRuns: 20 },
    );
    const bad = [
      '',
      '-1',
      '+1',
      '01',
      '00',
      '1.0',
      '1e3',
      ' 1',
      '1 ',
      '0x1',
      '9223372036854775808',
      '10000000000000000000',
    ];
    const answers = await each(
      'isNumber(a)',
      bad.map((text) => [text, '']),
    );
    expect(answers).toEqual(bad.map(() => 'false'));
    expect(await each('isNumber(1)', [['', '']])).toEqual(['false']);
  });
});
