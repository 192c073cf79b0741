import type { TopicPartition } from '../../model/index.ts';
import type { OffsetStore, StoreCapabilities } from '../../offsets/index.ts';
import type { SuiteRunner } from '../driverConformance/index.ts';

/** One kind of store, as the suite sees it. Everything of a test may be left behind. */
export interface StoreEnvironment {
  /** What the store can do; decides which sections run. */
  readonly capabilities: StoreCapabilities;
  /** The store keeps positions of topics that Kafka could have, and of nothing else. Default false. */
  readonly kafkaTopicsOnly?: boolean;
  /** A place for a ledger that nobody else uses. */
  newPlace(): Promise<LedgerPlace>;
}

export interface LedgerPlace {
  /** The store of one process, not opened; several may work on a place where the store fences them. The environment closes it at the end where the suite does not. */
  newStore(pipeline: string): OffsetStore;
  /** Writes a row's offset behind the store's back, as someone does by hand. This and the next one only where the store fences. */
  moveByHand(pipeline: string, of: TopicPartition, nextOffset: bigint): Promise<void>;
  removeByHand(pipeline: string, of: TopicPartition): Promise<void>;
}

export interface StoreSuite extends SuiteRunner {
  readonly environment: StoreEnvironment;
}
