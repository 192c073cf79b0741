import type { TopicPartition } from '../../../model/index.ts';
import type { NewControl, PositionMove, RangesQuery, SeenRow } from '../../operatorCalls.ts';
import { ledgerStates } from './failures.ts';
import { quoteLiteral, storable } from './quote.ts';
import { controlColumns, rangeColumns } from './rows.ts';
import { type Ledger, lockRows, place, planFor, wanted } from './statements.ts';

const seenColumns =
  'topic text, partition integer, is_seen boolean, seen_offset bigint, seen_claim uuid, seen_epoch bigint';

const seenValues = (seen: SeenRow | undefined) => ({
  is_seen: seen !== undefined,
  seen_offset: seen?.nextOffset,
  seen_claim: seen?.claim,
  seen_epoch: seen?.ownerEpoch,
});

const joinsRow = (ledger: Ledger, alias: string) =>
  `${alias}.pipeline = ${ledger.pipeline} AND ${alias}.topic = wanted.topic AND ${alias}.partition = wanted.partition`;

/** Partitions whose row is not what was seen, with the epoch it was seen with. */
function changedRows(ledger: Ledger): string {
  return `SELECT wanted.* FROM wanted LEFT JOIN ${ledger.s}.offsets o ON ${joinsRow(ledger, 'o')}
      WHERE CASE WHEN wanted.is_seen
        THEN o.next_offset IS DISTINCT FROM wanted.seen_offset OR o.claim IS DISTINCT FROM wanted.seen_claim
          OR o.owner_epoch IS DISTINCT FROM wanted.seen_epoch
        ELSE o.topic IS NOT NULL END`;
}

/** The newest `count` rows of the history of each wanted partition: numbers, incarnations and epochs only rise in it. */
function newestOf(ledger: Ledger, count: number): string {
  return `SELECT * FROM ${ledger.s}.ranges r WHERE ${joinsRow(ledger, 'r')} ORDER BY r.seq DESC LIMIT ${count}`;
}

/** A worker may have claimed and committed since a move whose answer was lost; so far back that move is looked for. */
const lookedBack = 5;

/**
 * Moves rows, all of them or none, and tells which were not as they were seen. The rows are locked before the look at them: what the
 * answer says holds at the commit. A row that is not as it was seen because this very move was made of it is the work of a request
 * whose answer was lost: it stays as it is.
 */
export function movePositions(ledger: Ledger, moves: readonly PositionMove[], by: string): readonly string[] {
  const { s, pipeline } = ledger;
  const rows = moves.map((move) => ({
    ...place(move),
    ...seenValues(move.seen),
    kind: move.kind,
    to_offset: move.toOffset,
    topic_id: move.kind === 'reset' ? move.topicId : undefined,
    reason: storable(move.reason),
  }));
  const of = wanted(rows, `${seenColumns}, kind text, to_offset bigint, topic_id text, reason text`);
  const isDone = `EXISTS (SELECT FROM (${newestOf(ledger, lookedBack)}) r
        WHERE r.kind = wanted.kind AND r.until_offset = wanted.to_offset AND r.reason = wanted.reason AND r.owner = ${quoteLiteral(by)}
          AND r.owner_epoch = coalesce(wanted.seen_epoch, r.owner_epoch - 1) + 1)`;
  const move = `WITH wanted AS MATERIALIZED (SELECT * FROM ${of}),
    unlike AS MATERIALIZED (${changedRows(ledger)}),
    changed AS MATERIALIZED (SELECT wanted.topic, wanted.partition FROM unlike wanted WHERE NOT ${isDone}),
    due AS MATERIALIZED (
      SELECT wanted.*, coalesce(newest.seq, 0) AS seq, coalesce(newest.incarnation, 0) AS last_incarnation,
             coalesce(newest.owner_epoch, 0) AS epoch
        FROM wanted LEFT JOIN LATERAL (${newestOf(ledger, 1)}) newest ON true
       WHERE NOT EXISTS (SELECT FROM changed)
         AND NOT EXISTS (SELECT FROM unlike u WHERE u.topic = wanted.topic AND u.partition = wanted.partition)),
    updated AS (
      UPDATE ${s}.offsets o
         SET next_offset = due.to_offset, claim = NULL, owner = NULL, owner_epoch = o.owner_epoch + 1, state = 'running', reason = NULL,
             topic_id = coalesce(due.topic_id, o.topic_id),
             leader_epoch = CASE due.kind WHEN 'reset' THEN -1 ELSE o.leader_epoch END,
             incarnation = CASE due.kind WHEN 'reset' THEN greatest(o.incarnation, due.last_incarnation) + 1 ELSE o.incarnation END,
             updated_at = clock_timestamp()
        FROM due WHERE due.is_seen AND o.pipeline = ${pipeline} AND o.topic = due.topic AND o.partition = due.partition
      RETURNING o.topic, o.partition, o.owner_epoch, o.incarnation),
    inserted AS (
      INSERT INTO ${s}.offsets (pipeline, topic, partition, next_offset, owner_epoch, topic_id, incarnation)
      SELECT ${pipeline}, topic, partition, to_offset, epoch + 1, topic_id, last_incarnation + 1 FROM due WHERE NOT is_seen
       ORDER BY ordinality
      RETURNING topic, partition, owner_epoch, incarnation),
    kept AS (
      INSERT INTO ${s}.ranges (pipeline, topic, partition, seq, incarnation, from_offset, until_offset, owner, owner_epoch, batch_time,
                               kind, reason)
      SELECT ${pipeline}, due.topic, due.partition, due.seq + 1, now.incarnation,
             CASE due.kind WHEN 'gap' THEN due.seen_offset ELSE due.to_offset END, due.to_offset, ${quoteLiteral(by)},
             now.owner_epoch, clock_timestamp(), due.kind, due.reason
        FROM due JOIN (SELECT * FROM updated UNION ALL SELECT * FROM inserted) now USING (topic, partition)),
    passed AS (
      DELETE FROM ${s}.controls c USING due
       WHERE c.pipeline = ${pipeline} AND c."order" = 'skip' AND c.topic = due.topic AND c.partition = due.partition
         AND c.until_offset <= due.to_offset)
    SELECT topic, partition FROM changed`;
  return [...planFor(moves), lockRows(ledger, of), move];
}

/** Removes rows, all or none; answers like `movePositions`. A row that is not there any more is removed. */
export function removeRows(ledger: Ledger, seen: readonly SeenRow[], by: string, reason: string): readonly string[] {
  const { s, pipeline } = ledger;
  const of = wanted(
    seen.map((row) => ({ ...place(row), ...seenValues(row) })),
    seenColumns,
  );
  const remove = `WITH wanted AS MATERIALIZED (SELECT * FROM ${of}),
    changed AS MATERIALIZED (
      SELECT c.topic, c.partition FROM (${changedRows(ledger)}) c JOIN ${s}.offsets o
        ON o.pipeline = ${pipeline} AND o.topic = c.topic AND o.partition = c.partition),
    removed AS (
      DELETE FROM ${s}.offsets o USING wanted WHERE NOT EXISTS (SELECT FROM changed) AND ${joinsRow(ledger, 'o')}
      RETURNING o.topic, o.partition, o.next_offset, o.owner_epoch, o.incarnation),
    kept AS (
      INSERT INTO ${s}.ranges (pipeline, topic, partition, seq, incarnation, from_offset, until_offset, owner, owner_epoch, batch_time,
                               kind, reason)
      SELECT ${pipeline}, removed.topic, removed.partition, coalesce(newest.seq, 0) + 1, removed.incarnation, removed.next_offset,
             removed.next_offset, ${quoteLiteral(by)}, removed.owner_epoch + 1, clock_timestamp(), 'reset',
             ${quoteLiteral(storable(reason))}
        FROM removed JOIN wanted USING (topic, partition) LEFT JOIN LATERAL (${newestOf(ledger, 1)}) newest ON true),
    ended AS (
      DELETE FROM ${s}.controls c USING removed
       WHERE c.pipeline = ${pipeline} AND c.topic = removed.topic AND c.partition = removed.partition)
    SELECT topic, partition FROM changed`;
  return [...planFor(seen), lockRows(ledger, of), remove];
}

const freed = `claim = NULL, owner = NULL, owner_epoch = o.owner_epoch + 1, updated_at = clock_timestamp(),
       state = CASE o.state WHEN 'parked' THEN 'running' ELSE o.state END,
       reason = CASE o.state WHEN 'parked' THEN NULL ELSE o.reason END`;

export function interruptRows(ledger: Ledger, of: readonly TopicPartition[]): readonly string[] {
  const places = wanted(of.map(place), 'topic text, partition integer');
  return [
    ...planFor(of),
    lockRows(ledger, places),
    `UPDATE ${ledger.s}.offsets o SET ${freed} FROM ${places} WHERE ${joinsRow(ledger, 'o')}`,
  ];
}

/**
 * Keeps orders and takes the claims of the partitions they are about. Everything is locked first: a commit that is ahead of us has
 * moved the row by then, and a skip that lies behind it raises.
 */
export function giveOrders(ledger: Ledger, orders: readonly NewControl[], by: string): readonly string[] {
  const { s, pipeline } = ledger;
  const rows = orders.map(({ topic, partition, order, fromOffset, untilOffset, reason }) => ({
    ...{ topic, partition, order, from_offset: fromOffset, until_offset: untilOffset, reason: storable(reason) },
  }));
  const of = wanted(
    rows,
    'topic text, partition integer, "order" text, from_offset bigint, until_offset bigint, reason text',
  );
  const concerned = `o.pipeline = ${pipeline} AND EXISTS (SELECT FROM ${of}
      WHERE (wanted.topic IS NULL OR o.topic = wanted.topic) AND (wanted.partition IS NULL OR o.partition = wanted.partition))`;
  const late = `SELECT o.topic, o.partition, o.next_offset, wanted.from_offset FROM ${s}.offsets o JOIN ${of}
      ON o.pipeline = ${pipeline} AND wanted."order" = 'skip' AND o.topic = wanted.topic AND o.partition = wanted.partition
     AND o.next_offset > wanted.from_offset LIMIT 1`;
  return [
    'SET LOCAL jit = off',
    `SELECT count(*) FROM (SELECT FROM ${s}.offsets o WHERE ${concerned} ORDER BY o.topic, o.partition FOR UPDATE OF o) locked`,
    `DO $order$ DECLARE v record; BEGIN
       FOR v IN ${late} LOOP
         RAISE EXCEPTION 'The ledger row of %-% stands at % already, behind offset %', v.topic, v.partition, v.next_offset, v.from_offset
           USING ERRCODE = '${ledgerStates.passed}', TABLE = v.topic, COLUMN = pg_catalog.format('%s', v.partition);
       END LOOP;
     END $order$`,
    `UPDATE ${s}.offsets o SET ${freed} WHERE ${concerned}`,
    `INSERT INTO ${s}.controls AS c (pipeline, topic, partition, "order", from_offset, until_offset, reason, ordered_by)
     SELECT ${pipeline}, topic, partition, "order", from_offset, until_offset, reason, ${quoteLiteral(storable(by))} FROM ${of}
      ORDER BY ordinality
     RETURNING ${controlColumns}`,
  ];
}

export function withdrawOrders({ s, pipeline }: Ledger, ids: readonly bigint[]): readonly string[] {
  return [`DELETE FROM ${s}.controls WHERE pipeline = ${pipeline} AND id IN (${ids.join(',')})`];
}

export function readRanges({ s, pipeline }: Ledger, { topics, after, limit }: RangesQuery): readonly string[] {
  const among = topics === undefined ? '' : ` AND r.topic IN (${topics.map(quoteLiteral).join(',')})`;
  const behind =
    after === undefined
      ? ''
      : ` AND (r.topic, r.partition, r.seq) > (${quoteLiteral(after.topic)} COLLATE "C", ${after.partition}, ${after.seq})`;
  return [
    `SELECT ${rangeColumns} FROM ${s}.ranges r WHERE r.pipeline = ${pipeline}${among}${behind}
      ORDER BY r.topic, r.partition, r.seq LIMIT ${limit}`,
  ];
}

export function readNewestRanges(
  { s, pipeline }: Ledger,
  limit: number,
  of: readonly TopicPartition[] | undefined,
): readonly string[] {
  const places =
    of === undefined
      ? `(SELECT DISTINCT topic, partition FROM ${s}.ranges WHERE pipeline = ${pipeline}) wanted`
      : wanted(of.map(place), 'topic text, partition integer');
  return [
    'SET LOCAL jit = off',
    `SELECT ${rangeColumns} FROM ${places} CROSS JOIN LATERAL (
      SELECT * FROM ${s}.ranges r WHERE r.pipeline = ${pipeline} AND r.topic = wanted.topic AND r.partition = wanted.partition
       ORDER BY r.seq DESC LIMIT ${limit}) r ORDER BY r.committed_at DESC, r.topic, r.partition, r.seq DESC`,
  ];
}
