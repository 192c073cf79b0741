import { messageOf, TidemarkError } from '../../errors.ts';
import type { GroupProtocol, MembershipCapabilities, MembershipOptions } from '../../kafka/index.ts';
import { topicsMissing } from '../../kafka/reading/index.ts';
import type { Topics } from './topics.ts';

/** Options of a membership with every default filled in. */
export interface ResolvedMembership {
  readonly protocol: GroupProtocol;
  readonly instanceId: string | undefined;
  readonly awaitsRevocation: boolean;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly revokeTimeoutMs: number;
  readonly metadataRefreshMs: number;
  /** Topics of the subscription as they are now. Throws KAFKA_TOPIC_MISSING for one that never was. */
  readonly topics: () => readonly string[];
}

/** Throws CONFIG_INVALID, with the path of the option, for what the cluster's drivers cannot do. */
export function resolveMembership(
  options: MembershipOptions,
  capabilities: MembershipCapabilities,
  topics: Topics,
): ResolvedMembership {
  const { instanceId } = options;
  const protocol = options.protocol ?? capabilities.protocols[0];
  if (protocol === undefined || !capabilities.protocols.includes(protocol)) {
    throw invalid('source.group.protocol', `the memory cluster was made without the protocol ${protocol}`);
  }
  if (instanceId !== undefined && !capabilities.staticMembership) {
    throw invalid('source.group.instanceId', 'the memory cluster was made without static membership');
  }
  const sessionTimeoutMs = options.sessionTimeoutMs ?? 45_000;
  const revokeTimeoutMs = options.revokeTimeoutMs ?? 10_000;
  return {
    protocol,
    instanceId,
    awaitsRevocation: capabilities.awaitsRevocation,
    sessionTimeoutMs,
    heartbeatIntervalMs: options.heartbeatIntervalMs ?? 3_000,
    rebalanceTimeoutMs: Math.max(5_000, sessionTimeoutMs),
    revokeTimeoutMs,
    metadataRefreshMs: options.metadataRefreshMs ?? 30_000,
    topics: namesOf(options.subscription, topics),
  };
}

function namesOf(subscription: MembershipOptions['subscription'], topics: Topics): () => readonly string[] {
  if ('topics' in subscription) {
    const names = [...new Set(subscription.topics)].sort();
    let known = false;
    return () => {
      const missing = known ? [] : names.filter((name) => topics.find(name) === undefined);
      if (missing.length > 0) throw topicsMissing(missing);
      known = true;
      return names;
    };
  }
  const pattern = wholeName(subscription.pattern);
  const matched = new Set<string>();
  return () => {
    for (const name of topics.names) if (!name.startsWith('__') && pattern.test(name)) matched.add(name);
    return [...matched].sort();
  };
}

function wholeName(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`);
  } catch (error) {
    throw invalid('source.topicPattern', `the pattern of topics cannot be used: ${messageOf(error)}`);
  }
}

function invalid(path: string, what: string): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', `${path}: ${what}`, { path });
}
