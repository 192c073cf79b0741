import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AnswerFramer, NotKafkaError } from '../../../../../src/kafka/drivers/kafkajs/answerFramer.ts';
import { RecycledMemory } from '../../../../../src/kafka/records/index.ts';

interface Answer {
  readonly correlationId: number;
  readonly payload: Buffer;
}

function framed({ correlationId, payload }: Answer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + payload.length, 0);
  head.writeInt32BE(correlationId, 4);
  return Buffer.concat([head, payload]);
}

const answers = fc.array(
  fc.record({
    correlationId: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 6 },
);

describe('the framer of answers', () => {
  test('finds the same answers however the bytes are cut up, also when the read buffer is reused', () => {
    fc.assert(
      fc.property(answers, fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (sent, cuts) => {
        const found: Answer[] = [];
        const framer = new AnswerFramer(new RecycledMemory(), (correlationId, payload) =>
          found.push({ correlationId, payload }),
        );
        const bytes = Buffer.concat(sent.map(framed));
        const reused = Buffer.alloc(400);
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const length = bytes.copy(reused, 0, at, at + (cuts[turn % cuts.length] ?? 1));
          framer.push(reused.subarray(0, length));
          at += length;
        }
        reused.fill(0xff);
        expect(found).toEqual(sent);
      }),
    );
  });

  test.each([
    ['a TLS alert', '15030300020250', 'tls'],
    ['a TLS handshake', '160303007a', 'tls'],
    ['HTTP', Buffer.from('HTTP/1.1 400').toString('hex'), 'http'],
    ['a negative size', 'ffffffff00', 'unknown'],
    ['a size without a correlation id', '00000003000000', 'unknown'],
    ['a first answer of 1 GiB', '4000000000000000', 'unknown'],
  ])('refuses %s', (_, hex, speaks) => {
    const framer = new AnswerFramer(new RecycledMemory(), () => {
      throw new Error('there is no answer');
    });
    expect(() => framer.push(Buffer.from(hex, 'hex'))).toThrow(expect.objectContaining({ speaks }));
    expect(() => new AnswerFramer(new RecycledMemory(), () => {}).push(Buffer.from(hex, 'hex'))).toThrow(NotKafkaError);
  });

  test('accepts large answers once it has seen one', () => {
    const framer = new AnswerFramer(new RecycledMemory(), () => {});
    framer.push(framed({ correlationId: 1, payload: Buffer.alloc(10) }));
    expect(() => framer.push(Buffer.from('0200000000000002', 'hex'))).not.toThrow();
  });

  test('offers the place of a large answer, and takes what is read there without copying it', () => {
    const found: Answer[] = [];
    const framer = new AnswerFramer(new RecycledMemory(), (correlationId, payload) =>
      found.push({ correlationId, payload }),
    );
    const sent = { correlationId: 7, payload: Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 251)) };
    const bytes = framed(sent);
    expect(framer.room).toBeUndefined();
    framer.push(bytes.subarray(0, 1_000));
    let at = 1_000;
    for (let room = framer.room; room !== undefined; room = framer.room) {
      const length = bytes.copy(room, 0, at, at + 70_000);
      framer.push(room.subarray(0, length));
      at += length;
    }
    framer.push(Buffer.concat([bytes.subarray(at), framed({ ...sent, payload: Buffer.from('next') })]));
    expect(found).toEqual([sent, { ...sent, payload: Buffer.from('next') }]);
  });
});
