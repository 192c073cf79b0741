import { describe, expect, test } from 'vitest';
import {
  memberMetadata,
  noClaims,
  readMember,
} from '../../../../../../src/kafka/drivers/kafkajs/membership/strategy.ts';
import {
  decodeConsumerAssignment,
  decodeConsumerSubscription,
  encodeConsumerAssignment,
  encodeConsumerSubscription,
} from '../../../../../../src/kafka/protocol/index.ts';

describe('what members of a group tell each other', () => {
  test('topics and claims come back as they went', () => {
    const owned = [
      { topic: 'orders', partition: 2 },
      { topic: 'orders', partition: 0 },
      { topic: 'täglich', partition: 1 },
    ];
    const metadata = memberMetadata(['orders', 'täglich'], { generation: 41, owned });
    const read = readMember('m-1', metadata);
    expect(read).toEqual({ memberId: 'm-1', topics: ['orders', 'täglich'], generation: 41, owned });
  });

  test.each([
    ['no bytes', ''],
    ['no JSON', 'owned'],
    ['null', 'null'],
    ['claims of another kind', '{"generation":"1","owned":[]}'],
    ['partitions that are no numbers', '{"generation":-1,"owned":{"a":"b"}}'],
  ])('user data that is %s claims nothing', (_, userData) => {
    const metadata = encodeConsumerSubscription({ topics: ['a'], userData: Buffer.from(userData) });
    expect(readMember('m', metadata)).toEqual({ memberId: 'm', topics: ['a'], ...noClaims });
  });

  test('an assignment comes back as it went, and none is empty', () => {
    const partitions = [
      { topic: 'a', partition: 3 },
      { topic: 'a', partition: 1 },
      { topic: 'b', partition: 0 },
    ];
    expect(decodeConsumerAssignment(encodeConsumerAssignment(partitions))).toEqual(partitions);
    expect(decodeConsumerAssignment(encodeConsumerAssignment([]))).toEqual([]);
    expect(decodeConsumerAssignment(Buffer.alloc(0))).toEqual([]);
  });

  test('bytes that end too early are refused at every length', () => {
    const assignment = encodeConsumerAssignment([{ topic: 'a', partition: 1 }]);
    const subscription = encodeConsumerSubscription({ topics: ['a', 'b'], userData: Buffer.from('{}') });
    for (let length = 1; length < assignment.length - 4; length += 1) {
      expect(() => decodeConsumerAssignment(assignment.subarray(0, length))).toThrow(RangeError);
    }
    for (let length = 0; length < subscription.length; length += 1) {
      expect(() => decodeConsumerSubscription(subscription.subarray(0, length))).toThrow(RangeError);
    }
  });
});
