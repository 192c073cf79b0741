import { unlessAborted } from '../../../platform/index.ts';
import type { CommittedOffset } from '../../committedOffset.ts';
import type { ConfluentClient } from './client.ts';
import { type CommitEvent, isAnswerTo, nativeOffsets } from './commitEvent.ts';
import { libraryFailure, type Subject, timedOut } from './failures.ts';
import { Handle } from './handle.ts';
import type { NativeOffset } from './nativeTypes.ts';
import { readerSettings } from './settings.ts';

const pollMs = 10;

/**
 * Commits offsets of a group without joining it. The library commits for the group that a client was made for, so there
 * is one client for each group; it is made when it is first needed.
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
    const wanted = nativeOffsets(offsets);
    this.#event = undefined;
    try {
      handle.consumer.commit(wanted);
    } catch (error) {
      throw libraryFailure(error, subject);
    }
    const event = await this.#answer(handle, wanted, subject);
    if (event.error)
      throw libraryFailure(event.error, offsets.length === 1 ? { ...subject, ...only(offsets) } : subject);
  }

  async #answer(handle: Handle, wanted: readonly NativeOffset[], subject: Subject): Promise<CommitEvent> {
    const { clock, closing, options } = this.#client;
    const giveUpAt = clock.monotonic() + options.requestTimeoutMs;
    for (;;) {
      await handle.poll(1).catch(() => []); // events are served while polling; errors of the client come by other ways too
      closing.throwIfAborted();
      const event = this.#event;
      if (event !== undefined && isAnswerTo(wanted, event)) return event;
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

function only([first]: readonly CommittedOffset[]): { topic?: string; partition?: number } {
  return first === undefined ? {} : { topic: first.topic, partition: first.partition };
}
