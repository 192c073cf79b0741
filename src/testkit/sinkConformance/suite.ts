import type { Sink, SinkContext } from '../../sinks/index.ts';
import type { SuiteRunner } from '../driverConformance/index.ts';

/** One target with the ledger beside it, as the suite sees it. Everything of a test may be left behind. */
export interface SinkEnvironment {
  /** A new, empty target with a new ledger. */
  newTarget(): Promise<SinkTarget>;
  /** A value that `appendRecord` refuses; undefined for a sink that looks at records later. */
  readonly unstorableValue: Buffer | string | undefined;
  /** A value that only the target itself refuses, naming the record where `namesRefused` says so. */
  readonly refusedValue: string;
  readonly namesRefused: boolean;
}

export interface SinkTarget {
  /**
   * The sink of one process, neither opened nor its store; several may write to a target. Without a transform
   * a record of value `x` gives the row `x`; with one, fields `value` and `n` of its row are stored as `value` and `n`.
   */
  newSink(context: SinkContext, hasTransform: boolean): Sink;
  /** All committed rows, ordered by partition, offset and n; `n` is 0 for a record without a transform. */
  rows(): Promise<readonly StoredRow[]>;
  /** Cuts every connection of the process of that instance id that has a transaction open. Resolves when they are gone. */
  cutTransactions(instanceId: string): Promise<void>;
}

export interface StoredRow {
  readonly partition: number;
  readonly offset: bigint;
  readonly value: string | null;
  readonly n: number;
}

export interface SinkSuite extends SuiteRunner {
  readonly environment: SinkEnvironment;
}
