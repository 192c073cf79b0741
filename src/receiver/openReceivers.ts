import type { TidemarkError } from '../errors.ts';
import {
  type CommitGroupOffsets,
  type Fetcher,
  GroupOffsets,
  type KafkaDriver,
  readAheadShare,
} from '../kafka/index.ts';
import { RecycledMemory } from '../kafka/records/index.ts';
import { type PartitionBounds, receiverTopic, type TopicPartition } from '../model/index.ts';
import type { OffsetStore } from '../offsets/index.ts';
import { type Clock, type DurableFiles, failpoint, nodeFiles } from '../platform/index.ts';
import { asTidemarkError, type Degradation } from '../scheduler/index.ts';
import type { EventHub } from '../telemetry/index.ts';
import { openWal, type SyncFacts, type WriteAheadLog } from '../wal/index.ts';
import { BlockTracker } from './blockTracker.ts';
import type { LaneSurroundings } from './lane.ts';
import { blockBytesLimitOf, entryBytesMaxOf } from './logLimits.ts';
import { RateLimiter } from './rateLimiter.ts';
import type { Receiver } from './receiver.ts';
import { ReceiverHost } from './receiverHost.ts';
import { ReceiverLog } from './receiverLog.ts';
import { ReceiverSource } from './receiverSource.ts';
import { RecordLane } from './recordLane.ts';
import { Reserve } from './reserve.ts';
import type { ReceiverStatus } from './supervisor.ts';

export interface ReceiverModeOptions {
  /** Records per second over all receivers of this process, and until there is an estimate; 0 = unlimited. */
  readonly maxRate: number;
  readonly initialRate: number;
  readonly shared: { readonly redisUrl: string; readonly name: string } | undefined;
  readonly blockIntervalMs: number;
  readonly blockBytesMax: number;
  readonly blocksWaitingMax: number;
  readonly bytesWaitingMax: number;
  readonly wal: { readonly dir: string; readonly segmentBytesMax: number; readonly retainMs: number };
  /** Those that number their records themselves. */
  readonly receivers: readonly { readonly name: string; readonly receiver: Receiver }[];
  readonly kafka: KafkaReceiverOptions | undefined;
}

export interface KafkaReceiverOptions {
  readonly driver: KafkaDriver;
  readonly onDataLoss: 'stop' | 'skip-forward';
  /** Read ahead of the blocks, over all partitions. */
  readonly bufferedBytesMax: number;
  readonly partitionCount: number;
  readonly commitGroupOffsets: CommitGroupOffsets;
  /** Goes with the offsets that the group is told. */
  readonly metadata: string;
}

export interface ReceiverModeSurroundings {
  readonly store: OffsetStore;
  readonly clock: Clock;
  readonly events: EventHub;
  readonly degradation: Degradation;
  /** A plan could have a different result. */
  readonly onReady: () => void;
  /** The log has ended: the pipeline cannot go on. */
  readonly onFailed: (error: unknown) => void;
  /** Where the log is; undefined: the file system. */
  readonly files?: DurableFiles | undefined;
}

const sweepMs = 1000;
/** Of sweeps that also look for blocks of partitions that went elsewhere, each so-manieth: the ledger is asked. */
const strayEvery = 5;

/** Everything of receiver mode that is open, in the order in which it is closed again. */
export class OpenReceivers {
  readonly source: ReceiverSource;
  readonly #log: ReceiverLog;
  readonly #tracker: BlockTracker;
  readonly #limiter: RateLimiter;
  readonly #hosts: readonly ReceiverHost[];
  readonly #retainMs: number;
  readonly #on: ReceiverModeSurroundings;
  readonly #closing = new AbortController();
  readonly #sweeping: Promise<void>;

  private constructor(
    parts: {
      readonly source: ReceiverSource;
      readonly log: ReceiverLog;
      readonly tracker: BlockTracker;
      readonly limiter: RateLimiter;
      readonly hosts: readonly ReceiverHost[];
    },
    retainMs: number,
    on: ReceiverModeSurroundings,
  ) {
    this.source = parts.source;
    this.#log = parts.log;
    this.#tracker = parts.tracker;
    this.#limiter = parts.limiter;
    this.#hosts = parts.hosts;
    this.#retainMs = retainMs;
    this.#on = on;
    this.#sweeping = this.#sweep();
  }

  /**
   * Opens the log and replays it; nothing is received before a partition is opened. Rejects with the codes of `openWal`, with
   * RECEIVER_LOG_FOREIGN, RATE_LIMITER_UNREACHABLE and those of the store.
   */
  static async open(options: ReceiverModeOptions, on: ReceiverModeSurroundings): Promise<OpenReceivers> {
    const { dir, segmentBytesMax, retainMs } = options.wal;
    const entryBytesMax = entryBytesMaxOf(segmentBytesMax);
    const surroundings = { clock: on.clock, ...(on.files && { files: on.files }) };
    const onSync = (facts: SyncFacts) => on.events.emit('logSynced', facts);
    const wal = await openWal({ dir, segmentBytesMax, entryBytesMax, onSync }, surroundings);
    let limiter: RateLimiter | undefined;
    try {
      const reserve = new Reserve(on.files ?? nodeFiles, dir);
      // Where there is no room for it, no block is added before there is.
      await reserve.hold().catch(() => {});
      const tracker = await BlockTracker.recover(wal, on.clock, reserve);
      const topics = options.receivers.map(({ name }) => receiverTopic(name, wal.logId));
      const log = await ReceiverLog.claim(dir, wal, topics, on.store);
      const { maxRate, initialRate, shared } = options;
      limiter = await RateLimiter.open({ maxRate, initialRate, clock: on.clock, ...(shared && { shared }) });
      const assembled = assemble(options, log, tracker, limiter, on);
      return new OpenReceivers({ log, tracker, limiter, ...assembled }, retainMs, on);
    } catch (error) {
      await limiter?.close();
      await closed(wal);
      throw error;
    }
  }

  /** The partitions of receivers that number their records themselves; their topic id is that of this opening of the log. */
  get partitions(): readonly (TopicPartition & { readonly topicId: string; readonly bounds: PartitionBounds })[] {
    const { openId: topicId } = this.#log;
    return this.#hosts.map(({ lane }) => ({
      topic: lane.topic,
      partition: lane.partition,
      topicId,
      bounds: lane.bounds,
    }));
  }

  get statuses(): readonly ReceiverStatus[] {
    return this.#hosts.map(({ status }) => status);
  }

  /** Records per second that may be taken in at present; 0 = unlimited. */
  get rateLimit(): number {
    return this.#limiter.currentRate;
  }

  /** What is durable and not committed. */
  get waiting(): { readonly blocks: number; readonly bytes: number } {
    return this.#tracker.waiting;
  }

  /** Receivers first, the log last; says what the log still holds. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('closing'));
    await this.#sweeping;
    await this.source.closeAll();
    await this.#limiter.close();
    // What cannot be cleaned up now is at the next start.
    await this.#tracker.sweep(this.#retainMs).catch(() => {});
    this.#on.events.emit('intakeClosed', { dir: this.#log.dir, waiting: this.#tracker.waitingStreams });
    await closed(this.#log.wal);
  }

  async #sweep(): Promise<void> {
    const { signal } = this.#closing;
    for (let round = 1; !signal.aborted; round += 1) {
      await this.#on.clock.sleep(sweepMs, signal).catch(() => {});
      if (signal.aborted) return;
      this.#lookAtRate();
      // A ledger that is away is told of elsewhere; the next round asks again.
      if (round % strayEvery === 0) await this.source.endStrayBlocks().catch(() => {});
      await this.#tracker.sweep(this.#retainMs).catch((error: unknown) => onLog(error, this.#on));
    }
  }

  #lookAtRate(): void {
    const { failing } = this.#limiter;
    if (failing === undefined) this.#on.degradation.end('rate');
    else this.#on.degradation.begin('rate', failing);
  }
}

function assemble(
  options: ReceiverModeOptions,
  log: ReceiverLog,
  tracker: BlockTracker,
  limiter: RateLimiter,
  on: ReceiverModeSurroundings,
): { readonly source: ReceiverSource; readonly hosts: readonly ReceiverHost[] } {
  const { blockIntervalMs, blockBytesMax, blocksWaitingMax, bytesWaitingMax, kafka } = options;
  let laneCount = () => 1;
  const lanes: LaneSurroundings = {
    tracker,
    limiter,
    clock: on.clock,
    events: on.events,
    memory: new RecycledMemory(),
    blockIntervalMs,
    blockBytesMax,
    share: () => ({
      blocks: Math.max(1, Math.floor(blocksWaitingMax / laneCount())),
      bytes: Math.max(1, Math.floor(bytesWaitingMax / laneCount())),
    }),
    onReady: on.onReady,
    onLog: (error) => onLog(error, on),
  };
  const batchBytesMax = blockBytesLimitOf(options.wal.segmentBytesMax);
  const hosts = options.receivers.map(({ name, receiver }) => {
    const lane = new RecordLane(receiverTopic(name, log.wal.logId), batchBytesMax, lanes);
    let told: TidemarkError | undefined;
    const onChange = ({ state, restarts, lastError }: ReceiverStatus) => {
      // The status keeps the last error; the event has it once.
      const error = lastError === told ? undefined : lastError;
      told = lastError;
      on.events.emit('receiverChanged', { receiver: name, state, restarts, address: receiver.address, error });
    };
    return new ReceiverHost(receiver, lane, { name, clock: on.clock, onChange });
  });
  const source = new ReceiverSource(log, kafka && kafkaSide(kafka, blockBytesMax, on.clock), hosts, on.store, lanes);
  laneCount = () => source.laneCount;
  return { source, hosts };
}

function kafkaSide(options: KafkaReceiverOptions, blockBytesMax: number, clock: Clock) {
  const { driver, onDataLoss, commitGroupOffsets, metadata } = options;
  const commit: CommitGroupOffsets = async (offsets) => {
    failpoint('receiver.beforeGroupCommit');
    await commitGroupOffsets(offsets);
    failpoint('receiver.afterGroupCommit');
  };
  return {
    driver,
    onDataLoss,
    fetcher: openFetcher(options, blockBytesMax),
    group: new GroupOffsets(commit, metadata, clock),
  };
}

function openFetcher(
  { driver, bufferedBytesMax, partitionCount }: KafkaReceiverOptions,
  blockBytesMax: number,
): Fetcher {
  const share = readAheadShare(bufferedBytesMax, partitionCount);
  // What one answer holds goes into one block: of a topic with a backlog that would be more than a small segment takes.
  return driver.openFetcher({ ...share, fetchBytesMax: Math.min(share.fetchBytesMax, blockBytesMax) });
}

/** A full disk passes; a block that no segment can hold is its partition's affair; anything else ends the pipeline. */
function onLog(error: unknown, on: ReceiverModeSurroundings): void {
  if (error === undefined) {
    on.degradation.end('log');
    return;
  }
  const failure = asTidemarkError(error);
  if (failure.retriable) on.degradation.begin('log', failure);
  else if (failure.code === 'WAL_ENTRY_TOO_LARGE') on.onReady();
  else if (failure.code !== 'WAL_CLOSED') on.onFailed(failure);
}

/** What a log that has ended says when it is closed was said when it ended. */
async function closed(wal: WriteAheadLog): Promise<void> {
  await wal.close().catch(() => {});
}
