import type { ErrorCode } from '../errors.ts';

/** Every exit code of the command `tidemark`, for scripts, supervisors and people on call. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  fenced: 3,
  dataLoss: 4,
  checkFailed: 5,
  forcedByInterrupt: 130,
  forcedByTermination: 143,
} as const;

export type ExitName = keyof typeof exitCodes;
export type ExitCode = (typeof exitCodes)[ExitName];

/** What each exit code means; docs/cli.md repeats it. */
export const exitMeanings: Readonly<Record<ExitName, string>> = {
  done: 'done, or stopped gracefully by a signal',
  failed: 'failed, a partition is parked or paused, or the deadline of a graceful stop was missed',
  usage: 'the command line or a configuration file is wrong: starting again changes nothing',
  fenced: 'another process owns a partition (with --no-standby)',
  dataLoss: 'records are lost or not the ones on record, and that was not accepted',
  checkFailed:
    'a check failed: the lag is over its threshold, two places differ, a ledger is not whole, or a write-ahead log is damaged',
  forcedByInterrupt: 'ended at once by a second signal, SIGINT',
  forcedByTermination: 'ended at once by a second signal, SIGTERM',
};

/**
 * Which exit each error is. `usage` is what tidemark finds without asking another system: a restart with the same file and
 * command line cannot help. What a broker or database answered is `failed`, also a missing topic or column: whoever owns
 * that system may mend it, and then a restart helps. `dataLoss` is everything design I7 stops for.
 */
const exitOfCode: Readonly<Record<ErrorCode, ExitName>> = {
  CONFIG_INVALID: 'usage',
  CONFIG_UNREADABLE: 'usage',
  CONFIG_VARIABLE_MISSING: 'usage',
  USAGE_INVALID: 'usage',
  TRANSFORM_UNLOADABLE: 'usage',
  DELIVERY_IMPOSSIBLE: 'usage',

  KAFKA_UNREACHABLE: 'failed',
  KAFKA_AUTHENTICATION_FAILED: 'failed',
  KAFKA_AUTHORIZATION_FAILED: 'failed',
  KAFKA_UNSUPPORTED_BROKER: 'failed',
  KAFKA_TOPIC_MISSING: 'failed',
  KAFKA_CORRUPT_BATCH: 'failed',
  KAFKA_BATCH_TOO_LARGE: 'failed',
  KAFKA_CODEC_UNSUPPORTED: 'failed',
  KAFKA_REQUEST_FAILED: 'failed',
  KAFKA_CONNECTION_LOST: 'failed',
  KAFKA_CLOSED: 'failed',
  KAFKA_DRIVER_UNAVAILABLE: 'usage',
  GROUP_MEMBERSHIP_LOST: 'failed',
  GROUP_PROTOCOL_CONFLICT: 'failed',
  GROUP_ACTIVE: 'failed',

  STORE_UNREACHABLE: 'failed',
  STORE_AUTHENTICATION_FAILED: 'failed',
  STORE_SCHEMA_UNSUPPORTED: 'failed',
  STORE_REQUEST_FAILED: 'failed',
  STORE_INCAPABLE: 'usage',
  STORE_LOCKED: 'failed',
  LEDGER_FENCED: 'fenced',
  LEDGER_MOVED: 'failed',
  LEDGER_IN_USE: 'failed',
  LEDGER_TAMPERED: 'failed',
  COMMIT_IN_DOUBT: 'failed',
  NO_START_OFFSET: 'failed',

  KAFKA_TOPIC_RECREATED: 'dataLoss',
  KAFKA_OFFSET_OUT_OF_RANGE: 'dataLoss',
  KAFKA_LOG_TRUNCATED: 'dataLoss',
  LEDGER_AHEAD: 'dataLoss',
  DATA_LOSS: 'dataLoss',

  SINK_UNREACHABLE: 'failed',
  SINK_AUTHENTICATION_FAILED: 'failed',
  SINK_TABLE_MISSING: 'failed',
  SINK_TABLE_UNSUITABLE: 'failed',
  SINK_COLUMN_MISSING: 'failed',
  SINK_COLUMN_TYPE: 'failed',
  SINK_REFUSED: 'failed',
  SINK_TRANSACTION_ENDED: 'failed',
  SINK_REQUEST_FAILED: 'failed',

  RECORD_UNPARSABLE: 'failed',
  RECORD_UNSTORABLE: 'failed',
  TRANSFORM_FAILED: 'failed',
  TRANSFORM_TIMED_OUT: 'failed',
  TRANSFORM_RESULT_INVALID: 'failed',

  WAL_LOCKED: 'failed',
  WAL_VERSION_UNSUPPORTED: 'failed',
  WAL_READ_FAILED: 'failed',
  WAL_WRITE_FAILED: 'failed',
  WAL_FULL: 'failed',
  WAL_ENTRY_TOO_LARGE: 'failed',
  WAL_ENTRY_GONE: 'failed',
  WAL_CLOSED: 'failed',

  WAL_CORRUPT: 'dataLoss',
  WAL_SEGMENT_MISSING: 'dataLoss',
  WAL_SEGMENT_FOREIGN: 'dataLoss',

  RECEIVER_FAILED: 'failed',
  RECEIVER_LOG_FOREIGN: 'dataLoss',
  RECEIVER_STOPPED: 'failed',
  RATE_LIMITER_UNREACHABLE: 'failed',

  STOP_DEADLINE_MISSED: 'failed',
  HTTP_LISTEN_FAILED: 'failed',
  PIPELINE_STATE: 'failed',
  INVARIANT_BROKEN: 'failed',
};

/** How a command, or one pipeline of it, ended. */
export type Outcome =
  | { readonly kind: 'done' }
  /** Ended without error, but partitions are parked or paused. */
  | { readonly kind: 'unfinished' }
  | { readonly kind: 'checkFailed' }
  /** `code` is undefined for what is not tidemark's own error. */
  | { readonly kind: 'failed'; readonly code: ErrorCode | undefined }
  | { readonly kind: 'forced'; readonly signal: 'SIGINT' | 'SIGTERM' };

export function exitCodeOf(outcome: Outcome): ExitCode {
  switch (outcome.kind) {
    case 'done':
      return exitCodes.done;
    case 'unfinished':
      return exitCodes.failed;
    case 'checkFailed':
      return exitCodes.checkFailed;
    case 'failed':
      return exitCodes[outcome.code === undefined ? 'failed' : exitOfCode[outcome.code]];
    case 'forced':
      return outcome.signal === 'SIGINT' ? exitCodes.forcedByInterrupt : exitCodes.forcedByTermination;
  }
}

/** Several pipelines, one exit code: the highest. */
export function highestExitCode(codes: readonly ExitCode[]): ExitCode {
  return codes.reduce<ExitCode>((highest, code) => (code > highest ? code : highest), exitCodes.done);
}
