import type { TidemarkError } from '../errors.ts';
import { turnEventLoop } from '../platform/index.ts';
import { frameHeaderBytes, frameKinds, groupEntriesMax } from './format.ts';
import { type EntryPlace, type FrameBody, frameBody } from './segmentFile.ts';

/** A group takes no further entry beyond this, or beyond a quarter of a segment; one entry may be larger. */
const groupBytesMax = 4 * 1_048_576;
/** So much of a group must wait for it to be written while the one before is synced. With less, more callers share one fsync. */
const aheadShare = 1 / 4;

interface Waiting {
  readonly body: FrameBody;
  resolve(place: EntryPlace): void;
  reject(error: TidemarkError): void;
}

/** What makes groups durable, in two steps. Both reject with a TidemarkError. */
export interface GroupWriter {
  /** Writes behind the last group; `before` settles when that one is synced, or has failed, and never rejects. */
  write(bodies: readonly FrameBody[], before: Promise<void>): Promise<void>;
  /** Syncs the last group written: answers the places of its entries. */
  sync(bodies: readonly FrameBody[]): Promise<readonly EntryPlace[]>;
}

/**
 * Makes appended entries durable, many with one fsync: whoever comes while a group is synced belongs to the next one. When
 * much waits, the next group is written while the one before is synced; it is synced itself only after that. The queue
 * holds what callers wait for and nothing else, so they bound it themselves.
 */
export class GroupCommit {
  readonly #writer: GroupWriter;
  readonly #groupBytesMax: number;
  readonly #aheadBytesMin: number;
  #queue: Waiting[] = [];
  #queueBytes = 0;
  #isRunning = false;
  #run: Promise<void> = Promise.resolve();
  #whenMuchWaits = () => {};

  constructor(writer: GroupWriter, segmentBytesMax: number) {
    this.#writer = writer;
    this.#groupBytesMax = Math.min(groupBytesMax, segmentBytesMax / 4);
    this.#aheadBytesMin = this.#groupBytesMax * aheadShare;
  }

  append(payload: Uint8Array): Promise<EntryPlace> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ body: frameBody(frameKinds.entry, payload), resolve, reject });
      this.#queueBytes += frameHeaderBytes + payload.length;
      if (this.#queueBytes >= this.#aheadBytesMin) this.#whenMuchWaits();
      if (this.#isRunning) return;
      this.#isRunning = true;
      this.#run = this.#work();
    });
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    while (this.#isRunning) await this.#run;
  }

  async #work(): Promise<void> {
    let before: Promise<void> = Promise.resolve();
    let isSyncing = false;
    for (;;) {
      // Callers that append one entry after the other come back as soon as a group is done: without this turn the first of
      // them would have a group, and an fsync, to itself.
      await turnEventLoop();
      if (isSyncing && this.#queueBytes < this.#aheadBytesMin) {
        await Promise.race([before, this.#muchWaits()]);
        continue;
      }
      if (this.#queue.length === 0) break;
      const group = this.#takeGroup();
      const bodies = group.map(({ body }) => body);
      try {
        await this.#writer.write(bodies, before);
      } catch (error) {
        for (const { reject } of group) reject(error as TidemarkError);
        continue;
      }
      await before;
      isSyncing = true;
      before = this.#sync(group, bodies).finally(() => {
        isSyncing = false;
      });
    }
    // In one step with the look at the queue: who comes now starts anew.
    this.#isRunning = false;
  }

  async #sync(group: readonly Waiting[], bodies: readonly FrameBody[]): Promise<void> {
    try {
      const places = await this.#writer.sync(bodies);
      for (const [at, place] of places.entries()) group[at]?.resolve(place);
    } catch (error) {
      for (const { reject } of group) reject(error as TidemarkError);
    }
  }

  #muchWaits(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenMuchWaits = resolve;
    });
  }

  #takeGroup(): readonly Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { body } of this.#queue) {
      const more = frameHeaderBytes + body.payload.length;
      if (count > 0 && (bytes + more > this.#groupBytesMax || count === groupEntriesMax)) break;
      bytes += more;
      count += 1;
    }
    const group = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    this.#queueBytes -= bytes;
    return group;
  }
}
