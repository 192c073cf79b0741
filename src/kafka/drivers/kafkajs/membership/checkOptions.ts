import { TidemarkError } from '../../../../errors.ts';
import type { MembershipCapabilities, MembershipOptions } from '../../../membership.ts';

/** Throws CONFIG_INVALID, with the path of the option, for what this driver cannot do. */
export function checkMembershipOptions(options: MembershipOptions, capabilities: MembershipCapabilities): void {
  const { protocol, instanceId } = options;
  if (protocol !== undefined && !capabilities.protocols.includes(protocol)) {
    const path = 'source.group.protocol';
    throw new TidemarkError('CONFIG_INVALID', `${path}: the kafkajs driver does not speak ${protocol}`, {
      path,
      hint: `Take ${capabilities.protocols.join(' or ')}, or kafka.driver: confluent.`,
    });
  }
  if (instanceId !== undefined && !capabilities.staticMembership) {
    const path = 'source.group.instanceId';
    throw new TidemarkError('CONFIG_INVALID', `${path}: the kafkajs driver has no static membership`, {
      path,
      hint: 'Leave it out, or take kafka.driver: confluent.',
    });
  }
}

export interface MembershipTimes {
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly revokeTimeoutMs: number;
  readonly metadataRefreshMs: number;
}

/** The options with their defaults. */
export function membershipTimes(options: MembershipOptions): MembershipTimes {
  const { sessionTimeoutMs = 45_000, heartbeatIntervalMs = 3_000 } = options;
  const { revokeTimeoutMs = 10_000, metadataRefreshMs = 30_000 } = options;
  return { sessionTimeoutMs, heartbeatIntervalMs, revokeTimeoutMs, metadataRefreshMs };
}
