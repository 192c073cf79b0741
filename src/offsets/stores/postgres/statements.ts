import type { TopicPartition } from '../../../model/index.ts';
import type { FirstPosition, HeldClaim, PartitionState } from '../../store.ts';
import { quoteLiteral, storable } from './quote.ts';
import { controlColumns, offsetColumns, ownerColumns, rangeColumns } from './rows.ts';

/** The schema, quoted, and the pipeline, as a literal: what every statement needs. */
export interface Ledger {
  readonly s: string;
  readonly pipeline: string;
}

/**
 * Rows of a request as a table `wanted` in the caller's order. One JSON literal holds any number of them: ten thousand partitions are
 * one statement.
 */
export function wanted(rows: readonly Readonly<Record<string, unknown>>[], columns: string): string {
  const json = JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  return `(SELECT * FROM ROWS FROM (json_to_recordset(${quoteLiteral(json)}) AS (${columns})) WITH ORDINALITY) wanted`;
}

/**
 * What comes before a request of many rows. The planner takes a function for 100 rows, and the ledger, filled a moment ago, for
 * nearly empty: a nested loop then compares ten thousand rows with ten thousand. What is left is called expensive, and
 * compiling it would take longer than running it.
 */
export function planFor(rows: readonly unknown[]): readonly string[] {
  return rows.length > 50 ? ['SET LOCAL enable_nestloop = off', 'SET LOCAL jit = off'] : [];
}

export const place = ({ topic, partition }: TopicPartition) => ({ topic, partition });

function rowsOf(ledger: Ledger, of: string): string {
  return `${ledger.s}.offsets o JOIN ${of}
      ON o.pipeline = ${ledger.pipeline} AND o.topic = wanted.topic AND o.partition = wanted.partition`;
}

/** Locks rows in the order of the request, which is everyone's order. Everything after it in the transaction sees them as they stay. */
export function lockRows(ledger: Ledger, of: string): string {
  return `SELECT count(*) FROM (SELECT FROM ${rowsOf(ledger, of)} ORDER BY wanted.ordinality FOR UPDATE OF o) locked`;
}

export function readOffsets({ s, pipeline }: Ledger, topics: readonly string[] | undefined): readonly string[] {
  const among = topics === undefined ? '' : ` AND topic IN (${topics.map(quoteLiteral).join(',')})`;
  return [`SELECT ${offsetColumns} FROM ${s}.offsets o WHERE pipeline = ${pipeline}${among}`];
}

export interface TokenRequest extends TopicPartition {
  readonly seenClaim: string | null;
  readonly token: string;
}

/**
 * Compare-and-set of claims, then the rows as they are. What carries the fresh token is ours: so an answer that was lost is no
 * loss, the repetition changes nothing and finds the tokens in the rows. A parked partition is tried again by whoever
 * claims it: a restart is how people say so.
 */
export function claimOffsets(ledger: Ledger, owner: string, requests: readonly TokenRequest[]): readonly string[] {
  const { s, pipeline } = ledger;
  const rows = requests.map((request) => ({ ...place(request), seen: request.seenClaim, token: request.token }));
  const of = wanted(rows, 'topic text, partition integer, seen uuid, token uuid');
  const places = wanted(requests.map(place), 'topic text, partition integer');
  return [
    ...planFor(requests),
    lockRows(ledger, places),
    `UPDATE ${s}.offsets o
        SET claim = wanted.token, owner = ${quoteLiteral(owner)}, owner_epoch = o.owner_epoch + 1,
            state = CASE o.state WHEN 'parked' THEN 'running' ELSE o.state END,
            reason = CASE o.state WHEN 'parked' THEN NULL ELSE o.reason END, updated_at = clock_timestamp()
       FROM ${of}
      WHERE o.pipeline = ${pipeline} AND o.topic = wanted.topic AND o.partition = wanted.partition
        AND o.claim IS NOT DISTINCT FROM wanted.seen`,
    `SELECT ${offsetColumns} FROM ${rowsOf(ledger, places)}`,
  ];
}

/**
 * Gives rows back whose claim is still ours, then tells of every row whether it is free since our claim: nobody's, at our epoch.
 * That holds after a repetition as well.
 */
export function releaseOffsets(ledger: Ledger, claims: readonly HeldClaim[]): readonly string[] {
  const { s, pipeline } = ledger;
  const rows = claims.map((held) => ({ ...place(held), claim: held.claim, epoch: held.ownerEpoch }));
  const of = wanted(rows, 'topic text, partition integer, claim uuid, epoch bigint');
  return [
    ...planFor(claims),
    lockRows(ledger, of),
    `UPDATE ${s}.offsets o SET claim = NULL, owner = NULL, updated_at = clock_timestamp()
       FROM ${of}
      WHERE o.pipeline = ${pipeline} AND o.topic = wanted.topic AND o.partition = wanted.partition AND o.claim = wanted.claim`,
    `SELECT o.topic, o.partition FROM ${rowsOf(ledger, of)} WHERE o.claim IS NULL AND o.owner_epoch = wanted.epoch`,
  ];
}

function rowAt(pipeline: string, { topic, partition }: TopicPartition): string {
  return `pipeline = ${pipeline} AND topic = ${quoteLiteral(topic)} AND partition = ${partition}`;
}

/** Changes the row of a claim that is still ours, then reads the row. */
export function changeState(
  { s, pipeline }: Ledger,
  held: HeldClaim,
  state: PartitionState,
  reason: string | null,
): readonly string[] {
  const row = rowAt(pipeline, held);
  const why = state === 'running' || reason === null ? 'NULL' : quoteLiteral(storable(reason));
  return [
    `UPDATE ${s}.offsets SET state = ${quoteLiteral(state)}, reason = ${why}, updated_at = clock_timestamp()
      WHERE ${row} AND claim = ${quoteLiteral(held.claim)}`,
    `SELECT ${offsetColumns} FROM ${s}.offsets o WHERE ${row}`,
  ];
}

/**
 * Changes the topic id that was seen, under a claim that is still ours, then reads the row: its claim and its topic id tell what
 * became of it, after a repetition as well.
 */
export function swapTopicId(
  { s, pipeline }: Ledger,
  held: HeldClaim,
  seenTopicId: string,
  topicId: string,
): readonly string[] {
  const row = rowAt(pipeline, held);
  return [
    `UPDATE ${s}.offsets SET topic_id = ${quoteLiteral(topicId)}, updated_at = clock_timestamp()
      WHERE ${row} AND claim = ${quoteLiteral(held.claim)} AND topic_id = ${quoteLiteral(seenTopicId)}`,
    `SELECT ${offsetColumns} FROM ${s}.offsets o WHERE ${row}`,
  ];
}

/**
 * Rows that are not there yet, each with a `base` row from which its history is contiguous: so a row can be held against its history
 * before the first commit as well. What is left of a row that was removed keeps counting: the next incarnation, epochs that
 * only rise.
 */
export function insertOffsets({ s, pipeline }: Ledger, positions: readonly FirstPosition[]): readonly string[] {
  const rows = positions.map((position) => ({
    ...place(position),
    next_offset: position.nextOffset,
    topic_id: position.topicId,
  }));
  const of = wanted(rows, 'topic text, partition integer, next_offset bigint, topic_id text');
  const insert = `WITH first AS MATERIALIZED (
      SELECT wanted.*, past.* FROM ${of} CROSS JOIN LATERAL (
        SELECT coalesce(max(r.seq), 0) + 1 AS seq, coalesce(max(r.incarnation), 0) + 1 AS incarnation,
               coalesce(max(r.owner_epoch), 0) AS owner_epoch
          FROM ${s}.ranges r WHERE r.pipeline = ${pipeline} AND r.topic = wanted.topic AND r.partition = wanted.partition) past
    ), inserted AS (
      INSERT INTO ${s}.offsets (pipeline, topic, partition, next_offset, owner_epoch, topic_id, incarnation)
      SELECT ${pipeline}, topic, partition, next_offset, owner_epoch, topic_id, incarnation FROM first ORDER BY ordinality
      ON CONFLICT DO NOTHING RETURNING topic, partition
    )
    INSERT INTO ${s}.ranges (pipeline, topic, partition, seq, incarnation, from_offset, until_offset, owner_epoch, batch_time, kind, reason)
    SELECT ${pipeline}, topic, partition, seq, incarnation, next_offset, next_offset, owner_epoch, clock_timestamp(), 'base', 'first position'
      FROM first JOIN inserted USING (topic, partition)`;
  return [...planFor(positions), insert];
}

export function readNewest({ s, pipeline }: Ledger, of: readonly TopicPartition[]): readonly string[] {
  const places = wanted(of.map(place), 'topic text, partition integer');
  const select = `SELECT ${rangeColumns} FROM ${places} CROSS JOIN LATERAL (
      SELECT * FROM ${s}.ranges r WHERE r.pipeline = ${pipeline} AND r.topic = wanted.topic AND r.partition = wanted.partition
       ORDER BY r.seq DESC LIMIT 1) r`;
  return [...planFor(of), select];
}

export interface OwnerFacts {
  readonly instanceId: string;
  readonly host: string;
  readonly bootId: string;
  readonly pid: number;
}

export function beat({ s, pipeline }: Ledger, { instanceId, host, bootId, pid }: OwnerFacts): readonly string[] {
  return [
    `INSERT INTO ${s}.owners (pipeline, instance_id, host, boot_id, pid)
    VALUES (${pipeline}, ${quoteLiteral(instanceId)}, ${quoteLiteral(storable(host))}, ${quoteLiteral(bootId)}, ${pid})
    ON CONFLICT (pipeline, instance_id) DO UPDATE SET seen_at = clock_timestamp()`,
  ];
}

/** Processes that are long gone and hold nothing: every start adds one. */
export function forgetOwners({ s, pipeline }: Ledger): readonly string[] {
  return [
    `DELETE FROM ${s}.owners w
    WHERE w.pipeline = ${pipeline} AND w.seen_at < clock_timestamp() - interval '7 days'
      AND NOT EXISTS (SELECT FROM ${s}.offsets o WHERE o.pipeline = w.pipeline AND o.owner = w.instance_id)`,
  ];
}

export function readOwners({ s, pipeline }: Ledger): readonly string[] {
  return [`SELECT ${ownerColumns} FROM ${s}.owners WHERE pipeline = ${pipeline} ORDER BY instance_id`];
}

export function readControls({ s, pipeline }: Ledger): readonly string[] {
  return [`SELECT ${controlColumns} FROM ${s}.controls c WHERE pipeline = ${pipeline} ORDER BY c.id`];
}
