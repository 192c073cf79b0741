import type { TidemarkError } from '../errors.ts';
import { turnEventLoop } from '../platform/index.ts';
import { frameHeaderBytes, frameKinds, groupEntriesMax } from './format.ts';
import { type EntryPlace, type FrameBody, frameBody } from './segmentFile.ts';

/** A group takes no further entry beyond this; one entry may be larger. */
export const groupBytesMax = 16 * 1_048_576;

interface Waiting {
  readonly body: FrameBody;
  resolve(place: EntryPlace): void;
  reject(error: TidemarkError): void;
}

/** Writes the bodies and syncs them: answers their places when they are durable. Rejects with a TidemarkError. */
export type CommitGroup = (bodies: readonly FrameBody[]) => Promise<readonly EntryPlace[]>;

/**
 * Makes appended entries durable, many with one fsync: whoever comes while a group is written and synced belongs to the
 * next one. The queue holds what callers wait for and nothing else, so they bound it themselves.
 */
export class GroupCommit {
  readonly #commit: CommitGroup;
  /** How much the next group may hold besides its first entry. */
  readonly #groupBytesMax: number;
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;

  constructor(commit: CommitGroup, bytesMax: number) {
    this.#commit = commit;
    this.#groupBytesMax = Math.min(groupBytesMax, bytesMax);
  }

  append(payload: Uint8Array): Promise<EntryPlace> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ body: frameBody(frameKinds.entry, payload), resolve, reject });
      this.#running ??= this.#run().finally(() => {
        this.#running = undefined;
      });
    });
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      // Callers that append one entry after the other come back as soon as the last group is done: without this turn the
      // first of them would have a group, and an fsync, to itself.
      await turnEventLoop();
      const group = this.#takeGroup();
      try {
        const places = await this.#commit(group.map(({ body }) => body));
        for (const [at, place] of places.entries()) group[at]?.resolve(place);
      } catch (error) {
        for (const { reject } of group) reject(error as TidemarkError);
      }
    }
  }

  #takeGroup(): readonly Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { body } of this.#queue) {
      bytes += frameHeaderBytes + body.payload.length;
      if (count > 0 && (bytes > this.#groupBytesMax || count === groupEntriesMax)) break;
      count += 1;
    }
    const group = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    return group;
  }
}
