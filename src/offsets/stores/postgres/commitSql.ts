import { comparePartitions } from '../../../model/index.ts';
import { requireAccounted } from '../../accounting.ts';
import type { RangeCommit } from '../../store.ts';
import { quoteIdentifier, quoteLiteral, storable } from './quote.ts';

/**
 * The statements that end a sink transaction: one call of the compare-and-set per range, ordered by topic and partition, the order in
 * which everyone locks rows. They return no rows and raise TM001 (fenced), TM002 (moved) or TM003 (the history does not end
 * where the range starts) inside the server: a string that holds them and COMMIT cannot commit without them.
 *
 * CALL and not DO: the procedure's plans stay in the session, an anonymous block is compiled each time
 * (docs/decisions/0007-ledger-in-postgresql.md has the figures).
 */
export function commitSql(schema: string, pipeline: string, commits: readonly RangeCommit[]): string {
  const prefix = `CALL ${quoteIdentifier(schema)}.commit_range(${quoteLiteral(pipeline)},`;
  return [...commits]
    .sort((a, b) => comparePartitions(a.range, b.range))
    .map((commit) => `${prefix}${commitValues(commit)})`)
    .join(';');
}

function commitValues(commit: RangeCommit): string {
  const { range, held, counts, kind, reason } = commit;
  requireAccounted(commit);
  return [
    quoteLiteral(range.topic),
    range.partition,
    range.fromOffset,
    range.untilOffset,
    quoteLiteral(held.claim),
    commit.leaderEpoch,
    quoteLiteral(kind),
    reason === null ? 'NULL' : quoteLiteral(storable(reason)),
    counts.records,
    counts.produced,
    counts.rows,
    counts.dropped,
    counts.skipped,
    counts.deadLettered,
    quoteLiteral(new Date(commit.batchTimeMs).toISOString()),
  ].join(',');
}
