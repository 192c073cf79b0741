/**
 * What reading a partition is made of above the wire: the states of a stream, what an answer and a refused position mean, and
 * the errors of a broker. Loads no client library, so that a driver without one (the in-memory cluster of the test kit) reads
 * by the same rules.
 */
export { brokerFailure, topicRecreated, topicsMissing } from '../drivers/kafkajs/failures.ts';
export { type Failure, judgeAnswer, type Verdict } from '../drivers/kafkajs/fetchVerdict.ts';
export { FollowedPartition, type StreamOwner } from '../drivers/kafkajs/followedPartition.ts';
export { judgeOutOfRange } from './positionVerdict.ts';
