import { describe, expect, test } from 'vitest';
import { AnswerBodies } from '../../../../../src/kafka/drivers/kafkajs/answerBodies.ts';

const mib = 1_048_576;

describe('the memory for answers', () => {
  test('is used again once its lease is released, for an answer of about the same size', () => {
    const bodies = new AnswerBodies();
    const first = bodies.take(4 * mib + 200);
    bodies.leaseOf(first.subarray(100))?.release();
    const second = bodies.take(4 * mib - 1_000);
    expect(second.buffer).toBe(first.buffer);
    expect(second).toHaveLength(4 * mib - 1_000);
  });

  test.each([65_536, 69_632, 69_633, 3 * mib, 4 * mib + 200, 8 * mib])('%d bytes have room', (length) => {
    expect(new AnswerBodies().take(length)).toHaveLength(length);
  });

  test('is not used again before, nor when it was never released', () => {
    const bodies = new AnswerBodies();
    const first = bodies.take(mib);
    const lease = bodies.leaseOf(first);
    lease?.hold();
    lease?.release();
    expect(bodies.take(mib).buffer).not.toBe(first.buffer);
    lease?.release();
    expect(bodies.take(mib).buffer).toBe(first.buffer);
  });

  test('is given out once however many leases there were of it', () => {
    const bodies = new AnswerBodies();
    const first = bodies.take(mib);
    const leases = [bodies.leaseOf(first), bodies.leaseOf(first)];
    for (const lease of leases) lease?.release();
    expect(bodies.take(mib).buffer).toBe(first.buffer);
    expect(bodies.take(mib).buffer).not.toBe(first.buffer);
  });

  test('small and very large answers have memory of their own, which nobody leases', () => {
    const bodies = new AnswerBodies();
    for (const length of [0, 1_000, 65_535, 8 * mib + 1]) {
      const body = bodies.take(length);
      expect(body).toHaveLength(length);
      expect(bodies.leaseOf(body)).toBeUndefined();
    }
  });
});
