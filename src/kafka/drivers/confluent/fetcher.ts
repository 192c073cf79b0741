import { TidemarkError } from '../../../errors.ts';
import { partitionKey, partitionName } from '../../../model/index.ts';
import { backoffMs, type Clock } from '../../../platform/index.ts';
import type { Fetcher, FetcherOptions, FollowStart, PartitionStream } from '../../driver.ts';
import {
  endsStream,
  type Failure,
  FollowedPartition,
  fetcherDefaults,
  retryBaseMs,
  retryCapMs,
  type StreamOwner,
} from '../../reading/index.ts';
import type { ConfluentClient } from './client.ts';
import { Confirmation } from './confirmation.ts';
import { ConsumerLoop } from './consumerLoop.ts';
import { codeOf, libraryFailure, localCodes } from './failures.ts';
import type { FetcherCore } from './fetcherParts.ts';
import { Handle } from './handle.ts';
import type { OwnRequests } from './ownRequests.ts';
import { Reading } from './reading.ts';
import { readerSettings } from './settings.ts';
import { Survey } from './survey.ts';

/**
 * The library has one fetch per broker under way and puts nothing new into it: a seek, a new stream and the news that the
 * end is reached wait for that fetch. So its long poll is short.
 */
const fetchWaitMsMax = 100;

/**
 * Follows partitions with one consumer of the library. Four things run side by side, each at its own pace: the consumer loop
 * reads, the confirmation holds what was read against the topic's identity and hands it out, the survey looks at topics
 * and bounds and finds what the library does not tell, and the streams wait to be drained.
 */
export class ConfluentFetcher implements Fetcher, StreamOwner, FetcherCore {
  readonly client: ConfluentClient;
  readonly limits: FetcherOptions;
  readonly #onClose: () => void;
  readonly #ending = new AbortController();
  readonly #readings = new Map<FollowedPartition, Reading>();
  readonly #survey: Survey;
  readonly #confirmation: Confirmation;
  #handle: Handle | undefined;
  #loop: ConsumerLoop | undefined;
  #running: Promise<void> = Promise.resolve();
  damage: unknown;

  constructor(client: ConfluentClient, requests: OwnRequests, options: Partial<FetcherOptions>, onClose: () => void) {
    this.client = client;
    this.limits = { ...fetcherDefaults, ...options };
    this.#onClose = onClose;
    this.#survey = new Survey(this, requests);
    this.#confirmation = new Confirmation(this);
    this.#running = this.#open();
  }

  get clock(): Clock {
    return this.client.clock;
  }

  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  get readings(): Iterable<Reading> {
    return this.#readings.values();
  }

  follow(start: FollowStart): PartitionStream {
    this.ending.throwIfAborted();
    for (const { stream } of this.readings) {
      if (partitionKey(stream) !== partitionKey(start)) continue;
      throw new TidemarkError('INVARIANT_BROKEN', `${partitionName(start)} is followed twice by one fetcher`, {
        topic: start.topic,
        partition: start.partition,
      });
    }
    const stream = new FollowedPartition(start, this);
    this.#readings.set(stream, new Reading(stream));
    this.#survey.soon();
    return stream;
  }

  async close(): Promise<void> {
    await this.end(new TidemarkError('KAFKA_CLOSED', 'Kafka: the fetcher was closed'));
  }

  /** Ends every stream with `reason` and the consumer. Again only waits for that. */
  async end(reason: TidemarkError): Promise<void> {
    if (!this.ending.aborted) {
      this.#ending.abort(reason);
      this.#loop?.end();
      this.#onClose();
      for (const stream of this.#readings.keys()) stream.end(reason);
      this.#readings.clear();
    }
    await this.#handle?.close(this.#running);
  }

  wake(_stream: FollowedPartition): void {
    this.#loop?.wake();
  }

  closed(stream: FollowedPartition): void {
    this.#readings.delete(stream);
    this.#loop?.wake();
  }

  delivered(): void {
    this.#confirmation.soon();
  }

  changed(): void {
    this.#loop?.wake();
  }

  complained(error: unknown): void {
    const code = codeOf(error);
    if (code === localCodes.badMessage || code === localCodes.badCompression) this.damage = error;
    for (const reading of this.readings) {
      if (reading.stream.lastFetchedEpoch >= 0) reading.isEpochInDoubt = true;
    }
    this.#survey.soon();
  }

  watermarks({ stream }: Reading): { lowOffset: number; highOffset: number } | undefined {
    try {
      return this.#handle?.consumer.getWatermarkOffsets(stream.topic, stream.partition);
    } catch {
      return undefined; // it has none yet
    }
  }

  failed(reading: Reading, failure: Failure): void {
    const { stream } = reading;
    if (stream.isOver) return;
    if (endsStream(stream, failure, this.clock.monotonic())) {
      this.#readings.delete(stream);
      stream.end(failure.error);
    } else {
      if (failure.kind === 'doubtful') stream.displaced();
      stream.failed(failure.error, this.clock.monotonic());
      stream.changed();
      this.#survey.soon();
    }
    this.#loop?.wake();
  }

  /** Connects the consumer, for as long as it takes, and runs it. */
  async #open(): Promise<void> {
    for (let attempt = 1; !this.ending.aborted; attempt += 1) {
      const { library, options } = this.client;
      const handle = new Handle(library, this.#settings(), this.clock, () => this.#loop?.wake());
      this.#handle = handle;
      const loop = new ConsumerLoop(handle, this);
      try {
        await handle.connect(options.connectTimeoutMs);
      } catch (error) {
        for (const reading of this.readings) {
          this.failed(reading, { kind: 'retry', error: libraryFailure(error, { action: 'connect' }) });
        }
        await handle.close();
        await this.clock.sleep(backoffMs(attempt, retryBaseMs, retryCapMs), this.ending).catch(() => {});
        continue;
      }
      if (this.ending.aborted) return;
      this.#loop = loop;
      await loop.run();
    }
  }

  #settings(): Record<string, unknown> {
    const { fetchBytesMax, bufferedBytesMax, fetchWaitMs } = this.limits;
    const receiveBytesMax = 1_000_000_000;
    return {
      ...readerSettings(this.client.options),
      'enable.partition.eof': true,
      'check.crcs': true,
      'fetch.wait.max.ms': Math.min(fetchWaitMs, fetchWaitMsMax),
      // The default of a second leaves the queue empty for most of the time.
      'fetch.queue.backoff.ms': 2,
      'fetch.error.backoff.ms': 100,
      'fetch.message.max.bytes': Math.max(1, fetchBytesMax),
      'queued.max.messages.kbytes': Math.max(1, Math.floor(bufferedBytesMax / 1_024)),
      // A batch larger than a fetch arrives whole, so an answer must be allowed to be as large as any batch.
      'receive.message.max.bytes': receiveBytesMax,
    };
  }
}
