import { TidemarkError } from '../../../errors.ts';
import { protocolConflict } from '../../balancing/index.ts';
import { codeOf, libraryFailure, localCodes } from './failures.ts';

/** Codes of Kafka's protocol that concern members of groups. */
const groupCodes = {
  inconsistentProtocol: 23,
  groupAuthorization: 30,
  unsupportedVersion: 35,
  groupIdNotFound: 69,
  groupMaxSize: 81,
  fencedInstance: 82,
  unreleasedInstance: 111,
  unsupportedAssignor: 112,
} as const;

const conflicts: readonly number[] = [groupCodes.inconsistentProtocol, groupCodes.groupIdNotFound];
const finals: readonly string[] = [
  'GROUP_AUTHORIZATION_FAILED',
  'FENCED_INSTANCE_ID',
  'UNSUPPORTED_VERSION',
  'UNSUPPORTED_ASSIGNOR',
  '_FATAL',
];

/** What the library reports of a membership, as an error of ours. */
export function groupFailure(thrown: unknown, groupId: string, fatalText: string | undefined): TidemarkError {
  const code = codeOf(thrown);
  const failure = libraryFailure(thrown, { action: `stay in group ${groupId}`, groupId });
  if (conflicts.includes(code)) {
    return protocolConflict(
      groupId,
      'its members speak another protocol or spread partitions by another strategy',
      failure,
    );
  }
  if (code !== localCodes.fatal) return failure;
  // Of a fatal error the library gives only the text. A coordinator says of a group of another protocol that it does not exist.
  const text = fatalText ?? failure.message;
  if (/inconsistent|group id does not exist/i.test(text)) return protocolConflict(groupId, text, failure);
  return new TidemarkError('GROUP_MEMBERSHIP_LOST', `Group ${groupId} has put this process out for good: ${text}`, {
    foreignCode: '_FATAL',
    hint: 'Give each process a source.group.instanceId of its own, and brokers and source.group.protocol that fit each other.',
    cause: thrown,
  });
}

/** No retry mends it. */
export function isFinal(error: TidemarkError): boolean {
  if (error.code === 'GROUP_PROTOCOL_CONFLICT' || error.code === 'KAFKA_AUTHENTICATION_FAILED') return true;
  return finals.includes(error.foreignCode ?? '');
}
