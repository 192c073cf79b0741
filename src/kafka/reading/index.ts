/**
 * What reading a partition is made of above the wire: the states of a stream, what an answer and a refused position mean, and
 * the errors of a broker. Loads no client library, so that a driver without one (the in-memory cluster of the test kit) reads
 * by the same rules.
 */
export { brokerFailure, groupActive, topicRecreated, topicsMissing } from './failures.ts';
export { fetcherDefaults } from './fetcherDefaults.ts';
export { type Failure, judgeAnswer, type ReadPosition, type Verdict } from './fetchVerdict.ts';
export { FollowedPartition, type StreamOwner } from './followedPartition.ts';
export { judgeOutOfRange } from './positionVerdict.ts';
export { endsStream, retryBaseMs, retryCapMs, retryRequest } from './retrying.ts';
