import { type PartitionKey, partitionKey, type TopicPartition } from '../../../model/index.ts';
import type { FetcherCore } from './fetcherParts.ts';
import type { Handle } from './handle.ts';
import type { NativeConsumer } from './nativeTypes.ts';
import type { Reading } from './reading.ts';

/** Records taken in one call: more of them make the calls fewer, and the event loop stand still for longer. */
const recordsPerPollMax = 1_000;
/** A size to begin with, until there are records to go by. */
const recordBytesGuess = 4_096;
/** The library tells when its queue is not empty any more; this is for a call that was lost. */
const pollAtLeastMs = 100;

/**
 * The only place that talks to the consumer of a fetcher. Turn by turn: first the assignment is made what the streams want,
 * then what waits is polled. In between nothing happens to the assignment, so that all that one poll gives was fetched for
 * the assignment as it is; a poll's records may be older than a call that was made while it ran.
 */
export class ConsumerLoop {
  readonly #handle: Handle;
  readonly #consumer: NativeConsumer;
  readonly #owner: FetcherCore;
  readonly #assigned = new Map<PartitionKey, Reading>();
  #recordBytes = recordBytesGuess;
  #hasEnded = false;
  #hasDelivered = false;
  #isAwake = false;
  #wake = () => {};

  constructor(handle: Handle, owner: FetcherCore) {
    this.#handle = handle;
    this.#consumer = handle.consumer;
    this.#owner = owner;
    this.#consumer.on('data', (message) => {
      const reading = this.#heard(message);
      reading?.deliver(message);
    });
    this.#consumer.on('partition.eof', (end) => {
      const reading = this.#heard(end);
      reading?.deliverEnd(end.offset);
    });
  }

  /** There is something to do: something waits in the queue, or a stream wants something else. */
  wake(): void {
    this.#isAwake = true;
    this.#wake();
  }

  end(): void {
    this.#hasEnded = true;
    this.wake();
  }

  /** Runs until `end()`. */
  async run(): Promise<void> {
    while (!this.#hasEnded) {
      this.#isAwake = false;
      const count = await this.#turn();
      // A turn that gave something is followed by another one: the library tells only when an empty queue fills.
      if (count === 0 && !this.#isAwake) await this.#sleep();
    }
  }

  async #turn(): Promise<number> {
    let count = 0;
    try {
      this.#assign();
      const messages = await this.#handle.poll(this.#pollCount());
      count = messages.length;
      if (count > 0) this.#recordBytes = averageBytes(messages);
    } catch (error) {
      if (this.#hasEnded) return 0;
      this.#owner.complained(error);
    }
    if (this.#hasDelivered) {
      this.#hasDelivered = false;
      this.#owner.delivered();
    }
    return count;
  }

  async #sleep(): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#owner.clock.after(pollAtLeastMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = () => {};
  }

  #heard(of: TopicPartition): Reading | undefined {
    const reading = this.#assigned.get(partitionKey(of));
    // Sought or closed while the poll was under way: what it gives is of before.
    if (reading === undefined || !reading.isCurrent) return undefined;
    reading.heardAtMs = this.#owner.clock.monotonic();
    this.#hasDelivered = true;
    return reading;
  }

  /** Makes the consumer read what the streams want, from where they want it, and not what has no room. */
  #assign(): void {
    const wanted = new Map<PartitionKey, Reading>();
    for (const reading of this.#owner.readings) {
      if (reading.stream.state === 'reading') wanted.set(partitionKey(reading.stream), reading);
    }
    for (const [key, reading] of this.#assigned) {
      if (wanted.get(key) === reading && reading.isCurrent && !reading.needsRestart) continue;
      this.#end(key, reading);
    }
    for (const [key, reading] of wanted) {
      if (!this.#assigned.has(key)) this.#begin(key, reading);
      this.#holdBack(reading);
    }
  }

  /**
   * An unassignment takes effect a while after the call. Until then a poll still gives what was fetched before, and after a
   * seek backwards nobody could tell it from what was asked for: records behind a hole. A pause makes everything that was
   * fetched before it outdated at the moment of the call.
   */
  #end(key: PartitionKey, reading: Reading): void {
    this.#consumer.pause([only(reading.stream)]);
    this.#consumer.incrementalUnassign([only(reading.stream)]);
    reading.assignedFor = undefined;
    this.#assigned.delete(key);
  }

  #begin(key: PartitionKey, reading: Reading): void {
    reading.reset();
    reading.needsRestart = false;
    reading.isPaused = false;
    reading.heardAtMs = this.#owner.clock.monotonic();
    // A number: the library refuses a bigint, and what it makes of a string is not this offset.
    this.#consumer.incrementalAssign([
      { ...only(reading.stream), offset: Number(reading.stream.fetchedUntil) } as TopicPartition,
    ]);
    // A pause outlives the assignment it was made in.
    this.#consumer.resume([only(reading.stream)]);
    reading.assignedFor = reading.stream.generation;
    this.#assigned.set(key, reading);
  }

  /** A pause drops what the library has fetched ahead and goes on from the last record that was delivered. */
  #holdBack(reading: Reading): void {
    const isFull = reading.holdsAsMuchAs(this.#owner.limits);
    if (isFull === reading.isPaused) return;
    if (isFull) this.#consumer.pause([only(reading.stream)]);
    else this.#consumer.resume([only(reading.stream)]);
    reading.isPaused = isFull;
    reading.heardAtMs = this.#owner.clock.monotonic();
  }

  /** A poll can bring a stream over its limit by so much: a quarter, or one record. */
  #pollCount(): number {
    const room = this.#owner.limits.bufferedBytesMax / 4;
    return Math.min(recordsPerPollMax, Math.max(1, Math.floor(room / this.#recordBytes)));
  }
}

function only({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}

function averageBytes(messages: readonly { readonly size?: number; readonly value: Buffer | null }[]): number {
  let bytes = 0;
  for (const { value } of messages) bytes += value?.length ?? 0;
  return Math.max(64, bytes / messages.length);
}
