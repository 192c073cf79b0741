import type { Failure, ReadPosition } from '../../reading/index.ts';
import { judgeOutOfRange } from '../../reading/positionVerdict.ts';
import type { Cluster } from './cluster.ts';
import { leaderEpochEnds, partitionBounds } from './leaderRequests.ts';

/** Looks at what the cluster has of a partition whose position a broker refused. */
export async function examinePosition(cluster: Cluster, position: ReadPosition, error: Error): Promise<Failure> {
  const { topic, partition } = position;
  const [bounds] = await partitionBounds(cluster, [position]);
  if (bounds === undefined) return { kind: 'retry', error };
  return judgeOutOfRange(position, error, bounds, async (leaderEpoch) => {
    const [end] = await leaderEpochEnds(cluster, [{ topic, partition, leaderEpoch }]);
    return end;
  });
}
