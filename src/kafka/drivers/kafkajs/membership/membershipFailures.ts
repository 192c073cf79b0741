import { isTidemarkError, messageOf, TidemarkError } from '../../../../errors.ts';
import { protocolConflict } from '../../../balancing/index.ts';
import { brokerErrorCodes } from '../../../protocol/index.ts';
import { brokerFailure } from '../../../reading/index.ts';
import { requestTimedOut } from '../brokerConnection.ts';

/** The coordinator's error codes as errors. */
export function groupFailure(code: number, groupId: string, action: string): TidemarkError {
  const subject = { action: `${action} group ${groupId}`, groupId };
  const refusal = brokerFailure(code, subject);
  switch (code) {
    case brokerErrorCodes.INCONSISTENT_GROUP_PROTOCOL:
      return protocolConflict(
        groupId,
        'its members speak another protocol or spread partitions by another strategy',
        refusal,
      );
    case brokerErrorCodes.INVALID_SESSION_TIMEOUT:
      return new TidemarkError('CONFIG_INVALID', `The broker refused the session timeout of group ${groupId}`, {
        path: 'source.group.sessionTimeoutMs',
        hint: 'Stay between group.min.session.timeout.ms (6000 by default) and group.max.session.timeout.ms of the brokers.',
        ...(refusal.foreignCode === undefined ? {} : { foreignCode: refusal.foreignCode }),
      });
    default:
      return refusal;
  }
}

/**
 * What a failure makes of a membership. `rejoin`: the group rebalances, and we are a member of it. `lost`: the group goes
 * on without us. `elsewhere`: another broker coordinates. `retry`: nothing is known to have changed. `final`: no retry mends it.
 */
export type FailureVerdict = 'rejoin' | 'lost' | 'elsewhere' | 'retry' | 'final';

const verdicts: Readonly<Record<string, FailureVerdict>> = {
  REBALANCE_IN_PROGRESS: 'rejoin',
  UNKNOWN_MEMBER_ID: 'lost',
  FENCED_INSTANCE_ID: 'lost',
  // The group has gone on to a generation that we did not take part in: our partitions may be somebody else's.
  ILLEGAL_GENERATION: 'lost',
  NOT_COORDINATOR: 'elsewhere',
  COORDINATOR_NOT_AVAILABLE: 'elsewhere',
  // What a coordinator says whose own log does not take the group's record just now.
  UNKNOWN_SERVER_ERROR: 'retry',
  // There is room when somebody leaves, as in a rolling restart.
  GROUP_MAX_SIZE_REACHED: 'retry',
};

export function judgeFailure(error: TidemarkError): FailureVerdict {
  return verdicts[error.foreignCode ?? ''] ?? (error.retriable ? 'retry' : 'final');
}

/** The error itself, or what made every broker of a list refuse us. */
export function asTidemarkError(thrown: unknown): TidemarkError {
  if (!isTidemarkError(thrown)) {
    return new TidemarkError('INVARIANT_BROKEN', `Group membership: ${messageOf(thrown)}`, { cause: thrown });
  }
  const refused = thrown.code === 'KAFKA_UNREACHABLE' && isTidemarkError(thrown.cause, 'KAFKA_AUTHENTICATION_FAILED');
  return refused ? asTidemarkError(thrown.cause) : thrown;
}

/** An answer that did not come in time. */
export function silent(what: string, afterMs: number): TidemarkError {
  return new TidemarkError('KAFKA_CONNECTION_LOST', `${what}: no answer within ${Math.round(afterMs)} ms`, {
    retriable: true,
    foreignCode: requestTimedOut,
  });
}
