import { commitRange } from './commitRange.ts';
import { quoteIdentifier, quoteLiteral } from './quote.ts';

/** Version of the ledger's schema that this tidemark writes and reads. */
export const schemaVersion = 2;

/**
 * The steps from nothing to the present version: step `n` makes version `n + 1`. A released step is never changed, a new version
 * is a new step. Names are schema-qualified throughout: the search path of a session is anyone's.
 */
export const schemaSteps: readonly ((schema: string) => string)[] = [
  (schema) => {
    const s = quoteIdentifier(schema);
    return [tables(s), commitRange(s), comments(s)].join(';\n');
  },
  // A gap ends orders to skip.
  (schema) => commitRange(quoteIdentifier(schema)),
];

/**
 * Keys compare by bytes (COLLATE "C"): cheaper, and an index that does not break when the collations of the operating system
 * change. Rows that change with every commit leave room on their page, so that their versions stay there (HOT).
 */
function tables(s: string): string {
  return `
CREATE TABLE ${s}.version (version integer PRIMARY KEY, migrated_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE ${s}.offsets (
  pipeline text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL,
  claim uuid,
  owner text COLLATE "C",
  owner_epoch bigint NOT NULL DEFAULT 0,
  topic_id text NOT NULL,
  leader_epoch integer NOT NULL DEFAULT -1,
  incarnation bigint NOT NULL DEFAULT 1,
  state text NOT NULL DEFAULT 'running',
  reason text,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (pipeline, topic, partition),
  CONSTRAINT offsets_sound CHECK (partition >= 0 AND next_offset >= 0 AND state IN ('running', 'paused', 'parked'))
) WITH (fillfactor = 50);
CREATE TABLE ${s}.owners (
  pipeline text COLLATE "C" NOT NULL,
  instance_id text COLLATE "C" NOT NULL,
  host text NOT NULL,
  boot_id text NOT NULL,
  pid integer NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (pipeline, instance_id)
) WITH (fillfactor = 50);
CREATE TABLE ${s}.ranges (
  pipeline text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  partition integer NOT NULL,
  seq bigint NOT NULL,
  incarnation bigint NOT NULL,
  from_offset bigint NOT NULL,
  until_offset bigint NOT NULL,
  records bigint NOT NULL DEFAULT 0,
  produced bigint NOT NULL DEFAULT 0,
  rows bigint NOT NULL DEFAULT 0,
  dropped bigint NOT NULL DEFAULT 0,
  skipped bigint NOT NULL DEFAULT 0,
  dead_lettered bigint NOT NULL DEFAULT 0,
  owner text COLLATE "C",
  owner_epoch bigint NOT NULL,
  batch_time timestamptz NOT NULL,
  committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  kind text NOT NULL,
  reason text,
  PRIMARY KEY (pipeline, topic, partition, seq),
  CONSTRAINT ranges_sound CHECK (
    from_offset >= 0 AND until_offset >= from_offset AND records <= until_offset - from_offset AND rows >= produced
    AND least(produced, dropped, skipped, dead_lettered) >= 0 AND records = produced + dropped + skipped + dead_lettered
    AND (kind IN ('batch', 'base') OR kind IN ('gap', 'reset') AND reason IS NOT NULL))
) WITH (fillfactor = 70);
CREATE TABLE ${s}.dead_letters (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pipeline text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  partition integer NOT NULL,
  record_offset bigint NOT NULL,
  timestamp_ms bigint NOT NULL,
  key bytea,
  value bytea,
  headers bytea[] NOT NULL DEFAULT '{}',
  error_code text NOT NULL,
  error_message text NOT NULL,
  attempts integer NOT NULL,
  failed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX dead_letters_place ON ${s}.dead_letters (pipeline, topic, partition, record_offset);
CREATE TABLE ${s}.controls (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pipeline text COLLATE "C" NOT NULL,
  topic text COLLATE "C",
  partition integer,
  "order" text NOT NULL,
  from_offset bigint,
  until_offset bigint,
  reason text NOT NULL,
  ordered_by text NOT NULL DEFAULT current_user,
  ordered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT controls_sound CHECK (
    "order" IN ('pause', 'skip') AND (partition IS NULL OR topic IS NOT NULL)
    AND ("order" = 'pause' OR partition IS NOT NULL AND from_offset IS NOT NULL AND until_offset > from_offset AND from_offset >= 0))
);
CREATE INDEX controls_pipeline ON ${s}.controls (pipeline)`;
}

const texts: Readonly<Record<string, string>> = {
  'TABLE version': 'Version of this schema, one row per migration. Written by tidemark.',
  'TABLE offsets':
    'The ledger: where each partition of each pipeline stands. A commit changes a row only where next_offset and claim are the expected ones.',
  'COLUMN offsets.next_offset': 'Next offset after everything committed: everything below it is in the target.',
  'COLUMN offsets.claim': "Fencing token of the present owner, new with every claim; null = nobody's.",
  'COLUMN offsets.owner': 'Instance id of the holder of the claim, see owners.',
  'COLUMN offsets.owner_epoch': 'Counts claims and commands; only rises.',
  'COLUMN offsets.topic_id': 'Id of the topic the offset belongs to: a re-created topic of the same name has another.',
  'COLUMN offsets.leader_epoch': 'Leader epoch of the last batch read below next_offset; -1 = unknown.',
  'COLUMN offsets.incarnation': 'Counts resets: ranges are contiguous within an incarnation.',
  'COLUMN offsets.state': 'running, paused (by an order in controls) or parked (failed; a restart tries again).',
  'COLUMN offsets.reason': 'Why it is not running.',
  'COLUMN offsets.updated_at': 'Time of the last change.',
  'TABLE owners': 'Processes of each pipeline and their heartbeat.',
  'COLUMN owners.boot_id': 'Where pid means something: boot of the host and pid namespace.',
  'COLUMN owners.seen_at': 'Last heartbeat, every second; after 5 s another process may claim.',
  'TABLE ranges':
    'History: committed offset ranges, from_offset included, until_offset excluded. Contiguous ranges of one claim merge, up to a minute or a million records.',
  'COLUMN ranges.seq': 'Position in the history of the partition, rising.',
  'COLUMN ranges.incarnation': 'See offsets.incarnation.',
  'COLUMN ranges.records': 'Records read; = produced + dropped + skipped + dead_lettered.',
  'COLUMN ranges.produced': 'Records that gave at least one row.',
  'COLUMN ranges.rows': 'Rows written.',
  'COLUMN ranges.dropped': 'Records the transform gave nothing for.',
  'COLUMN ranges.skipped': 'Records passed over by policy or command.',
  'COLUMN ranges.dead_lettered': 'Records set aside in dead_letters.',
  'COLUMN ranges.batch_time': 'Time of the batch; of merged ones the first.',
  'COLUMN ranges.committed_at': 'Time of the commit; of merged ones the last.',
  'COLUMN ranges.kind':
    'batch; gap = offsets given up, with the reason; reset = a new incarnation begins at until_offset; base = the history begins here, with the sums of purged rows.',
  'TABLE dead_letters': 'Records that were set aside, bytes as they came.',
  'COLUMN dead_letters.timestamp_ms': 'Timestamp of the record, ms since 1970; -1 = none.',
  'COLUMN dead_letters.headers': 'Name, value, name, value, … in the order they came; a value may be null.',
  'TABLE controls': 'Orders of operators, honoured within a second and after a restart; an order ends with its row.',
  'COLUMN controls.topic': 'null = every topic.',
  'COLUMN controls.partition': 'null = every partition.',
  'COLUMN controls."order"': 'pause, or skip: pass over [from_offset, until_offset) and leave a gap.',
};

function comments(s: string): string {
  return Object.entries(texts)
    .map(([what, text]) => `COMMENT ON ${what.replace(' ', ` ${s}.`)} IS ${quoteLiteral(text)}`)
    .join(';\n');
}
