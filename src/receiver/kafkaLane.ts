import type { Fetcher, GroupOffsets, PartitionStream } from '../kafka/index.ts';
import { storedChunk } from '../kafka/records/index.ts';
import { type PartitionBounds, type PartitionKey, partitionKey, type RecordChunk } from '../model/index.ts';
import type { HeldClaim } from '../offsets/index.ts';
import { turnEventLoop } from '../platform/index.ts';
import type { SourcePosition } from '../scheduler/index.ts';
import type { BlockHeader, LoggedBlock } from './block.ts';
import { BlockGenerator } from './blockGenerator.ts';
import { BlockQueue, rangeOf } from './blockQueue.ts';
import { type LaidOutBlock, layOutBlock } from './entries.ts';
import { announce, discard, hasRoom, type Lane, type LaneSurroundings } from './lane.ts';

/**
 * One partition of Kafka in receiver mode. Its stream is followed at the pace of the rate limiter; every block interval what came is
 * made durable as it is: record batches as the broker sent them, nothing is unpacked. The group hears of it then.
 *
 * Back-pressure: with its share of blocks or bytes waiting, nothing is taken from the stream, which stops asking the broker once
 * its own buffer is full.
 */
export class KafkaLane implements Lane {
  readonly topic: string;
  readonly partition: number;
  readonly key: PartitionKey;
  readonly queue: BlockQueue;
  readonly #topicId: string;
  readonly #group: GroupOffsets;
  readonly #on: LaneSurroundings;
  readonly #stream: PartitionStream;
  readonly #closing = new AbortController();
  #generator: BlockGenerator<RecordChunk>;
  #held: HeldClaim;
  #generations = 0;
  /** Everything from here to where the stream was read is in the queue or on its way there. */
  #committedUntil: bigint;
  #isPumping = false;
  #isEnding = false;

  /** `kept`: durable blocks that the partition goes on with, the first of them holding the position; `batches`: times by entry index. */
  constructor(
    position: SourcePosition,
    kept: readonly LoggedBlock[],
    batches: ReadonlyMap<bigint, number>,
    fetcher: Fetcher,
    group: GroupOffsets,
    on: LaneSurroundings,
  ) {
    const { topic, partition, topicId } = position;
    this.topic = topic;
    this.partition = partition;
    this.key = partitionKey(position);
    this.#topicId = topicId;
    this.#held = position.held;
    this.#group = group;
    this.#on = on;
    this.queue = new BlockQueue(position, (block) => on.tracker.read(block));
    const inherited = kept.find(({ claim }) => claim !== position.held.claim);
    if (inherited !== undefined) this.#adopt(inherited.claim);
    for (const block of kept) this.queue.push(block, undefined, batches.get(block.place.index));
    this.#committedUntil = position.nextOffset;
    this.#generator = this.#begin();
    const last = kept.at(-1);
    // The process before may have died between the block and the word to the group.
    if (last !== undefined) group.tell(this, last.untilOffset);
    this.#stream = fetcher.follow({
      topic,
      partition,
      topicId,
      fromOffset: last?.untilOffset ?? position.nextOffset,
      leaderEpoch: last?.leaderEpoch ?? position.leaderEpoch,
      onChange: () => this.#pump(),
    });
  }

  get bounds(): PartitionBounds | undefined {
    return this.#stream.bounds;
  }

  get retrying(): Error | undefined {
    return this.#stream.retrying?.error ?? this.#group.failing;
  }

  /** What was received before is durable by the time the error is told. */
  get error(): Error | undefined {
    if (this.#generator.failed !== undefined) return this.#generator.failed;
    const isEmpty = this.#stream.takenUntil === this.#stream.fetchedUntil && this.#generator.waitingBlocks === 0;
    return isEmpty && !this.#isPumping ? this.#stream.error : undefined;
  }

  /** Within what waits nothing changes. Elsewhere what waits is of no use, and Kafka has the rest. */
  seek(offset: bigint): void {
    const from = this.queue.fromOffset ?? this.#committedUntil;
    if (from <= offset && offset <= this.#stream.takenUntil) return;
    discard(this.queue.clear(), 'seek', `the partition goes on at offset ${offset}`, this, this.#on);
    this.#generator.abandon();
    this.#generator = this.#begin();
    this.#committedUntil = offset;
    this.#stream.seek(offset);
  }

  reclaimed(held: HeldClaim): void {
    const { claim } = this.#held;
    this.#held = held;
    this.#adopt(claim);
  }

  committed(nextOffset: bigint): void {
    this.#committedUntil = nextOffset;
    for (const block of this.queue.committed(nextOffset)) this.#on.tracker.finish(block);
    this.#pump();
  }

  async endIntake(): Promise<void> {
    this.#isEnding = true;
    this.#closing.abort(new Error('the intake ends'));
    await this.#generator.stop();
  }

  close(): void {
    this.end();
    discard(this.queue.clear(), 'release', 'the partition was given up; Kafka has the records', this, this.#on);
  }

  end(): void {
    this.#isEnding = true;
    this.#closing.abort(new Error('the partition is closed'));
    this.#generations += 1;
    this.#generator.abandon();
    this.#stream.close();
    this.#group.forget(this);
  }

  #begin(): BlockGenerator<RecordChunk> {
    this.#generations += 1;
    const generation = this.#generations;
    const { clock, blockIntervalMs, blockBytesMax } = this.#on;
    const name = `${this.topic}-${this.partition}-${this.#held.ownerEpoch}-${generation}`;
    const generator = new BlockGenerator<RecordChunk>(
      {
        onPushBlock: (blockId, chunks) => this.#push(blockId, chunks, generation),
        onError: (_, error) => this.#on.onLog(error),
      },
      { name, clock, blockIntervalMs, blockBytesMax, bytesOf: (chunk) => chunk.rawBytes },
    );
    generator.start();
    return generator;
  }

  /** A crash before this is durable only means that Kafka is asked again. */
  #adopt(claim: string): void {
    this.#on.tracker.adopt(this.key, claim, this.#held.claim).catch((error: unknown) => this.#on.onLog(error));
  }

  #pump(): void {
    if (this.#isPumping || this.#isEnding) return;
    this.#isPumping = true;
    this.#take()
      // Closed while it waited for a permit, or the generator has ended, which tells its error itself.
      .catch(() => {})
      .finally(() => {
        this.#isPumping = false;
        if (this.#stream.error !== undefined) this.#generator.cut();
        this.#on.onReady();
      });
  }

  async #take(): Promise<void> {
    while (!this.#isEnding && hasRoom(this.queue, this.#generator, this.#on)) {
      const chunk = this.#stream.take();
      if (chunk === undefined) return;
      const generation = this.#generations;
      await this.#on.limiter.acquire(chunk.recordCountMax, this.#closing.signal);
      // A seek while it waited: the chunk belongs to where the stream was before.
      if (generation === this.#generations) this.#generator.addData(chunk);
    }
  }

  async #push(blockId: string, chunks: readonly RecordChunk[], generation: number): Promise<void> {
    const laidOut = this.#layOut(blockId, chunks);
    const logged = await this.#on.tracker.log(laidOut);
    for (const chunk of chunks) chunk.release();
    // A fresh claim while it was on its way.
    if (logged.claim !== this.#held.claim) this.#adopt(logged.claim);
    if (generation !== this.#generations) {
      const cause = this.#isEnding ? 'release' : 'seek';
      discard([logged], cause, 'the partition had moved on when the block was durable', this, this.#on);
      return;
    }
    const { untilOffset } = logged;
    // A gap was committed up to where the stream is while the block was on its way: nothing would ever take it off the queue, and
    // with the smallest limit nothing else would come in.
    if (untilOffset <= this.#committedUntil) {
      this.#on.tracker.finish(logged);
      void turnEventLoop().then(() => this.#pump());
    } else {
      const { payload } = laidOut;
      const lease = this.#on.memory.leaseOf(payload);
      this.queue.push(logged, storedChunk(rangeOf(logged), payload, { isVerified: true, lease }));
      lease?.release();
    }
    this.#on.onLog(undefined);
    announce(logged, this.#on.events);
    this.#group.tell(this, untilOffset);
    this.#on.onReady();
  }

  /** Copies the record batches to where they are written from and read again: the one copy of them. */
  #layOut(blockId: string, chunks: readonly RecordChunk[]): LaidOutBlock {
    const header = this.#headerOf(blockId, chunks);
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.rawBytes, 0);
    const laidOut = layOutBlock(header, bytes, (length) => this.#on.memory.take(length));
    let at = 0;
    for (const chunk of chunks) {
      chunk.copyRawBatches(laidOut.payload, at);
      at += chunk.rawBytes;
    }
    return laidOut;
  }

  #headerOf(blockId: string, chunks: readonly RecordChunk[]): BlockHeader {
    return {
      topic: this.topic,
      partition: this.partition,
      blockId,
      fromOffset: chunks[0]?.fromOffset ?? 0n,
      untilOffset: chunks.at(-1)?.nextOffset ?? 0n,
      recordCount: chunks.reduce((sum, { recordCountMax }) => sum + recordCountMax, 0),
      topicId: this.#topicId,
      leaderEpoch: chunks.findLast(({ leaderEpoch }) => leaderEpoch >= 0)?.leaderEpoch ?? -1,
      claim: this.#held.claim,
      receivedAtMs: this.#on.clock.now(),
    };
  }
}
