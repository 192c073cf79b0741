import type { FetchedPartition, FetchPartition } from '../../kafka/protocol/index.ts';
import type { PartitionLog } from './partitionLog.ts';
import type { Topics } from './topics.ts';

/** Codes of the protocol that a fetch is answered with. */
const codes = {
  OFFSET_OUT_OF_RANGE: 1,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  UNKNOWN_TOPIC_ID: 100,
} as const;

const noBytes = Buffer.alloc(0);
const noBounds = { logStartOffset: -1n, highWatermark: -1n, lastStableOffset: -1n };

/** What the leader answers to a fetch of one partition, read committed, by topic id: Fetch v16 without the wire. */
export function answerFetch(topics: Topics, topic: string, request: FetchPartition): FetchedPartition {
  const found = topics.find(topic);
  if (found === undefined || found.topicId !== request.topicId) return refusal(request, codes.UNKNOWN_TOPIC_ID);
  if (found.partitions[request.partition] === undefined) return refusal(request, codes.UNKNOWN_TOPIC_OR_PARTITION);
  const { log } = topics.partition({ topic, partition: request.partition });
  if (request.currentLeaderEpoch < log.leaderEpoch) return refusal(request, codes.FENCED_LEADER_EPOCH);
  if (request.currentLeaderEpoch > log.leaderEpoch) return refusal(request, codes.UNKNOWN_LEADER_EPOCH);
  return answerFromLog(log, request);
}

function answerFromLog(log: PartitionLog, request: FetchPartition): FetchedPartition {
  const { bounds } = log;
  const { topicId, partition, fetchOffset, lastFetchedEpoch, partitionBytesMax } = request;
  const answer = { topicId, partition, errorCode: 0, ...bounds, abortedTransactions: [], bytes: noBytes };
  if (lastFetchedEpoch >= 0) {
    const end = log.endOfEpoch(lastFetchedEpoch);
    if (end === undefined) return refusal(request, codes.OFFSET_OUT_OF_RANGE);
    if (end.leaderEpoch < lastFetchedEpoch || end.endOffset < fetchOffset) return { ...answer, diverging: end };
  }
  if (fetchOffset < bounds.logStartOffset || fetchOffset > bounds.highWatermark) {
    return refusal(request, codes.OFFSET_OUT_OF_RANGE);
  }
  const bytes = log.read(fetchOffset, partitionBytesMax);
  const abortedTransactions = log.abortedWithin(fetchOffset, bounds.lastStableOffset);
  return { ...answer, abortedTransactions, bytes, diverging: undefined };
}

function refusal({ topicId, partition }: FetchPartition, errorCode: number): FetchedPartition {
  return { topicId, partition, errorCode, ...noBounds, abortedTransactions: [], bytes: noBytes, diverging: undefined };
}
