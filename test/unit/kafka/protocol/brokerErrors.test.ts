import { expect, test } from 'vitest';
import { brokerErrorCodes, brokerErrorKind } from '../../../../src/kafka/protocol/index.ts';

test('every code that decisions are made by has its name in the table', () => {
  for (const [name, code] of Object.entries(brokerErrorCodes))
    expect(brokerErrorKind(code)).toMatchObject({ code, name });
});

test('the table has every code from -1 to 133 once', () => {
  const codes = Array.from({ length: 135 }, (_, index) => index - 1);
  const names = codes.map((code) => brokerErrorKind(code).name);
  expect(names.filter((name) => name.startsWith('UNKNOWN_CODE'))).toEqual([]);
  expect(new Set(names).size).toBe(codes.length);
});

test('what the protocol calls retriable is so, and nothing else', () => {
  expect(brokerErrorKind(6)).toEqual({ code: 6, name: 'NOT_LEADER_OR_FOLLOWER', retriable: true });
  expect(brokerErrorKind(1).retriable).toBe(false);
  expect(brokerErrorKind(29).retriable).toBe(false);
  expect(brokerErrorKind(9_999)).toEqual({ code: 9_999, name: 'UNKNOWN_CODE_9999', retriable: false });
});
