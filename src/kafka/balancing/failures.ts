import { isTidemarkError, TidemarkError } from '../../errors.ts';

/** The group's members do not balance as we do; `why` completes "cannot be joined:". No retry mends it. */
export function protocolConflict(groupId: string, why: string, cause?: TidemarkError): TidemarkError {
  return new TidemarkError('GROUP_PROTOCOL_CONFLICT', `Group ${groupId} cannot be joined: ${why}`, {
    hint: 'Give all processes of the group the same kafka.driver and source.group.protocol, or another source.groupId.',
    ...(cause?.foreignCode === undefined ? {} : { foreignCode: cause.foreignCode }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** `cause` is what tells that we are not a member (any more). */
export function membershipLost(groupId: string, cause: TidemarkError | undefined): TidemarkError {
  const why = cause === undefined ? '' : `: ${cause.message}`;
  return new TidemarkError('GROUP_MEMBERSHIP_LOST', `This process is not a member of group ${groupId}${why}`, {
    retriable: true,
    ...(cause?.foreignCode === undefined ? {} : { foreignCode: cause.foreignCode }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What a coordinator says to a commit of a member, or of a generation, that it does not count on (any more). */
const countedOut: ReadonlySet<string> = new Set([
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
  'ILLEGAL_GENERATION',
  'REBALANCE_IN_PROGRESS',
  'FENCED_MEMBER_EPOCH',
  'STALE_MEMBER_EPOCH',
]);

/** Why a commit of a member failed: what says that it is not of the group's generation is GROUP_MEMBERSHIP_LOST. */
export function commitFailure(groupId: string, failure: unknown): unknown {
  if (!isTidemarkError(failure) || !countedOut.has(failure.foreignCode ?? '')) return failure;
  const text = `Group ${groupId} takes no offsets of this process now: ${failure.message}`;
  return new TidemarkError('GROUP_MEMBERSHIP_LOST', text, {
    retriable: true,
    ...(failure.foreignCode === undefined ? {} : { foreignCode: failure.foreignCode }),
    cause: failure,
  });
}
