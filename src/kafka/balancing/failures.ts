import { TidemarkError } from '../../errors.ts';

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
