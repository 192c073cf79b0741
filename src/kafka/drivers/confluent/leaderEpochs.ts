import type { TidemarkError } from '../../../errors.ts';
import type { TopicPartition } from '../../../model/index.ts';
import type { Clock } from '../../../platform/index.ts';
import type { ResolvedClientOptions } from '../../clientOptions.ts';
import type { EpochEndOffset } from '../../driver.ts';
import { Cluster } from '../kafkajs/cluster.ts';
import { leaderEpochEnds } from '../kafkajs/leaderRequests.ts';

/**
 * Where leader epochs end (OffsetForLeaderEpoch). The library asks that only for itself and has no call for it; without it
 * nobody notices that a log was truncated below a stored position. So it is asked by a request of our own, on a connection
 * that is made when it is first needed.
 */
export class LeaderEpochs {
  readonly #cluster: Cluster;
  #connected: Promise<void> | undefined;

  constructor(options: ResolvedClientOptions, clock: Clock) {
    this.#cluster = new Cluster(options, clock);
  }

  async ends(
    queries: readonly (TopicPartition & { readonly leaderEpoch: number })[],
  ): Promise<readonly (EpochEndOffset | undefined)[]> {
    if (queries.length === 0) return [];
    this.#connected ??= this.#cluster.bootstrap().catch((error) => {
      this.#connected = undefined;
      throw error;
    });
    await this.#connected;
    return leaderEpochEnds(this.#cluster, queries);
  }

  close(reason: TidemarkError): void {
    this.#cluster.close(reason);
  }
}
