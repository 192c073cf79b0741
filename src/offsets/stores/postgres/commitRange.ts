/**
 * The compare-and-set of a commit, as a procedure of the schema `s` (quoted). It raises unless the row stands at the start of
 * the range under the claim, so that a transaction of a stale owner cannot commit whatever its client does.
 *
 * The history has to end where the range starts. A row that was moved by hand while nobody looked would otherwise leave a
 * hole or an overlap that no one declared (I1). Contiguous batch ranges of one claim merge into the newest row, up to a minute of batch
 * time or a million records.
 *
 * A gap is how an order to skip is carried out: those that lie behind it end with it. A later reset to before them shows their
 * records again.
 *
 * TABLE and COLUMN of a raised error carry topic and partition: the fields of an answer that a program can read.
 */
export function commitRange(s: string): string {
  return `
CREATE OR REPLACE PROCEDURE ${s}.commit_range(
  p_pipeline text, p_topic text, p_partition integer, p_from bigint, p_until bigint, p_claim uuid, p_leader_epoch integer,
  p_kind text, p_reason text, p_records bigint, p_produced bigint, p_rows bigint, p_dropped bigint, p_skipped bigint,
  p_dead_lettered bigint, p_batch_time timestamptz
) LANGUAGE plpgsql AS $commit_range$
DECLARE
  v_claim uuid;
  v_next bigint;
  v_owner text;
  v_epoch bigint;
  v_incarnation bigint;
  v_seq bigint;
  v_end bigint;
  v_end_incarnation bigint;
  v_merges boolean;
BEGIN
  UPDATE ${s}.offsets o
     SET next_offset = p_until,
         leader_epoch = CASE WHEN p_leader_epoch >= 0 THEN p_leader_epoch ELSE o.leader_epoch END,
         updated_at = pg_catalog.clock_timestamp()
   WHERE o.pipeline = p_pipeline AND o.topic = p_topic AND o.partition = p_partition
     AND o.next_offset = p_from AND o.claim = p_claim
  RETURNING o.owner, o.owner_epoch, o.incarnation INTO v_owner, v_epoch, v_incarnation;
  IF NOT FOUND THEN
    SELECT o.claim, o.next_offset, o.owner, o.owner_epoch INTO v_claim, v_next, v_owner, v_epoch FROM ${s}.offsets o
     WHERE o.pipeline = p_pipeline AND o.topic = p_topic AND o.partition = p_partition;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'The ledger has no row of %-% any more', p_topic, p_partition
        USING ERRCODE = 'TM001', TABLE = p_topic, COLUMN = pg_catalog.format('%s', p_partition), DETAIL = 'someone removed the row';
    ELSIF v_claim IS DISTINCT FROM p_claim THEN
      RAISE EXCEPTION 'The ledger row of %-% carries another claim than ours', p_topic, p_partition
        USING ERRCODE = 'TM001', TABLE = p_topic, COLUMN = pg_catalog.format('%s', p_partition),
              DETAIL = pg_catalog.format('owner %s, owner epoch %s, next offset %s', coalesce(v_owner, 'nobody'), v_epoch, v_next);
    END IF;
    RAISE EXCEPTION 'The ledger row of %-% stands at %, not at %', p_topic, p_partition, v_next, p_from
      USING ERRCODE = 'TM002', TABLE = p_topic, COLUMN = pg_catalog.format('%s', p_partition),
            DETAIL = pg_catalog.format('owner %s, owner epoch %s, next offset %s', coalesce(v_owner, 'nobody'), v_epoch, v_next);
  END IF;
  IF p_kind = 'gap' THEN
    DELETE FROM ${s}.controls c
     WHERE c.pipeline = p_pipeline AND c."order" = 'skip' AND c.topic = p_topic AND c.partition = p_partition
       AND c.until_offset <= p_until;
  END IF;
  SELECT r.seq, r.until_offset, r.incarnation,
         r.kind = 'batch' AND p_kind = 'batch' AND r.owner_epoch = v_epoch AND r.incarnation = v_incarnation
           AND p_batch_time >= r.batch_time AND p_batch_time < r.batch_time + interval '1 minute'
           AND r.records + p_records <= 1000000
    INTO v_seq, v_end, v_end_incarnation, v_merges
    FROM ${s}.ranges r
   WHERE r.pipeline = p_pipeline AND r.topic = p_topic AND r.partition = p_partition
   ORDER BY r.seq DESC LIMIT 1;
  IF v_end_incarnation > v_incarnation OR v_end_incarnation = v_incarnation AND v_end <> p_from THEN
    RAISE EXCEPTION 'The ledger row of %-% stands at %, its history ends at %', p_topic, p_partition, p_from, v_end
      USING ERRCODE = 'TM003', TABLE = p_topic, COLUMN = pg_catalog.format('%s', p_partition),
            DETAIL = pg_catalog.format('incarnation %s, in the history %s', v_incarnation, v_end_incarnation);
  END IF;
  IF v_merges THEN
    UPDATE ${s}.ranges r
       SET until_offset = p_until, records = r.records + p_records, produced = r.produced + p_produced, rows = r.rows + p_rows,
           dropped = r.dropped + p_dropped, skipped = r.skipped + p_skipped,
           dead_lettered = r.dead_lettered + p_dead_lettered, committed_at = pg_catalog.clock_timestamp()
     WHERE r.pipeline = p_pipeline AND r.topic = p_topic AND r.partition = p_partition AND r.seq = v_seq;
  ELSIF p_until > p_from THEN
    INSERT INTO ${s}.ranges (pipeline, topic, partition, seq, incarnation, from_offset, until_offset, records, produced, rows,
                             dropped, skipped, dead_lettered, owner, owner_epoch, batch_time, kind, reason)
    VALUES (p_pipeline, p_topic, p_partition, coalesce(v_seq, 0) + 1, v_incarnation, p_from, p_until, p_records, p_produced, p_rows,
            p_dropped, p_skipped, p_dead_lettered, v_owner, v_epoch, p_batch_time, p_kind, p_reason);
  END IF;
END $commit_range$`;
}
