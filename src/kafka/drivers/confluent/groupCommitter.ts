import { type PartitionKey, partitionKey } from '../../../model/index.ts';
import { unlessAborted } from '../../../platform/index.ts';
import type { CommittedOffset } from '../../driver.ts';
import type { ConfluentClient } from './client.ts';
import { libraryFailure, type Subject, timedOut } from './failures.ts';
import { Handle } from './handle.ts';
import type { NativeError, NativePartition } from './nativeTypes.ts';
import { readerSettings } from './settings.ts';

const pollMs = 10;

interface CommitEvent {
  readonly error: NativeError | null | undefined;
  readonly offsets: readonly (NativePartition & { readonly offset?: number })[];
}

/**
 * Commits offsets of a group without joining it. The library commits for the group that a client was made for, so there
 * is one client for each group; it is made when it is first needed.
 *
 * `commitCb` calls back before the broker has answered, and without an error when it then refuses: only the event
 * `offset.commit` tells. The event carries no number of its commit, so one commit is under way at a time, and an event that
 * names other offsets belongs to one that was given up.
 */
export class GroupCommitter {
  readonly #client: ConfluentClient;
  readonly #groupId: string;
  #handle: Promise<Handle> | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #event: CommitEvent | undefined;

  constructor(client: ConfluentClient, groupId: string) {
    this.#client = client;
    this.#groupId = groupId;
  }

  /** Resolves on the broker's answer. Committing the same offsets again is harmless, so it is retried whole. */
  commit(offsets: readonly CommittedOffset[]): Promise<void> {
    const committed = this.#queue.then(() => this.#client.retrying(() => this.#commitOnce(offsets)));
    this.#queue = committed.catch(() => {});
    return unlessAborted(committed, this.#client.closing);
  }

  async close(): Promise<void> {
    const handle = await this.#handle?.catch(() => undefined);
    await handle?.close();
  }

  async #commitOnce(offsets: readonly CommittedOffset[]): Promise<void> {
    this.#client.closing.throwIfAborted();
    this.#handle ??= this.#open();
    const handle = await this.#handle.catch((error) => {
      this.#handle = undefined;
      throw error;
    });
    const subject: Subject = { action: `commit offsets of group ${this.#groupId}`, groupId: this.#groupId };
    const wanted = new Map(offsets.map((each) => [partitionKey(each), Number(each.offset)]));
    this.#event = undefined;
    try {
      handle.consumer.commit(
        offsets.map(({ topic, partition, offset, metadata }) => ({
          topic,
          partition,
          offset: Number(offset),
          metadata,
        })),
      );
    } catch (error) {
      throw libraryFailure(error, subject);
    }
    const event = await this.#answer(handle, wanted, subject);
    if (event.error)
      throw libraryFailure(event.error, offsets.length === 1 ? { ...subject, ...only(offsets) } : subject);
  }

  async #answer(handle: Handle, wanted: ReadonlyMap<PartitionKey, number>, subject: Subject): Promise<CommitEvent> {
    const { clock, closing, options } = this.#client;
    const giveUpAt = clock.monotonic() + options.requestTimeoutMs;
    for (;;) {
      await handle.poll(1).catch(() => []); // events are served while polling; errors of the client come by other ways too
      closing.throwIfAborted();
      const event = this.#event;
      if (event !== undefined && isFor(event, wanted)) return event;
      // What became of it is unknown.
      if (clock.monotonic() > giveUpAt) throw timedOut(subject.action, options.requestTimeoutMs);
      await clock.sleep(pollMs, closing);
    }
  }

  async #open(): Promise<Handle> {
    const { library, options, clock } = this.#client;
    const settings = { ...readerSettings(options), 'group.id': this.#groupId, offset_commit_cb: true };
    const handle = new Handle(library, settings, clock);
    handle.consumer.on('offset.commit', (error, offsets) => {
      this.#event = { error, offsets };
    });
    try {
      await handle.connect(options.connectTimeoutMs);
    } catch (error) {
      await handle.close();
      throw libraryFailure(error, { action: 'connect' });
    }
    return handle;
  }
}

function isFor({ offsets }: CommitEvent, wanted: ReadonlyMap<PartitionKey, number>): boolean {
  return offsets.length === wanted.size && offsets.every((each) => wanted.get(partitionKey(each)) === each.offset);
}

function only([first]: readonly CommittedOffset[]): { topic?: string; partition?: number } {
  return first === undefined ? {} : { topic: first.topic, partition: first.partition };
}
