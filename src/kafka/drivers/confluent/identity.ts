import { TidemarkError } from '../../../errors.ts';
import { partitionName } from '../../../model/index.ts';
import { type Failure, type FollowedPartition, topicRecreated, topicsMissing } from '../../reading/index.ts';
import type { KnownTopic } from './lookups.ts';

/** What is wrong with the topic of a stream, going by what a broker says of that name now; undefined when nothing is. */
export function identityFailure(stream: FollowedPartition, found: KnownTopic | undefined): Failure | undefined {
  const { topic, partition, topicId } = stream;
  // Each may pass: brokers learn of topics one after the other.
  if (found === undefined) return { kind: 'doubtful', error: topicsMissing([topic]) };
  if (found.topicId !== topicId) {
    return { kind: 'doubtful', error: topicRecreated(stream, topicId, found.topicId) };
  }
  if (!found.leaders.has(partition)) {
    const text = `Partition ${partitionName(stream)} does not exist`;
    const hint = 'Check the name of the topic and its number of partitions.';
    return { kind: 'doubtful', error: new TidemarkError('KAFKA_TOPIC_MISSING', text, { topic, partition, hint }) };
  }
  return undefined;
}
