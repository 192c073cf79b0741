import type { GroupDescription } from '../../kafka/index.ts';
import type { Clock } from '../../platform/index.ts';
import { GroupCoordinator } from './groupCoordinator.ts';
import type { Topics } from './topics.ts';

/** The coordinators of a cluster's consumer groups. */
export class Groups {
  readonly #topics: Topics;
  readonly #clock: Clock;
  readonly #awaitsRevocation: boolean;
  readonly #groups = new Map<string, GroupCoordinator>();

  constructor(topics: Topics, clock: Clock, awaitsRevocation: boolean) {
    this.#topics = topics;
    this.#clock = clock;
    this.#awaitsRevocation = awaitsRevocation;
  }

  /** Those that somebody has joined, members or not. */
  get described(): GroupDescription[] {
    return [...this.#groups.values()].flatMap(({ description }) => description ?? []);
  }

  get(groupId: string): GroupCoordinator {
    const known = this.#groups.get(groupId);
    if (known !== undefined) return known;
    const made = new GroupCoordinator(groupId, this.#topics, this.#clock, this.#awaitsRevocation);
    this.#groups.set(groupId, made);
    return made;
  }
}
