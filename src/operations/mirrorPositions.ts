import { isTidemarkError, messageOf } from '../errors.ts';
import { isReceiverTopic } from '../model/index.ts';
import { isAlive, mirrorMetadata } from '../offsets/index.ts';
import type { Progress } from './progress.ts';

/**
 * Copies the positions of a pipeline into its consumer group, as its processes do while they run: for commands that moved some while
 * no process is there to do it. With a live process it is left to that one, which may be further by now. Never rejects: answers why
 * the group could not be told, undefined when it was, or when there is nothing to tell.
 */
export async function mirrorPositions(progress: Progress): Promise<string | undefined> {
  const { store, driver, groupId, pipeline, isMirrored } = progress;
  if (driver === undefined || groupId === undefined || !isMirrored) return undefined;
  const live = new Set<string>();
  try {
    const [owners, rows] = await Promise.all([store.owners(), store.read()]);
    for (const owner of owners) if (isAlive(owner)) live.add(owner.instanceId);
    if (rows.some(({ owner }) => owner !== null && live.has(owner))) return undefined;
    const metadata = mirrorMetadata(pipeline);
    const offsets = rows
      .filter(({ topic }) => !isReceiverTopic(topic))
      .map(({ topic, partition, nextOffset: offset }) => ({ topic, partition, offset, metadata }));
    if (offsets.length > 0) await driver.commitOffsets(groupId, offsets);
    return undefined;
  } catch (error) {
    // The members are its own processes: they have been fenced by the move, and tell the group when they have claimed again.
    if (live.size > 0 && isTidemarkError(error, 'GROUP_ACTIVE')) return undefined;
    const code = isTidemarkError(error) ? ` [${error.code}]` : '';
    return `consumer group ${groupId} was not told of the positions: ${messageOf(error)}${code}`;
  }
}
