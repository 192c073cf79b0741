import { TidemarkError } from '../errors.ts';
import type { PartitionBounds } from '../model/index.ts';
import type { OffsetStore, StoredOffset } from '../offsets/index.ts';
import type { SourcePosition } from '../scheduler/index.ts';
import type { WriteAheadLog } from '../wal/index.ts';

/**
 * The log as the ledger knows it. Whoever opens it writes a fresh id into it and swaps that id into the ledger's rows, each against
 * an older one. Two directories with one log id (a copy, a backup that was put back) are told apart by that: the ids of one
 * are not in the other's list.
 */
export class ReceiverLog {
  readonly dir: string;
  readonly wal: WriteAheadLog;
  /** Id of this opening. */
  readonly openId: string;

  private constructor(dir: string, wal: WriteAheadLog, openId: string) {
    this.dir = dir;
    this.wal = wal;
    this.openId = openId;
  }

  /** Rejects with RECEIVER_LOG_FOREIGN when a row belongs to another directory; then nothing is written. */
  static async claim(
    dir: string,
    wal: WriteAheadLog,
    topics: readonly string[],
    store: OffsetStore,
  ): Promise<ReceiverLog> {
    const rows = topics.length === 0 ? [] : await store.read(topics);
    const foreign = rows.find(({ topicId }) => !wal.openIds.includes(topicId));
    if (foreign !== undefined) throw foreignLog(dir, foreign);
    // The newest of those that the ledger has: what came after it was never taken over.
    const known = wal.openIds.find((id) => rows.some(({ topicId }) => topicId === id));
    return new ReceiverLog(dir, wal, await wal.renewOpenId(known));
  }

  /** Why the ledger's row and this log do not belong together; undefined when they do. */
  judge(position: SourcePosition, { logStartOffset, lastStableOffset }: PartitionBounds): TidemarkError | undefined {
    const { topic, partition, nextOffset } = position;
    if (!this.wal.openIds.includes(position.topicId)) return foreignLog(this.dir, position);
    if (nextOffset > lastStableOffset) {
      return new TidemarkError(
        'LEDGER_AHEAD',
        `The ledger has ${topic} at record ${nextOffset}, the log in ${this.dir} ends at ${lastStableOffset}: it lost records that were committed, or is an older copy`,
        { topic, partition, offset: nextOffset, untilOffset: lastStableOffset, path: this.dir, hint: otherDirectory },
      );
    }
    if (nextOffset < logStartOffset) {
      return new TidemarkError(
        'DATA_LOSS',
        `Data loss: the ledger has ${topic} at record ${nextOffset}, the log in ${this.dir} begins at ${logStartOffset}: records ${nextOffset} to ${logStartOffset - 1n} were deleted as committed`,
        {
          topic,
          partition,
          fromOffset: nextOffset,
          untilOffset: logStartOffset,
          path: this.dir,
          hint: 'The database went further back in time than wal.retainMs: put back a newer one, or reset the partition to go on without these records.',
        },
      );
    }
    return undefined;
  }
}

const otherDirectory =
  'Start with the directory that was used last; to go on with this one all the same, name its receivers anew: what waits in it under the old names is then yours to save (tidemark wal inspect).';

function foreignLog(
  dir: string,
  { topic, partition, topicId }: Pick<StoredOffset, 'topic' | 'partition' | 'topicId'>,
): TidemarkError {
  return new TidemarkError(
    'RECEIVER_LOG_FOREIGN',
    `${dir}: the ledger's row of ${topic} belongs to opening ${topicId} of this log, which this directory does not know: it is a copy, or a backup that was put back`,
    { topic, partition, path: dir, hint: otherDirectory },
  );
}
