import { TidemarkError } from '../../../errors.ts';
import { partitionName, type TopicPartition } from '../../../model/index.ts';
import type { HeldClaim, RangeCommit, StoredOffset } from '../../store.ts';
import type { Answer } from './requests.ts';
import type { RangeRow, Row } from './rows.ts';

/** What a script has against the keys or its arguments, wherever it happens; everything else is passed on. */
export function requireSound(doing: string, answer: Answer): Answer {
  const [word, first, second] = answer as readonly string[];
  if (word === 'damaged') {
    throw new TidemarkError(
      'STORE_REQUEST_FAILED',
      `${doing}: the key ${first} is not as tidemark writes it: ${second}`,
      {
        hint: 'Nothing was written. Look at the key; where it is not of tidemark, move it away or choose another database of Redis.',
      },
    );
  }
  if (word === 'argument') throw new TidemarkError('INVARIANT_BROKEN', `${doing}: ${first}`);
  return answer;
}

/** Why a commit was refused: the answer has a word for it, the number of the commit, its row and the newest row of its history. */
export function commitRefusal(commits: readonly RangeCommit[], answer: readonly string[]): TidemarkError {
  const [word, number, rowText = '', newestText = ''] = answer;
  const range = commits[Number(number) - 1]?.range;
  if (range === undefined) return new TidemarkError('INVARIANT_BROKEN', `Redis refused a commit: ${word}`);
  const row = rowText === '' ? undefined : (JSON.parse(rowText) as Row);
  if (word === 'fenced' || row === undefined)
    return fenced(range, row && { owner: row.owner, ownerEpoch: BigInt(row.epoch) });
  if (word === 'moved') return refusal('LEDGER_MOVED', range, `stands at ${row.next}, not at ${range.fromOffset}`);
  const newest = JSON.parse(newestText) as RangeRow;
  const text = `stands at ${row.next}, its history ends at ${newest.until} (incarnation ${row.incarnation}, in the history ${newest.incarnation})`;
  return refusal('LEDGER_TAMPERED', range, text);
}

export function fenced(of: TopicPartition, row: Pick<StoredOffset, 'owner' | 'ownerEpoch'> | undefined): TidemarkError {
  const found =
    row === undefined
      ? 'is not there any more'
      : `carries another claim than ours: owner ${row.owner ?? 'nobody'}, owner epoch ${row.ownerEpoch}`;
  return refusal('LEDGER_FENCED', of, found);
}

export function otherTopicId(held: HeldClaim, seenTopicId: string, found: string): TidemarkError {
  return refusal('LEDGER_MOVED', held, `has the topic id ${found}, not ${seenTopicId}`);
}

/** An order to skip came too late. */
export function passed(of: TopicPartition, rowText: string, fromOffset: bigint | null): TidemarkError {
  const { next } = JSON.parse(rowText) as Row;
  return refusal('LEDGER_MOVED', of, `stands at ${next} already, behind offset ${fromOffset}`);
}

const hints = {
  LEDGER_FENCED: 'Nothing was written. Another process owns the partition now.',
  LEDGER_MOVED: 'Nothing was written. The row is looked at before going on.',
  LEDGER_TAMPERED: 'Nothing was written. Put the row back to where the history ends, or reset the partition.',
} as const;

function refusal(code: keyof typeof hints, of: TopicPartition, found: string): TidemarkError {
  const { topic, partition } = of;
  return new TidemarkError(code, `The ledger row of ${partitionName({ topic, partition })} ${found}`, {
    topic,
    partition,
    hint: hints[code],
  });
}
