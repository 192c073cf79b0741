import type { KafkaDriver, MembershipCapabilities, MembershipOptions } from '../../kafka/index.ts';
import type { SuiteRunner } from '../driverConformance/index.ts';

/**
 * One cluster and one kind of driver in one protocol, as the suite sees them. What a test makes may be left behind; the
 * environment ends it.
 */
export interface MembershipEnvironment {
  /** What the membership can do; decides which sections run. */
  readonly capabilities: MembershipCapabilities;
  /** Of every member, as short as cluster and machine allow; `sessionTimeoutMs` also where the broker decides. */
  readonly options: Pick<MembershipOptions, 'protocol'> & {
    readonly sessionTimeoutMs: number;
    readonly heartbeatIntervalMs: number;
    readonly metadataRefreshMs: number;
  };
  /** Whether a rebalance moves no more partitions than it must. Default true; no client's round robin does. */
  readonly isSticky?: boolean;
  /** A process with a connected driver of its own. */
  newProcess(): Promise<MemberProcess>;
  /** Makes a topic of this name; resolves when every broker knows it. */
  createTopic(topic: string, partitions: number): Promise<void>;
  /** Gives a topic more partitions, `total` in all; resolves when every broker knows it. */
  addPartitions(topic: string, total: number): Promise<void>;
  /** Begins the names of one test's topics and groups; never the same twice. */
  newPrefix(): string;
  /** Brings a live member into a group that speaks a protocol the driver cannot join. Absent: those tests do not run. */
  joinForeign?(groupId: string, topic: string): Promise<void>;
}

export interface MemberProcess {
  readonly driver: KafkaDriver;
  /** From now on nothing reaches the cluster or comes back, and nobody is told: connections stay open, new ones are silent. */
  isolate(): void;
  /** Ends that; what was under way arrives. */
  heal(): void;
}

export interface MembershipSuite extends SuiteRunner {
  readonly environment: MembershipEnvironment;
}
