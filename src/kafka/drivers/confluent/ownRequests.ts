import type { TidemarkError } from '../../../errors.ts';
import type { TopicPartition } from '../../../model/index.ts';
import type { Clock } from '../../../platform/index.ts';
import type { ResolvedClientOptions } from '../../clientOptions.ts';
import type { EpochEndOffset } from '../../driver.ts';
import { Cluster } from '../kafkajs/cluster.ts';
import { leaderEpochEnds } from '../kafkajs/leaderRequests.ts';

/**
 * Requests that the library has no call for, or none that a process survives, made on connections of our own, which are opened
 * when they are first needed:
 *
 * - where a leader epoch ends (OffsetForLeaderEpoch): without it nobody notices that a log was truncated below a stored
 *   position; the library asks it only for itself,
 * - what a coordinator has of a group and of its members: the library's `describeGroups` reads a null pointer when the answer
 *   about a group is an error,
 * - the offsets of a group, for who is not its member: the library needs a client for each group to commit, reads nothing of a
 *   first offset that a transaction is about to write, and deletes none.
 */
export class OwnRequests {
  readonly #cluster: Cluster;
  #connected: Promise<void> | undefined;

  constructor(options: ResolvedClientOptions, clock: Clock) {
    this.#cluster = new Cluster(options, clock);
  }

  /** Ends of leader epochs in the order asked. */
  async epochEnds(
    queries: readonly (TopicPartition & { readonly leaderEpoch: number })[],
  ): Promise<readonly (EpochEndOffset | undefined)[]> {
    return queries.length === 0 ? [] : leaderEpochEnds(await this.connected(), queries);
  }

  async connected(): Promise<Cluster> {
    this.#connected ??= this.#cluster.bootstrap().catch((error) => {
      this.#connected = undefined;
      throw error;
    });
    await this.#connected;
    return this.#cluster;
  }

  close(reason: TidemarkError): void {
    this.#cluster.close(reason);
  }
}
