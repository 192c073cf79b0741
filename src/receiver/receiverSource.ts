import { TidemarkError } from '../errors.ts';
import type { Fetcher, GroupOffsets, KafkaDriver } from '../kafka/index.ts';
import {
  type OffsetRange,
  type PartitionBounds,
  type PartitionKey,
  partitionKey,
  type RecordChunk,
  type TopicPartition,
} from '../model/index.ts';
import { type HeldClaim, judgePositions, type OffsetStore, type PositionVerdict } from '../offsets/index.ts';
import type { Clock } from '../platform/index.ts';
import type { BatchPlan, BatchSource, PlannablePartition, ReadyPlan, SourcePosition } from '../scheduler/index.ts';
import { batchTimesOf } from './batchTimes.ts';
import type { BlockTracker } from './blockTracker.ts';
import { type DueLane, oldestBatch, unallocated } from './dueLanes.ts';
import { KafkaLane } from './kafkaLane.ts';
import { judgeBlocks } from './keptBlocks.ts';
import { discard, type Lane, type LaneSurroundings } from './lane.ts';
import type { ReceiverHost } from './receiverHost.ts';
import type { ReceiverLog } from './receiverLog.ts';
import { endStrayBlocks } from './strayBlocks.ts';

/** Kafka as a receiver sees it; undefined members: the pipeline has none. */
export interface KafkaSide {
  readonly driver: KafkaDriver;
  readonly fetcher: Fetcher;
  readonly group: GroupOffsets;
  readonly onDataLoss: 'stop' | 'skip-forward';
}

/** How long a log that was full is left alone before blocks are allocated again. */
const allocationRetryMs = 1000;

/**
 * Receiver mode (Spark's receiver-based streams, made exactly-once): what was received is durable before anything else sees it; a
 * batch takes the blocks that wait; the ledger says which of their records are still to be committed.
 */
export class ReceiverSource implements BatchSource {
  readonly #log: ReceiverLog;
  readonly #kafka: KafkaSide | undefined;
  readonly #hosts: readonly ReceiverHost[];
  readonly #store: OffsetStore;
  readonly #on: LaneSurroundings;
  readonly #lanes = new Map<PartitionKey, Lane>();
  #isAllocating = false;
  #isEnding = false;
  #ended: Promise<void> | undefined;

  constructor(
    log: ReceiverLog,
    kafka: KafkaSide | undefined,
    hosts: readonly ReceiverHost[],
    store: OffsetStore,
    on: LaneSurroundings,
  ) {
    this.#log = log;
    this.#kafka = kafka;
    this.#hosts = hosts;
    this.#store = store;
    this.#on = on;
  }

  get #tracker(): BlockTracker {
    return this.#on.tracker;
  }

  get #clock(): Clock {
    return this.#on.clock;
  }

  async verify(positions: readonly SourcePosition[]): Promise<readonly PositionVerdict[]> {
    const ofKafka = positions.filter((position) => this.#host(position) === undefined);
    const byBrokers = await this.#verifyKafka(ofKafka);
    return Promise.all(
      positions.map((position) => {
        const host = this.#host(position);
        return host === undefined
          ? (byBrokers[ofKafka.indexOf(position)] ?? { kind: 'good' })
          : this.#verifyOwn(position, host);
      }),
    );
  }

  open(position: SourcePosition): void {
    this.close(position);
    const host = this.#host(position);
    this.#lanes.set(
      partitionKey(position),
      host === undefined ? this.#openKafka(position) : host.open(position.nextOffset),
    );
    this.#on.onReady();
  }

  seek(of: TopicPartition, offset: bigint): void {
    this.#lanes.get(partitionKey(of))?.seek(offset);
  }

  close(of: TopicPartition, isFenced = false): void {
    const key = partitionKey(of);
    // Parked before it was fenced: its lane is closed already, and takes in all the same.
    const lane = this.#lanes.get(key) ?? this.#host(of)?.lane;
    lane?.close(isFenced);
    this.#lanes.delete(key);
  }

  reclaimed(held: HeldClaim): void {
    this.#lanes.get(partitionKey(held))?.reclaimed(held);
  }

  committed(of: TopicPartition, nextOffset: bigint): void {
    this.#lanes.get(partitionKey(of))?.committed(nextOffset);
  }

  bounds(of: TopicPartition): PartitionBounds | undefined {
    return this.#lanes.get(partitionKey(of))?.bounds;
  }

  nextTimestampMs(of: TopicPartition, position: bigint): number | undefined {
    return this.#lanes.get(partitionKey(of))?.queue.nextTimestampMs(position);
  }

  retrying(of: TopicPartition): Error | undefined {
    return this.#lanes.get(partitionKey(of))?.retrying;
  }

  /** See strayBlocks.ts. */
  endStrayBlocks(): Promise<void> {
    return endStrayBlocks((stream) => this.#lanes.has(stream), this.#store, this.#on);
  }

  /** How many lanes share what may wait. */
  get laneCount(): number {
    return Math.max(1, this.#lanes.size);
  }

  planReady(partitions: readonly PlannablePartition[], rate: number | undefined): ReadyPlan {
    this.#follow(rate);
    const due = this.#due(partitions);
    const plan = oldestBatch(due);
    const waiting = unallocated(due);
    if (plan.ranges.length === 0 && waiting.length > 0 && !this.#isAllocating) {
      void this.#allocate(waiting, this.#clock.now()).catch((error: unknown) => {
        this.#on.onLog(error);
        this.#clock.after(allocationRetryMs, () => this.#on.onReady());
      });
    }
    return plan;
  }

  async planTick(
    partitions: readonly PlannablePartition[],
    rate: number | undefined,
    tickMs: number,
  ): Promise<BatchPlan> {
    this.#follow(rate);
    const due = this.#due(partitions);
    const left = oldestBatch(due);
    const waiting = unallocated(due);
    if (left.ranges.length > 0 || waiting.length === 0) return left;
    await this.#allocate(waiting, tickMs);
    return oldestBatch(this.#due(partitions));
  }

  async *read(range: OffsetRange, signal: AbortSignal): AsyncGenerator<RecordChunk> {
    const lane = this.#lanes.get(partitionKey(range));
    if (lane === undefined) throw new TidemarkError('INVARIANT_BROKEN', `${range} is read but not received`);
    let position = range.fromOffset;
    for await (const chunk of lane.queue.read(range, signal)) {
      yield chunk;
      position = chunk.nextOffset;
    }
    if (position < range.untilOffset && lane.error !== undefined) throw lane.error;
  }

  hasTakenIn(partitions: readonly PlannablePartition[]): boolean {
    const due = this.#due(partitions);
    return unallocated(due).length > 0 || oldestBatch(due).ranges.length > 0;
  }

  endIntake(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  /** Everything at once; what is not durable by now was never acknowledged. */
  async closeAll(): Promise<void> {
    this.#isEnding = true;
    await Promise.allSettled(this.#hosts.map((host) => host.close()));
    for (const lane of this.#lanes.values()) lane.end();
    this.#lanes.clear();
    await this.#kafka?.fetcher.close();
  }

  async #end(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#hosts.map((host) => host.stopReceiver()));
    const lanes = new Set<Lane>([...this.#lanes.values(), ...this.#hosts.map(({ lane }) => lane)]);
    await Promise.all([...lanes].map((lane) => lane.endIntake()));
    await this.#kafka?.group.flush();
  }

  #host(of: TopicPartition): ReceiverHost | undefined {
    return this.#hosts.find(({ lane }) => lane.topic === of.topic);
  }

  #follow(rate: number | undefined): void {
    if (rate !== undefined) this.#on.limiter.updateRate(rate);
  }

  /** What the lanes of these partitions have to do next. */
  #due(partitions: readonly PlannablePartition[]): readonly DueLane[] {
    return partitions.flatMap(({ position, untilMax, ...of }) => {
      const lane = this.#lanes.get(partitionKey(of));
      return lane === undefined ? [] : [{ lane, position, next: lane.queue.next(position, untilMax) }];
    });
  }

  async #allocate(streams: readonly PartitionKey[], timeMs: number): Promise<void> {
    this.#isAllocating = true;
    try {
      // Times of batches rise, whatever the machine's clock does.
      const batchTimeMs = Math.max(timeMs, (this.#tracker.newestBatchTimeMs ?? -1) + 1);
      const { blocks } = await this.#tracker.allocate(batchTimeMs, streams);
      for (const [key, taken] of blocks) this.#lanes.get(key)?.queue.allocated(taken, batchTimeMs);
    } finally {
      this.#isAllocating = false;
    }
    this.#on.onReady();
  }

  #openKafka(position: SourcePosition): Lane {
    const { fetcher, group } = this.#needsKafka();
    const { kept, finished, stale } = this.#judge(position);
    for (const block of finished) this.#tracker.finish(block);
    discard(stale, 'claim', 'received under another claim', position, this.#on);
    const lane = new KafkaLane(
      position,
      kept,
      batchTimesOf(this.#tracker, partitionKey(position)),
      fetcher,
      group,
      this.#on,
    );
    if (this.#isEnding) void lane.endIntake();
    return lane;
  }

  #judge(position: SourcePosition) {
    return judgeBlocks(this.#tracker.held(partitionKey(position)), position);
  }

  /** The log of the broker goes on where the blocks end that are kept. */
  async #verifyKafka(positions: readonly SourcePosition[]): Promise<readonly PositionVerdict[]> {
    if (positions.length === 0) return [];
    const { driver, onDataLoss } = this.#needsKafka();
    const ends = positions.map((position) => {
      const open = this.#lanes.get(partitionKey(position))?.queue.untilOffset;
      const last = this.#judge(position).kept.at(-1);
      if (last === undefined || open !== undefined) return { ...position, nextOffset: open ?? position.nextOffset };
      return { ...position, nextOffset: last.untilOffset, leaderEpoch: last.leaderEpoch };
    });
    const verdicts = await judgePositions(driver, ends, onDataLoss);
    return verdicts.map((verdict, index) => {
      const isBehindBlocks = ends[index]?.nextOffset !== positions[index]?.nextOffset;
      const isLoss = verdict.kind === 'gap' || (verdict.kind === 'stop' && verdict.error.code === 'DATA_LOSS');
      // What is lost lies behind blocks that are not: they are committed first, and then the loss is met again.
      return isBehindBlocks && isLoss ? { kind: 'good' } : verdict;
    });
  }

  /** The row must belong to this opening of the log, and its offset to what the log holds (I7). */
  async #verifyOwn(position: SourcePosition, host: ReceiverHost): Promise<PositionVerdict> {
    const problem = this.#log.judge(position, host.lane.bounds);
    if (problem !== undefined) {
      await host.stopReceiver();
      return { kind: 'stop', error: problem };
    }
    if (position.topicId !== this.#log.openId) {
      await this.#store.swapTopicId(position.held, position.topicId, this.#log.openId);
    }
    return { kind: 'good' };
  }

  #needsKafka(): KafkaSide {
    if (this.#kafka !== undefined) return this.#kafka;
    throw new TidemarkError('INVARIANT_BROKEN', 'a partition of Kafka in a pipeline without Kafka');
  }
}
