import { expect, test } from 'vitest';
import { crc32c } from '../../../src/platform/index.ts';

test('the check value of CRC-32C, and 32 zero bytes of RFC 3720', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(0))).toBe(0);
});

test('a view counts, not the memory behind it', () => {
  expect(crc32c(Buffer.from('--123456789--').subarray(2, 11))).toBe(0xe3069283);
});
