import { isTidemarkError, type TidemarkError } from '../../errors.ts';
import type { GroupMembership, MembershipListener, MembershipLoss, MembershipOptions } from '../../kafka/index.ts';
import { partitionName, type TopicPartition } from '../../model/index.ts';
import { eventually } from '../eventually.ts';
import type { MemberProcess, MembershipSuite } from './suite.ts';

/** One member, what it believes to have, and the rules that hold at every call it hears. */
export class Member implements MembershipListener {
  readonly name: string;
  readonly process: MemberProcess;
  readonly membership: GroupMembership;
  /** Every call, in words: `assigned t-0 t-1`. */
  readonly heard: string[] = [];
  readonly losses: MembershipLoss[] = [];
  readonly failures: TidemarkError[] = [];
  readonly broken: string[] = [];
  readonly generations: number[] = [];
  /** What `revoked` waits for. */
  drain: (partitions: readonly TopicPartition[]) => Promise<void> = async () => {};
  readonly #believed = new Set<string>();
  readonly #onAssigned: (member: Member, partitions: readonly string[]) => void;
  #revoking = false;

  constructor(
    name: string,
    process: MemberProcess,
    options: MembershipOptions,
    onAssigned: (member: Member, partitions: readonly string[]) => void,
  ) {
    this.name = name;
    this.process = process;
    this.#onAssigned = onAssigned;
    this.membership = process.driver.openMembership(options, this);
  }

  /** Partitions it was told to have and not to have lost, in order. */
  get believed(): string[] {
    return [...this.#believed].sort();
  }

  /** The same by the membership itself. */
  get assignment(): string[] {
    return this.membership.assignment.map(partitionName).sort();
  }

  assigned(partitions: readonly TopicPartition[]): void {
    const names = this.#hear('assigned', partitions);
    for (const name of names) {
      if (this.#believed.has(name)) this.broken.push(`${name} assigned again`);
      this.#believed.add(name);
    }
    this.#onAssigned(this, names);
  }

  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    const names = this.#hear('revoked', partitions);
    this.#revoking = true;
    await this.drain(partitions);
    this.#revoking = false;
    this.#drop('revoked', names);
  }

  lost(partitions: readonly TopicPartition[], loss: MembershipLoss): void {
    this.#drop('lost', this.#hear('lost', partitions));
    if (this.#believed.size > 0) this.broken.push(`lost, but still has ${this.believed}`);
    this.losses.push(loss);
  }

  balanced({ generation }: { readonly generation: number }): void {
    if (generation <= (this.generations.at(-1) ?? -1)) this.broken.push(`generation ${generation} again`);
    this.generations.push(generation);
  }

  failed(error: TidemarkError): void {
    this.failures.push(error);
  }

  #hear(call: string, partitions: readonly TopicPartition[]): string[] {
    const names = partitions.map(partitionName);
    if (this.#revoking) this.broken.push(`${call} while revoked is not done`);
    this.heard.push([call, ...names].join(' '));
    return names;
  }

  #drop(call: string, names: readonly string[]): void {
    for (const name of names)
      if (!this.#believed.delete(name)) this.broken.push(`${name} ${call}, but it never had it`);
  }
}

/** The members of one group of one test. */
export class Party {
  readonly prefix: string;
  readonly groupId: string;
  readonly #suite: MembershipSuite;
  readonly #members: Member[] = [];
  readonly #broken: string[] = [];

  constructor(suite: MembershipSuite) {
    this.#suite = suite;
    this.prefix = suite.environment.newPrefix();
    this.groupId = `${this.prefix}group`;
  }

  async topic(name: string, partitions: number): Promise<string> {
    await this.#suite.environment.createTopic(`${this.prefix}${name}`, partitions);
    return `${this.prefix}${name}`;
  }

  /** A member in a process of its own that has not joined yet. */
  async newMember(
    subscription: MembershipOptions['subscription'],
    more: Partial<MembershipOptions> = {},
  ): Promise<Member> {
    const process = await this.#suite.environment.newProcess();
    const options = { groupId: this.groupId, subscription, ...this.#suite.environment.options, ...more };
    const name = `member ${this.#members.length + 1}`;
    const member = new Member(name, process, options, (to, partitions) => this.#checkOwners(to, partitions));
    this.#members.push(member);
    return member;
  }

  async join(subscription: MembershipOptions['subscription'], more: Partial<MembershipOptions> = {}): Promise<Member> {
    const member = await this.newMember(subscription, more);
    await member.membership.join();
    return member;
  }

  /**
   * Waits until the group has come to rest with these members: each partition has exactly one of them, members and
   * listeners agree, and the coordinator says the same. `topics` with their numbers of partitions.
   */
  async settled(members: readonly Member[], topics: Readonly<Record<string, number>>): Promise<void> {
    const all = Object.entries(topics).flatMap(([topic, count]) =>
      Array.from({ length: count }, (_, partition) => partitionName({ topic, partition })),
    );
    const wanted = all.sort().join();
    const atRest = async () => {
      const given = members.flatMap(({ believed }) => believed).sort();
      if (given.join() !== wanted) return false;
      if (members.some(({ believed, assignment }) => believed.join() !== assignment.join())) return false;
      const confirmed = await Promise.all(members.map((member) => confirmedBy(member)));
      return members.every(({ believed }, index) => believed.join() === confirmed[index]);
    };
    try {
      await eventually('the group to settle', atRest);
    } catch (error) {
      const state = this.#members.map(
        ({ name, believed, heard }) => `${name} has ${believed}; heard ${heard.join('; ')}`,
      );
      throw new Error([String(error), `wanted ${wanted}`, ...state].join('\n'), { cause: error });
    }
    this.check();
  }

  /** The rules that hold at every moment. */
  check(): void {
    const broken = this.#members.flatMap((member) => member.broken.map((rule) => `${member.name}: ${rule}`));
    this.#suite.assert.deepEqual([...this.#broken, ...broken], []);
  }

  async end(): Promise<void> {
    for (const { process } of this.#members) process.heal();
    await Promise.all(this.#members.map(({ membership }) => membership.leave()));
    await Promise.all(this.#members.map(({ process }) => process.driver.close()));
  }

  /** Where the group waits for `revoked`, no partition ever has two members, the cut off ones aside. */
  #checkOwners(to: Member, partitions: readonly string[]): void {
    if (!this.#suite.environment.capabilities.awaitsRevocation) return;
    for (const other of this.#members) {
      // A process that ended without a word was told nothing: it believes what it believed.
      const isGone = isolated.has(other.process) || other.membership.member === undefined;
      if (other === to || isGone) continue;
      const both = partitions.filter((name) => other.believed.includes(name));
      if (both.length > 0) this.#broken.push(`${both} assigned to ${to.name} while ${other.name} has it`);
    }
  }
}

const isolated = new WeakSet<MemberProcess>();

/** Cuts a member off for good or until `heal`. */
export function isolate(member: Member): void {
  isolated.add(member.process);
  member.process.isolate();
}

async function confirmedBy(member: Member): Promise<string | undefined> {
  try {
    return (await member.membership.confirm()).map(partitionName).sort().join();
  } catch (error) {
    // Lost a moment ago, or rebalancing for longer than a request may take: not at rest.
    if (isTidemarkError(error)) return undefined;
    throw error;
  }
}

export async function withParty(suite: MembershipSuite, use: (party: Party) => Promise<void>): Promise<void> {
  const party = new Party(suite);
  try {
    await use(party);
    party.check();
  } finally {
    await party.end();
  }
}
