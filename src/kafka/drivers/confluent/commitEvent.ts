import { partitionKey } from '../../../model/index.ts';
import type { CommittedOffset } from '../../committedOffset.ts';
import type { NativeError, NativeOffset, NativePartition } from './nativeTypes.ts';

/**
 * What the library says of a commit. `commitCb` calls back before the broker has answered, and without an error when it then
 * refuses: only the event `offset.commit` tells. The event carries no number of its commit, so one commit is under way at a
 * time, and an event that names other offsets belongs to one that was given up.
 */
export interface CommitEvent {
  readonly error: NativeError | null | undefined;
  readonly offsets: readonly (NativePartition & { readonly offset?: number })[];
}

/** The library's binding ends every metadata with a zero byte, an empty one too: that is better left out. */
export function nativeOffsets(offsets: readonly CommittedOffset[]): NativeOffset[] {
  return offsets.map(({ topic, partition, offset, metadata }) => {
    return { topic, partition, offset: Number(offset), ...(metadata === '' ? {} : { metadata }) };
  });
}

/** Whether an event is the answer to the commit of these offsets. */
export function isAnswerTo(committed: readonly NativeOffset[], { offsets }: CommitEvent): boolean {
  const wanted = new Map(committed.map((each) => [partitionKey(each), each.offset]));
  return offsets.length === wanted.size && offsets.every((each) => wanted.get(partitionKey(each)) === each.offset);
}
