import { isReceiverTopic, type TopicPartition } from '../model/index.ts';
import type { OwnerStatus, StoredOffset } from '../offsets/index.ts';
import type { AllAssignment } from './allAssignment.ts';
import type { Assignment } from './assignment.ts';
import type { GroupAssignment } from './groupAssignment.ts';

/** A consumer group decides about the partitions of Kafka; those of receivers are where their log is, on this machine. */
export class MixedAssignment implements Assignment {
  readonly #group: GroupAssignment;
  readonly #own: AllAssignment;

  constructor(group: GroupAssignment, own: AllAssignment) {
    this.#group = group;
    this.#own = own;
  }

  get retrying() {
    return this.#group.retrying;
  }

  join(): Promise<void> {
    return this.#group.join();
  }

  leave(): Promise<void> {
    return this.#group.leave();
  }

  async claimable(
    unheld: readonly StoredOffset[],
    owners: () => Promise<readonly OwnerStatus[]>,
  ): Promise<readonly StoredOffset[]> {
    const own = unheld.filter(isOwn);
    const others = unheld.filter((row) => !isOwn(row));
    return [...(await this.#own.claimable(own, owners)), ...(await this.#group.claimable(others))];
  }

  includes(partition: TopicPartition): boolean {
    return isOwn(partition) || this.#group.includes(partition);
  }

  fenced(partition: TopicPartition): void {
    if (!isOwn(partition)) this.#group.fenced(partition);
  }

  committed(partition: TopicPartition): void {
    if (!isOwn(partition)) this.#group.committed(partition);
  }
}

function isOwn({ topic }: TopicPartition): boolean {
  return isReceiverTopic(topic);
}
