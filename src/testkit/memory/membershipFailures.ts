import { isTidemarkError, messageOf, TidemarkError } from '../../errors.ts';
import { partitionKey, type TopicPartition } from '../../model/index.ts';

/** Answers after which the group goes on without us. */
const lossCodes: ReadonlySet<string> = new Set(['UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID']);

export function isLoss(error: TidemarkError): boolean {
  return lossCodes.has(error.foreignCode ?? '');
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

export function asTidemarkError(thrown: unknown): TidemarkError {
  if (isTidemarkError(thrown)) return thrown;
  return new TidemarkError('INVARIANT_BROKEN', `Group membership: ${messageOf(thrown)}`, { cause: thrown });
}

/** The partitions of a list that are not in another. */
export function without(
  partitions: readonly TopicPartition[],
  others: readonly TopicPartition[],
): readonly TopicPartition[] {
  const keys = new Set(others.map(partitionKey));
  return partitions.filter((partition) => !keys.has(partitionKey(partition)));
}
