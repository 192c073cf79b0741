import { describe, expect, test } from 'vitest';
import { ClusterMetadata } from '../../../../../src/kafka/drivers/kafkajs/clusterMetadata.ts';
import type { TopicMetadata } from '../../../../../src/kafka/protocol/index.ts';

const brokers = [1, 2].map((nodeId) => ({ nodeId, host: `broker-${nodeId}`, port: 9092 }));
const where = { topic: 't', partition: 0 };

function topic(leader: number, leaderEpoch: number, topicId = 'a'): TopicMetadata {
  const partitions = [{ errorCode: 0, partition: 0, leader, leaderEpoch }];
  return { errorCode: 0, topic: 't', topicId, isInternal: false, partitions };
}

function metadata(...answers: TopicMetadata[]): ClusterMetadata {
  const known = new ClusterMetadata();
  for (const answer of answers) known.update({ throttleMs: 0, brokers, topics: [answer] });
  return known;
}

describe('metadata', () => {
  test('follows a leader to a higher epoch', () => {
    expect(metadata(topic(1, 4), topic(2, 5)).leader(where)).toMatchObject({ nodeId: 2, leaderEpoch: 5 });
  });

  test('does not go back to an older leader when a broker is behind', () => {
    expect(metadata(topic(2, 5), topic(1, 4)).leader(where)).toMatchObject({ nodeId: 2, leaderEpoch: 5 });
  });

  test('begins anew with a topic that was made again', () => {
    const known = metadata(topic(2, 5, 'a'), topic(1, 0, 'b'));
    expect(known.leader(where)).toMatchObject({ nodeId: 1, leaderEpoch: 0 });
    expect(known.topic('t')?.topicId).toBe('b');
  });

  test('keeps its brokers when an answer names none', () => {
    const known = metadata(topic(1, 1));
    known.update({ throttleMs: 0, brokers: [], topics: [] });
    expect(known.leader(where).address).toMatchObject({ host: 'broker-1' });
  });

  test.each([
    ['no leader', topic(-1, 3), where, 'KAFKA_REQUEST_FAILED', true],
    ['a leader that is not in the list', topic(9, 3), where, 'KAFKA_REQUEST_FAILED', true],
    ['a partition that does not exist', topic(1, 3), { topic: 't', partition: 8 }, 'KAFKA_TOPIC_MISSING', false],
    ['a topic that is not known', topic(1, 3), { topic: 'u', partition: 0 }, 'KAFKA_TOPIC_MISSING', false],
    ['a topic without rights', { ...topic(1, 3), errorCode: 29 }, where, 'KAFKA_AUTHORIZATION_FAILED', false],
  ])('says so of %s', (_, answer, asked, code, retriable) => {
    expect(() => metadata(answer).leader(asked)).toThrow(expect.objectContaining({ code, retriable }));
  });
});
