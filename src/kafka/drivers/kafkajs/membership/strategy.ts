import type { TopicPartition } from '../../../../model/index.ts';
import { type StickyMember, stickyAssignment } from '../../../balancing/index.ts';
import {
  decodeConsumerSubscription,
  encodeConsumerAssignment,
  encodeConsumerSubscription,
} from '../../../protocol/index.ts';

/** The name all members of a group must share. Changes with the meaning of the claims. */
export const strategyName = 'tidemark-sticky';

/** What a member had last, and in which generation. Kept after a loss too: what nobody took in between comes back. */
export interface Claims {
  readonly generation: number;
  readonly owned: readonly TopicPartition[];
}

export const noClaims: Claims = { generation: -1, owned: [] };

/** What a member tells the leader: its topics, and as user data of the strategy its claims, in JSON. */
export function memberMetadata(topics: readonly string[], { generation, owned }: Claims): Buffer {
  const partitions: Record<string, number[]> = {};
  for (const { topic, partition } of owned) partitions[topic] = [...(partitions[topic] ?? []), partition];
  return encodeConsumerSubscription({
    topics,
    userData: Buffer.from(JSON.stringify({ generation, owned: partitions })),
  });
}

export function readMember(memberId: string, metadata: Buffer): StickyMember {
  const { topics, userData } = decodeConsumerSubscription(metadata);
  return { memberId, topics, ...readClaims(userData) };
}

/** What the leader hands in: an assignment for every member, empty ones too. */
export function assignmentsOf(
  members: readonly StickyMember[],
  partitionsPerTopic: ReadonlyMap<string, number>,
): { memberId: string; assignment: Buffer }[] {
  return [...stickyAssignment(members, partitionsPerTopic)].map(([memberId, partitions]) => ({
    memberId,
    assignment: encodeConsumerAssignment(partitions),
  }));
}

/** Claims that cannot be read are none: they only spare moves. */
function readClaims(userData: Buffer): Claims {
  try {
    const { generation, owned } = JSON.parse(userData.toString('utf8')) as {
      generation: unknown;
      owned: Record<string, unknown>;
    };
    if (typeof generation !== 'number') return noClaims;
    const partitions = Object.entries(owned).flatMap(([topic, numbers]) =>
      Array.isArray(numbers) ? numbers.filter(Number.isInteger).map((partition: number) => ({ topic, partition })) : [],
    );
    return { generation, owned: partitions };
  } catch {
    return noClaims;
  }
}
