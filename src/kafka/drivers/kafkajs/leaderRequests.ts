import { TidemarkError } from '../../../errors.ts';
import {
  type PartitionBounds,
  type PartitionKey,
  partitionKey,
  partitionName,
  type TopicPartition,
} from '../../../model/index.ts';
import type { BrokerAddress } from '../../clientOptions.ts';
import type { EpochEndOffset } from '../../driver.ts';
import {
  brokerErrorCodes,
  type EpochEnd,
  earliestTimestamp,
  type IsolationLevel,
  isolationLevels,
  type ListedOffset,
  latestTimestamp,
  listOffsetsRequest,
  offsetForLeaderEpochRequest,
} from '../../protocol/index.ts';
import { brokerFailure, topicsMissing } from '../../reading/index.ts';
import type { Cluster } from './cluster.ts';

/** A partition as its leader wants to be asked for it. */
type Led<P extends TopicPartition> = P & { readonly currentLeaderEpoch: number };

/** Bounds in the order asked. */
export function partitionBounds(cluster: Cluster, partitions: readonly TopicPartition[]): Promise<PartitionBounds[]> {
  return perLeader(cluster, partitions, async (address, members) => {
    const list = (timestamp: bigint, isolation: IsolationLevel) =>
      listOffsets(cluster, address, members, timestamp, isolation);
    // A broker works off one connection's requests in order, and bounds only grow: asked from the low to the high
    // one, they are never seen with the last stable offset above the high watermark.
    const [starts, stables, highs] = await Promise.all([
      list(earliestTimestamp, isolationLevels.readUncommitted),
      list(latestTimestamp, isolationLevels.readCommitted),
      list(latestTimestamp, isolationLevels.readUncommitted),
    ]);
    return new Map(
      members.map((member): [PartitionKey, PartitionBounds] => {
        const key = partitionKey(member);
        const bounds = {
          logStartOffset: offsetIn(starts, key),
          lastStableOffset: offsetIn(stables, key),
          highWatermark: offsetIn(highs, key),
        };
        return [key, bounds];
      }),
    );
  });
}

/** First offsets at or after a timestamp, in the order asked; -1 where there is none. */
export function offsetsAtTimestamp(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  timestampMs: number,
): Promise<bigint[]> {
  // Negative timestamps mean something else to a broker: -1 is the end of the log.
  const timestamp = BigInt(Math.ceil(Math.max(0, timestampMs)));
  return perLeader(cluster, partitions, (address, members) =>
    listOffsets(cluster, address, members, timestamp, isolationLevels.readCommitted),
  );
}

/** Ends of leader epochs in the order asked. */
export function leaderEpochEnds(
  cluster: Cluster,
  queries: readonly (TopicPartition & { readonly leaderEpoch: number })[],
): Promise<(EpochEndOffset | undefined)[]> {
  return perLeader(cluster, queries, async (address, members) => {
    const { ends } = await cluster.ask(address, offsetForLeaderEpochRequest(members));
    return new Map(
      ends.map((end): [PartitionKey, EpochEndOffset | undefined] => {
        checkAnswer(end, 'look up a leader epoch of');
        return [partitionKey(end), knownEnd(end)];
      }),
    );
  });
}

function knownEnd({ leaderEpoch, endOffset }: EpochEnd): EpochEndOffset | undefined {
  return leaderEpoch < 0 || endOffset < 0n ? undefined : { leaderEpoch, endOffset };
}

async function listOffsets(
  cluster: Cluster,
  address: BrokerAddress,
  members: readonly Led<TopicPartition>[],
  timestamp: bigint,
  isolation: IsolationLevel,
): Promise<Map<PartitionKey, bigint>> {
  const { offsets } = await cluster.ask(address, listOffsetsRequest(members, timestamp, isolation));
  return new Map(
    offsets.map((listed: ListedOffset) => {
      checkAnswer(listed, 'list offsets of');
      return [partitionKey(listed), listed.offset];
    }),
  );
}

function checkAnswer(answer: TopicPartition & { readonly errorCode: number }, action: string): void {
  if (answer.errorCode === brokerErrorCodes.NONE) return;
  const { topic, partition } = answer;
  throw brokerFailure(answer.errorCode, { action: `${action} ${partitionName(answer)}`, topic, partition });
}

function offsetIn(offsets: ReadonlyMap<PartitionKey, bigint>, key: PartitionKey): bigint {
  const offset = offsets.get(key);
  if (offset === undefined) throw unanswered(key);
  return offset;
}

function unanswered(key: PartitionKey): TidemarkError {
  return new TidemarkError('KAFKA_REQUEST_FAILED', `The broker's answer leaves out ${key}`, { retriable: true });
}

/**
 * Asks each leader for its partitions and puts the answers in the order asked. One partition that fails makes the
 * whole of it fail, and be tried again with fresh metadata where that can help: these requests change nothing.
 */
async function perLeader<P extends TopicPartition, R>(
  cluster: Cluster,
  partitions: readonly P[],
  ask: (address: BrokerAddress, members: readonly Led<P>[]) => Promise<ReadonlyMap<PartitionKey, R>>,
): Promise<R[]> {
  return cluster.retrying(async (attempt) => {
    await lookUpTopics(cluster, partitions, attempt > 1);
    const leaders = new Map<number, { address: BrokerAddress; members: Map<PartitionKey, Led<P>> }>();
    for (const partition of partitions) {
      const { nodeId, address, leaderEpoch } = cluster.metadata.leader(partition);
      const group = leaders.get(nodeId) ?? { address, members: new Map() };
      group.members.set(partitionKey(partition), { ...partition, currentLeaderEpoch: leaderEpoch });
      leaders.set(nodeId, group);
    }
    const groups = [...leaders.values()];
    const answers = await Promise.all(groups.map(({ address, members }) => ask(address, [...members.values()])));
    const merged = new Map(answers.flatMap((answer) => [...answer]));
    return partitions.map((partition) => {
      const key = partitionKey(partition);
      if (!merged.has(key)) throw unanswered(key);
      return merged.get(key) as R;
    });
  });
}

async function lookUpTopics(cluster: Cluster, partitions: readonly TopicPartition[], fresh: boolean): Promise<void> {
  const topics = [...new Set(partitions.map(({ topic }) => topic))];
  const unknown = topics.filter((topic) => fresh || (cluster.metadata.topic(topic)?.errorCode ?? -1) !== 0);
  if (unknown.length === 0) return;
  const missing = (await cluster.refresh(unknown)).filter(
    ({ errorCode }) => errorCode === brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  );
  if (missing.length > 0) throw topicsMissing(missing.map(({ topic }) => topic));
}
