import { describe, expect, test } from 'vitest';
import { RecycledMemory } from '../../../../src/kafka/records/recycledMemory.ts';

const mib = 1_048_576;

describe('memory that is used again', () => {
  test('is used again once its lease is released, for an answer of about the same size', () => {
    const memory = new RecycledMemory();
    const first = memory.take(4 * mib + 200);
    memory.leaseOf(first.subarray(100))?.release();
    const second = memory.take(4 * mib - 1_000);
    expect(second.buffer).toBe(first.buffer);
    expect(second).toHaveLength(4 * mib - 1_000);
  });

  test.each([65_536, 69_632, 69_633, 3 * mib, 4 * mib + 200, 8 * mib])('%d bytes have room', (length) => {
    expect(new RecycledMemory().take(length)).toHaveLength(length);
  });

  test('is not used again before, nor when it was never released', () => {
    const memory = new RecycledMemory();
    const first = memory.take(mib);
    const lease = memory.leaseOf(first);
    lease?.hold();
    lease?.release();
    expect(memory.take(mib).buffer).not.toBe(first.buffer);
    lease?.release();
    expect(memory.take(mib).buffer).toBe(first.buffer);
  });

  test('is given out once however many leases there were of it', () => {
    const memory = new RecycledMemory();
    const first = memory.take(mib);
    const leases = [memory.leaseOf(first), memory.leaseOf(first)];
    for (const lease of leases) lease?.release();
    expect(memory.take(mib).buffer).toBe(first.buffer);
    expect(memory.take(mib).buffer).not.toBe(first.buffer);
  });

  test('small and very large answers have memory of their own, which nobody leases', () => {
    const memory = new RecycledMemory();
    for (const length of [0, 1_000, 65_535, 8 * mib + 1]) {
      const body = memory.take(length);
      expect(body).toHaveLength(length);
      expect(memory.leaseOf(body)).toBeUndefined();
    }
  });
});
