/**
 * The one error class of tidemark and its closed list of codes.
 *
 * Callers match `code`, never `instanceof`: two installed copies of the package would break the latter.
 * The error says what happened and where; whether to retry is decided where it is caught (`retriable` says
 * only that the same call could succeed later without anyone changing anything).
 */
export const errorCodes = {
  // options and input known before anything connects
  CONFIG_INVALID: 'an option is missing, unknown, of the wrong type or impossible in combination',
  CONFIG_UNREADABLE: 'the configuration file cannot be read or is not YAML',
  CONFIG_VARIABLE_MISSING: 'an environment variable named by the configuration file is not set',
  USAGE_INVALID: 'the command line is not one tidemark understands',
  TRANSFORM_UNLOADABLE: 'the file of the transform cannot be loaded or exports no function',

  // Kafka
  KAFKA_UNREACHABLE: 'no broker of the list answers',
  KAFKA_AUTHENTICATION_FAILED: 'the broker refused the credentials or the TLS handshake',
  KAFKA_AUTHORIZATION_FAILED: 'the broker refused access to a topic, group or the cluster',
  KAFKA_UNSUPPORTED_BROKER: 'the broker is older than tidemark needs',
  KAFKA_TOPIC_MISSING: 'the topic or partition does not exist',
  KAFKA_TOPIC_RECREATED: 'the topic was deleted and made again: its id is not the one on record',
  KAFKA_OFFSET_OUT_OF_RANGE: 'the offset lies outside what the broker holds',
  KAFKA_LOG_TRUNCATED: 'the log was truncated below the position, or the leader epoch on record diverged',
  KAFKA_CORRUPT_BATCH: 'a record batch fails its checksum or does not decode',
  KAFKA_BATCH_TOO_LARGE: 'a record batch unpacks to more bytes than the limit',
  KAFKA_CODEC_UNSUPPORTED: 'a record batch is compressed with a codec tidemark does not know',
  KAFKA_REQUEST_FAILED: 'the broker answered a request with an error',
  KAFKA_CONNECTION_LOST: 'the connection to the broker ended before the answer',
  KAFKA_CLOSED: 'the driver or fetcher was closed',
  KAFKA_DRIVER_UNAVAILABLE: 'the client library of the chosen driver is not installed or cannot be loaded',
  GROUP_MEMBERSHIP_LOST: 'this process is not a member of the consumer group any more',
  GROUP_PROTOCOL_CONFLICT: 'the members of the consumer group speak another protocol',
  GROUP_ACTIVE: 'the consumer group has members: nobody else may change its offsets',

  // ledger
  STORE_UNREACHABLE: 'the database of the offset store does not answer',
  STORE_AUTHENTICATION_FAILED: 'the database refused the credentials',
  STORE_SCHEMA_UNSUPPORTED: 'the ledger schema was written by another version of tidemark',
  STORE_REQUEST_FAILED: 'the offset store answered with an error',
  STORE_INCAPABLE: 'the offset store cannot do what was asked of it',
  STORE_LOCKED: 'another process has the offset store open, which is for one process only',
  LEDGER_FENCED: 'the partition carries the claim of another owner',
  LEDGER_MOVED: 'the stored offset, or topic id, is not the one the request starts from',
  LEDGER_IN_USE: 'a live process works on the partition',
  LEDGER_TAMPERED: 'the stored offset changed under our own claim and the history does not explain it',
  LEDGER_AHEAD: 'the stored offset lies beyond the end of the log',
  COMMIT_IN_DOUBT: 'the connection died after the commit was sent: whether it happened is unknown',
  NO_START_OFFSET: 'no stored offset exists and the reset policy is fail',
  DATA_LOSS: 'records between the stored offset and the log start are gone',

  // sink
  SINK_UNREACHABLE: 'the sink does not answer',
  SINK_AUTHENTICATION_FAILED: 'the sink refused the credentials',
  SINK_TABLE_MISSING: 'the target table does not exist',
  SINK_TABLE_UNSUITABLE: 'the target table cannot give the promised guarantee',
  SINK_COLUMN_MISSING: 'a mapped column is not in the target table, or a required one is not mapped',
  SINK_COLUMN_TYPE: 'a mapped value can never fit the type of its column',
  SINK_REFUSED: 'the sink refused the rows of a range',
  SINK_TRANSACTION_ENDED: 'the function of the sink ended its transaction itself, or let it fail and went on',
  SINK_REQUEST_FAILED: 'the sink answered with an error',
  DELIVERY_IMPOSSIBLE: 'the asked delivery guarantee cannot be given by this sink and store',

  // records
  RECORD_UNPARSABLE: 'the value of a record is not what the mapping expects',
  RECORD_UNSTORABLE: 'a value of a record does not fit its column',
  TRANSFORM_FAILED: 'the transform threw',
  TRANSFORM_TIMED_OUT: 'the transform did not settle in time',
  TRANSFORM_RESULT_INVALID: 'the transform returned something that is not a row',

  // write-ahead log
  WAL_LOCKED: 'another process has the directory of the write-ahead log open',
  WAL_CORRUPT: 'the write-ahead log is damaged otherwise than by a torn tail',
  WAL_SEGMENT_MISSING: 'entries of the write-ahead log are missing between its segments or at an end',
  WAL_SEGMENT_FOREIGN: 'a segment belongs to another write-ahead log',
  WAL_VERSION_UNSUPPORTED: 'the write-ahead log was written by another version of tidemark',
  WAL_READ_FAILED: 'the directory or a file of the write-ahead log cannot be read',
  WAL_WRITE_FAILED: 'a write or an fsync of the write-ahead log failed: this writer has ended',
  WAL_FULL: 'the disk of the write-ahead log has no room',
  WAL_ENTRY_TOO_LARGE: 'an entry is larger than the limit of the write-ahead log',
  WAL_ENTRY_GONE: 'the write-ahead log does not hold the entry, or holds it no more',
  WAL_CLOSED: 'the write-ahead log was closed',

  // receivers
  RECEIVER_FAILED: 'a receiver failed, or something that only a receiver knows went wrong in it',
  RECEIVER_STOPPED: 'this start of the receiver is over: nothing was stored',
  RECEIVER_LOG_FOREIGN: 'the write-ahead log is a copy, or was put back: the ledger belongs to another opening of it',
  RATE_LIMITER_UNREACHABLE: 'the Redis that keeps the shared rate does not answer',

  // life cycle
  STOP_DEADLINE_MISSED: 'the pipeline did not stop within its deadline',
  HTTP_LISTEN_FAILED: 'the address for health and metrics, or that of an HTTP receiver, cannot be listened on',
  PIPELINE_STATE: 'the call is not possible in the present state of the pipeline',
  INVARIANT_BROKEN: 'tidemark found itself in a state that must not exist: a bug',
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** Facts about an error, as fields: what a log line, a page or a script wants to select by. */
export interface ErrorFacts {
  /** The same call could succeed later without anyone changing anything. Default false. */
  readonly retriable?: boolean;
  readonly topic?: string;
  readonly partition?: number;
  /** The offset the error is about, e.g. of a bad record. */
  readonly offset?: bigint;
  readonly fromOffset?: bigint;
  readonly untilOffset?: bigint;
  /** Path of a file or of an option. */
  readonly path?: string;
  /** Place in the file `path`. */
  readonly byteOffset?: number;
  /** The way out, as an imperative sentence. */
  readonly hint?: string;
  /** The code another system gave: Kafka's error name, PostgreSQL's SQLSTATE, errno. */
  readonly foreignCode?: string;
  readonly cause?: unknown;
}

export class TidemarkError extends Error {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  readonly topic: string | undefined;
  readonly partition: number | undefined;
  readonly offset: bigint | undefined;
  readonly fromOffset: bigint | undefined;
  readonly untilOffset: bigint | undefined;
  readonly path: string | undefined;
  readonly byteOffset: number | undefined;
  readonly hint: string | undefined;
  readonly foreignCode: string | undefined;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'TidemarkError';
    this.code = code;
    this.retriable = facts.retriable ?? false;
    this.topic = facts.topic;
    this.partition = facts.partition;
    this.offset = facts.offset;
    this.fromOffset = facts.fromOffset;
    this.untilOffset = facts.untilOffset;
    this.path = facts.path;
    this.byteOffset = facts.byteOffset;
    this.hint = facts.hint;
    this.foreignCode = facts.foreignCode;
  }

  /** JSON with offsets as decimal strings, absent facts left out. */
  toJSON(): Record<string, unknown> {
    const json: Record<string, unknown> = { code: this.code, message: this.message, retriable: this.retriable };
    for (const key of ['topic', 'partition', 'path', 'byteOffset', 'hint', 'foreignCode'] as const) {
      if (this[key] !== undefined) json[key] = this[key];
    }
    for (const key of ['offset', 'fromOffset', 'untilOffset'] as const) {
      if (this[key] !== undefined) json[key] = String(this[key]);
    }
    return json;
  }
}

/** Whether an unknown thrown value is a tidemark error, also one of another installed copy. */
export function isTidemarkError(error: unknown, code?: ErrorCode): error is TidemarkError {
  if (!(error instanceof Error) || error.name !== 'TidemarkError' || !('code' in error)) return false;
  return code === undefined ? typeof error.code === 'string' && error.code in errorCodes : error.code === code;
}

/** The message of whatever was thrown, for texts that quote a cause. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
