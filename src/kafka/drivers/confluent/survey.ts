import { isTidemarkError, messageOf, TidemarkError } from '../../../errors.ts';
import { type PartitionBounds, partitionKey, partitionName } from '../../../model/index.ts';
import { type Failure, judgeOutOfRange } from '../../reading/index.ts';
import { codeOf, libraryFailure } from './failures.ts';
import type { FetcherCore } from './fetcherParts.ts';
import { identityFailure } from './identity.ts';
import { knownBounds, knownTopics } from './lookups.ts';
import type { OwnRequests } from './ownRequests.ts';
import { nothingComes, type Reading } from './reading.ts';

/** How old bounds may be. */
const everyMs = 500;
/** Least time between two surveys, when one is asked for. */
const paceMs = 50;
/** Nothing heard for so long, though there is something: the library has lost it. */
const stallMs = 2_000;
/** So many restarts at one place, with damaged bytes reported, are no damage on the way. */
const stallsMax = 2;

/**
 * Looks at the topics and bounds of all streams, before they are read and then every now and then: the library's errors do not
 * say of which partition they are, are given once, and get lost when records were collected in the same call. So an error
 * is only a reason to look at once; what has become of a partition is judged by what the cluster has.
 */
export class Survey {
  readonly #fetcher: FetcherCore;
  readonly #requests: OwnRequests;
  #isRunning = false;
  #isWanted = false;
  #hurry = () => {};

  constructor(fetcher: FetcherCore, requests: OwnRequests) {
    this.#fetcher = fetcher;
    this.#requests = requests;
  }

  /** Looks soon, and from now on for as long as there are streams. */
  soon(): void {
    this.#isWanted = true;
    this.#hurry();
    if (this.#isRunning || this.#fetcher.ending.aborted) return;
    this.#isRunning = true;
    void this.#run().finally(() => {
      this.#isRunning = false;
    });
  }

  async #run(): Promise<void> {
    const { clock, ending } = this.#fetcher;
    while (!ending.aborted) {
      this.#isWanted = false;
      const readings = [...this.#fetcher.readings];
      if (readings.length === 0) return;
      await this.#survey(readings);
      await clock.sleep(paceMs, ending).catch(() => {});
      if (!this.#isWanted && !ending.aborted) await this.#rest();
    }
  }

  async #rest(): Promise<void> {
    const { clock, ending } = this.#fetcher;
    const rest = new AbortController();
    this.#hurry = () => rest.abort();
    await clock.sleep(everyMs, AbortSignal.any([rest.signal, ending])).catch(() => {});
    this.#hurry = () => {};
  }

  async #survey(readings: readonly Reading[]): Promise<void> {
    const fetcher = this.#fetcher;
    const seen = new Map(readings.map((reading) => [reading, sight(reading)]));
    try {
      const topics = await knownTopics(
        fetcher.client,
        readings.map(({ stream }) => stream.topic),
      );
      const good = readings.filter((reading) => {
        const failure = identityFailure(reading.stream, topics.get(reading.stream.topic));
        if (failure !== undefined) fetcher.failed(reading, failure);
        return failure === undefined;
      });
      const bounds = await knownBounds(
        fetcher.client,
        good.map(({ stream }) => stream),
      );
      for (const reading of good) {
        await this.#judge(reading, seen.get(reading) as Sight, bounds.get(partitionKey(reading.stream)));
      }
      fetcher.changed();
    } catch (error) {
      const failure: Failure = { kind: 'retry', error: error instanceof Error ? error : new Error(messageOf(error)) };
      for (const reading of readings) fetcher.failed(reading, failure);
    }
  }

  async #judge(reading: Reading, seen: Sight, bounds: PartitionBounds | TidemarkError | undefined): Promise<void> {
    const { stream } = reading;
    // Sought or closed meanwhile: what was asked is about a position that is no more, and the next survey comes.
    if (stream.isOver || stream.generation !== seen.generation) return;
    const failure = await this.#failure(reading, seen, bounds);
    if (stream.isOver || stream.generation !== seen.generation) return;
    if (failure !== undefined) {
      this.#fetcher.failed(reading, failure);
      return;
    }
    const isFirst = stream.state === 'locating';
    if (isFirst) stream.placed(-1);
    if (stream.learn(bounds as PartitionBounds) || isFirst) stream.changed();
  }

  async #failure(
    reading: Reading,
    seen: Sight,
    bounds: PartitionBounds | TidemarkError | undefined,
  ): Promise<Failure | undefined> {
    if (bounds === undefined) {
      const text = `The answer leaves out ${partitionName(reading.stream)}`;
      return { kind: 'retry', error: new TidemarkError('KAFKA_REQUEST_FAILED', text, { retriable: true }) };
    }
    if (isTidemarkError(bounds)) {
      if (bounds.code === 'KAFKA_TOPIC_MISSING') return { kind: 'doubtful', error: bounds };
      return { kind: bounds.retriable ? 'retry' : 'final', error: bounds };
    }
    const { position } = seen;
    const isOutside = position.fetchedUntil < bounds.logStartOffset || position.fetchedUntil > bounds.highWatermark;
    if (isOutside || reading.isEpochInDoubt) {
      const error = new Error(`Offset ${position.fetchedUntil} of ${partitionName(position)} is in doubt`);
      const { topic, partition } = position;
      const failure = await judgeOutOfRange(position, error, bounds, async (leaderEpoch) => {
        const [end] = await this.#requests.epochEnds([{ topic, partition, leaderEpoch }]);
        return end;
      });
      if (failure.kind === 'final' || isOutside) return failure;
      reading.isEpochInDoubt = false;
    }
    return this.#stall(reading, bounds);
  }

  /** What is there does not come: begins again, and gives up where the library says that the bytes are damaged. */
  #stall(reading: Reading, { lastStableOffset }: PartitionBounds): Failure | undefined {
    const { clock } = this.#fetcher;
    const { stream, deliveredUntil } = reading;
    const isDue = reading.isCurrent && !reading.isPaused && lastStableOffset > deliveredUntil;
    if (!isDue || stream.state !== 'reading' || clock.monotonic() - reading.heardAtMs < stallMs) return undefined;
    reading.stalls = reading.stalledAt === deliveredUntil ? reading.stalls + 1 : 1;
    reading.stalledAt = deliveredUntil;
    reading.needsRestart = true;
    reading.isEpochInDoubt = stream.lastFetchedEpoch >= 0;
    const { damage } = this.#fetcher;
    // Bytes that are damaged for good are reported again after the restart; what was on the way must not explain a later stall.
    this.#fetcher.damage = undefined;
    if (damage === undefined) return { kind: 'retry', error: nothingComes(reading, stallMs) };
    const { topic, partition } = stream;
    const action = `read ${partitionName(stream)} at offset ${deliveredUntil} (${codeOf(damage)})`;
    const error = libraryFailure(damage, { action, topic, partition });
    return { kind: reading.stalls >= stallsMax ? 'final' : 'retry', error };
  }
}

/** Where a stream was when the questions were asked. */
interface Sight {
  readonly generation: number;
  readonly position: {
    readonly topic: string;
    readonly partition: number;
    readonly fetchedUntil: bigint;
    readonly lastFetchedEpoch: number;
    readonly fetchBytes: number;
  };
}

function sight({ stream, isCurrent, deliveredUntil }: Reading): Sight {
  const { topic, partition, generation, fetchBytes, lastFetchedEpoch, fetchedUntil } = stream;
  // What was delivered need not be in the log any more.
  const until = isCurrent && deliveredUntil > fetchedUntil ? deliveredUntil : fetchedUntil;
  return { generation, position: { topic, partition, fetchedUntil: until, lastFetchedEpoch, fetchBytes } };
}
