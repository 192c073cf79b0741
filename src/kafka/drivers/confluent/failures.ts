import { type ErrorCode, isTidemarkError, messageOf, TidemarkError } from '../../../errors.ts';
import { brokerFailure } from '../../reading/index.ts';
import type { NativeError } from './nativeTypes.ts';

/** What a request was about, for its error. `action` completes "… failed to …". */
export interface Subject {
  readonly action: string;
  readonly topic?: string;
  readonly partition?: number;
  readonly groupId?: string;
}

/** Codes of librdkafka itself that the driver decides by. */
export const localCodes = {
  badMessage: -199,
  badCompression: -198,
  destroyed: -197,
  transport: -195,
  unknownPartition: -190,
  allBrokersDown: -187,
  timedOut: -185,
  ssl: -181,
  assign: -175,
  revoke: -174,
  state: -172,
  authentication: -169,
  noEntry: -156,
  fatal: -150,
  maxPollExceeded: -147,
  fenced: -144,
  offsetReset: -140,
  logTruncated: -139,
} as const;

/**
 * librdkafka's own codes as ours. Its `isRetriable` is set for transactions only, so retriable is said here: the same call
 * can succeed later without anyone changing anything.
 */
const local: ReadonlyMap<number, readonly [name: string, code: ErrorCode, retriable: boolean]> = new Map([
  [localCodes.badMessage, ['_BAD_MSG', 'KAFKA_CORRUPT_BATCH', false]],
  [localCodes.badCompression, ['_BAD_COMPRESSION', 'KAFKA_CORRUPT_BATCH', false]],
  [localCodes.destroyed, ['_DESTROY', 'KAFKA_CLOSED', false]],
  [localCodes.transport, ['_TRANSPORT', 'KAFKA_CONNECTION_LOST', true]],
  [-193, ['_RESOLVE', 'KAFKA_UNREACHABLE', true]],
  [localCodes.unknownPartition, ['_UNKNOWN_PARTITION', 'KAFKA_TOPIC_MISSING', false]],
  [-188, ['_UNKNOWN_TOPIC', 'KAFKA_TOPIC_MISSING', false]],
  [localCodes.allBrokersDown, ['_ALL_BROKERS_DOWN', 'KAFKA_UNREACHABLE', true]],
  [localCodes.timedOut, ['_TIMED_OUT', 'KAFKA_REQUEST_FAILED', true]],
  [localCodes.ssl, ['_SSL', 'KAFKA_AUTHENTICATION_FAILED', false]],
  [-180, ['_WAIT_COORD', 'KAFKA_REQUEST_FAILED', true]],
  [localCodes.state, ['_STATE', 'KAFKA_CLOSED', false]],
  [localCodes.authentication, ['_AUTHENTICATION', 'KAFKA_AUTHENTICATION_FAILED', false]],
  [-166, ['_TIMED_OUT_QUEUE', 'KAFKA_REQUEST_FAILED', true]],
  [-165, ['_UNSUPPORTED_FEATURE', 'KAFKA_UNSUPPORTED_BROKER', false]],
  [localCodes.noEntry, ['_NOENT', 'KAFKA_TOPIC_MISSING', false]],
  [localCodes.fatal, ['_FATAL', 'KAFKA_REQUEST_FAILED', false]],
  [localCodes.maxPollExceeded, ['_MAX_POLL_EXCEEDED', 'GROUP_MEMBERSHIP_LOST', true]],
  [localCodes.fenced, ['_FENCED', 'GROUP_MEMBERSHIP_LOST', false]],
  [localCodes.offsetReset, ['_AUTO_OFFSET_RESET', 'KAFKA_OFFSET_OUT_OF_RANGE', false]],
  [localCodes.logTruncated, ['_LOG_TRUNCATION', 'KAFKA_LOG_TRUNCATED', false]],
]);

const hints: Partial<Record<ErrorCode, string>> = {
  KAFKA_UNREACHABLE: 'Check the addresses and that the brokers run and can be reached from here.',
  KAFKA_CONNECTION_LOST: 'Check that the broker runs and, if the listener speaks TLS, that kafka.ssl is set.',
  KAFKA_AUTHENTICATION_FAILED:
    'Check kafka.sasl and kafka.ssl against what the listener asks for; kafka.ssl.ca must hold the authority of its certificate, and that the host of its address.',
  KAFKA_CORRUPT_BATCH:
    'If it stays so, the log of the broker is damaged there: restore the replica, or declare these offsets lost',
};

/** What the library reported, as an error of ours. */
export function libraryFailure(error: unknown, subject: Subject): TidemarkError {
  if (isTidemarkError(error)) return error;
  const { code, message } = nativeError(error);
  if (code > 0) return brokerFailure(code, subject);
  const [name, ourCode, retriable] = local.get(code) ?? [`LIBRDKAFKA${code}`, 'KAFKA_REQUEST_FAILED', false];
  const hint = hints[ourCode];
  return new TidemarkError(ourCode, `The Kafka client failed to ${subject.action}: ${message}`, {
    retriable,
    foreignCode: name,
    ...(hint === undefined ? {} : { hint }),
    ...(subject.topic === undefined ? {} : { topic: subject.topic }),
    ...(subject.partition === undefined ? {} : { partition: subject.partition }),
    cause: error,
  });
}

/** The library gives objects of a class of its own, which is no Error. */
function nativeError(error: unknown): NativeError {
  const { code, message } = (error ?? {}) as Partial<NativeError>;
  return {
    code: typeof code === 'number' ? code : 0,
    message: typeof message === 'string' ? message : messageOf(error),
  };
}

/** What the library calls its own errors, in the lower case of its events. */
const eventCodes: ReadonlyMap<string, number> = new Map([
  ['broker transport failure', localCodes.transport],
  ['all broker connections are down', localCodes.allBrokersDown],
  ['ssl error', localCodes.ssl],
  ['authentication failure', localCodes.authentication],
]);

/** The error of an `event.error`: the library gives its text and -1 in the place of its code. */
export function eventError(event: NativeError): NativeError {
  const code = event.code === -1 ? eventCodes.get(event.message) : undefined;
  return code === undefined ? event : { code, message: event.message };
}

/** Credentials or certificates do not fit: trying again changes nothing. */
export function isRefusal(error: unknown): boolean {
  return [localCodes.authentication, localCodes.ssl].some((code) => code === codeOf(error));
}

export function codeOf(error: unknown): number {
  return nativeError(error).code;
}

export function closedError(what: string): TidemarkError {
  return new TidemarkError('KAFKA_CLOSED', `Kafka: ${what}`);
}

export function timedOut(action: string, ms: number): TidemarkError {
  return new TidemarkError('KAFKA_REQUEST_FAILED', `The Kafka client did not ${action} within ${ms} ms`, {
    retriable: true,
    foreignCode: '_TIMED_OUT',
  });
}
