import { isTidemarkError } from '../errors.ts';
import type { KafkaDriver } from '../kafka/index.ts';
import { OffsetRange, type PartitionBounds } from '../model/index.ts';
import type { CommittedRange, OffsetStore } from '../offsets/index.ts';
import { isDamage } from './damage.ts';
import { type Finding, findingAt } from './ledgerProof.ts';
import { rangePages } from './rangePages.ts';
import { visitRecords } from './readRecords.ts';
import type { VerifiedPartition, VerifyStep } from './verify.ts';

/** What the log still has of the newest incarnation of a partition, counted again. */
export interface Recount {
  /** Offsets that were read: what is before has expired. Both undefined where nothing could be read. */
  readonly fromOffset: bigint | undefined;
  readonly untilOffset: bigint | undefined;
  /** Why less than everything was read. */
  readonly reason: string | undefined;
  /** Ranges that were counted, in part where their beginning has expired. */
  readonly ranges: number;
  readonly records: number;
  /** Ranges with fewer records than when they were committed: compacted or expired since. */
  readonly shrunkRanges: number;
  readonly findings: readonly Finding<RecountRule>[];
}

export type RecountRule = 'records' | 'unreadable' | 'ahead';

export interface Log {
  readonly topicId: string;
  readonly bounds: PartitionBounds;
}

const findingsMax = 20;
const expired = 'KAFKA_OFFSET_OUT_OF_RANGE';

/** Counts the records of each committed range of the newest incarnation again, from the log start on; gaps are not read. */
export async function recount(
  store: OffsetStore,
  driver: KafkaDriver,
  verified: VerifiedPartition,
  log: Log | undefined,
  onStep: (step: VerifyStep) => void,
): Promise<Recount> {
  const { row, proof } = verified;
  if (row === undefined || proof === undefined) return nothing('the partition has no position');
  if (log === undefined) return nothing('the brokers do not have it');
  if (log.topicId !== row.topicId) return nothing('the topic was deleted and made again');
  const count = new Count(driver, log, onStep);
  const ahead = aheadOf(verified, log);
  for await (const range of incarnationOf(store, verified)) {
    if (range.kind !== 'batch') await count.flush();
    else await count.add(range);
    if (count.reason !== undefined) break;
  }
  await count.flush();
  return { ...count.result, findings: [...count.result.findings, ...(ahead === undefined ? [] : [ahead])] };
}

/** Ranges of the newest incarnation as they were when they were proven: later ones are not looked at. */
export async function* incarnationOf(
  store: OffsetStore,
  { topic, partition, proof }: VerifiedPartition,
): AsyncGenerator<CommittedRange> {
  if (proof === undefined) return;
  const after = { topic, partition, seq: proof.incarnationSeq - 1n };
  for await (const page of rangePages(store, { topics: [topic], after })) {
    for (const range of page) {
      if (range.topic !== topic || range.partition !== partition || range.seq > proof.newest.seq) return;
      yield range.seq === proof.newest.seq ? proof.newest : range;
    }
  }
}

/** Committed ranges that follow each other are read as one, up to so many. */
const runRanges = 1000;

class Count {
  readonly #driver: KafkaDriver;
  readonly #log: Log;
  readonly #onStep: (step: VerifyStep) => void;
  readonly #findings: Finding<RecountRule>[] = [];
  #run: CommittedRange[] = [];
  #fromOffset: bigint | undefined;
  #untilOffset: bigint | undefined;
  #ranges = 0;
  #records = 0;
  #shrunkRanges = 0;
  reason: string | undefined;

  constructor(driver: KafkaDriver, log: Log, onStep: (step: VerifyStep) => void) {
    this.#driver = driver;
    this.#log = log;
    this.#onStep = onStep;
  }

  get result(): Recount {
    const { reason } = this;
    const ends = { fromOffset: this.#fromOffset, untilOffset: this.#untilOffset, reason };
    const counts = { ranges: this.#ranges, records: this.#records, shrunkRanges: this.#shrunkRanges };
    const isEmpty = this.#fromOffset === undefined && reason === undefined;
    return {
      ...ends,
      ...counts,
      findings: this.#findings,
      ...(isEmpty ? { reason: 'the log has none of it any more' } : {}),
    };
  }

  async add(range: CommittedRange): Promise<void> {
    const { logStartOffset, lastStableOffset } = this.#log.bounds;
    if (range.untilOffset <= logStartOffset || range.untilOffset > lastStableOffset) return this.flush();
    this.#run.push(range);
    if (this.#run.length >= runRanges) await this.flush();
  }

  /** Reads what has been gathered. */
  async flush(): Promise<void> {
    const run = this.#run;
    this.#run = [];
    const [first, last] = [run[0], run.at(-1)];
    if (first === undefined || last === undefined || this.reason !== undefined) return;
    const { topic, partition } = first;
    const { logStartOffset } = this.#log.bounds;
    const from = first.fromOffset < logStartOffset ? logStartOffset : first.fromOffset;
    let [index, records, readUntil] = [0, 0, from];
    const close = (range: CommittedRange) => {
      this.#judge(range, records);
      readUntil = range.untilOffset;
      index += 1;
      records = 0;
    };
    try {
      await visitRecords(
        this.#driver,
        this.#log.topicId,
        new OffsetRange(topic, partition, from, last.untilOffset),
        (cursor) => {
          const { offset } = cursor;
          for (let range = run[index]; range !== undefined && offset >= range.untilOffset; range = run[index])
            close(range);
          records += 1;
          this.#records += 1;
          if (this.#records % 10_000 === 0)
            this.#onStep({ what: 'records', count: this.#records, of: { topic, partition } });
          return true;
        },
      );
      for (let range = run[index]; range !== undefined; range = run[index]) close(range);
    } catch (error) {
      this.#stop(run[index] ?? last, error);
    }
    this.#fromOffset ??= from;
    this.#untilOffset = readUntil;
  }

  /** More records than were counted at the commit: some of them were never processed. */
  #judge(range: CommittedRange, records: number): void {
    this.#ranges += 1;
    const counted = range.counts.records;
    if (records > counted) this.#find(range, 'records', `counts ${counted} records, the log has ${records}`);
    else if (records < counted) this.#shrunkRanges += 1;
  }

  #stop(range: CommittedRange, error: unknown): void {
    if (!isTidemarkError(error)) throw error;
    if (error.code === expired) {
      this.reason = 'its records expired while they were read';
      return;
    }
    if (!isDamage(error)) throw error;
    this.reason = 'a record batch cannot be read';
    this.#find(range, 'unreadable', `cannot be read: ${error.message}`);
  }

  #find(range: CommittedRange, rule: RecountRule, text: string): void {
    if (this.#findings.length < findingsMax) this.#findings.push(findingAt(range, rule, text));
  }
}

function aheadOf({ row, proof }: VerifiedPartition, { bounds }: Log): Finding<RecountRule> | undefined {
  if (row === undefined || proof === undefined || proof.newest.untilOffset <= bounds.highWatermark) return undefined;
  return findingAt(proof.newest, 'ahead', `ends behind the log, whose end is ${bounds.highWatermark}`);
}

function nothing(reason: string): Recount {
  return {
    fromOffset: undefined,
    untilOffset: undefined,
    reason,
    ranges: 0,
    records: 0,
    shrunkRanges: 0,
    findings: [],
  };
}
