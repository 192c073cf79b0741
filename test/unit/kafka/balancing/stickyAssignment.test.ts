import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type StickyMember, stickyAssignment } from '../../../../src/kafka/balancing/stickyAssignment.ts';
import { partitionName, type TopicPartition } from '../../../../src/model/index.ts';

const topicNames = ['a', 'b', 'c'];
const partitionCounts = fc
  .tuple(...topicNames.map(() => fc.integer({ min: 0, max: 7 })))
  .map((counts) => new Map(topicNames.map((topic, index) => [topic, counts[index] ?? 0])));
const anyPartition = fc.record({ topic: fc.constantFrom(...topicNames, 'gone'), partition: fc.nat(9) });

function membersOf(topics: fc.Arbitrary<string[]>): fc.Arbitrary<StickyMember[]> {
  const member = fc.record({
    topics,
    owned: fc.array(anyPartition, { maxLength: 8 }),
    generation: fc.integer({ min: -1, max: 3 }),
  });
  return fc
    .array(member, { minLength: 1, maxLength: 6 })
    .map((list) => list.map((each, index) => ({ ...each, memberId: `m${index}` })));
}

const alike = membersOf(fc.constant(topicNames));
const different = membersOf(fc.subarray(topicNames));

const names = (partitions: readonly TopicPartition[] | undefined) => (partitions ?? []).map(partitionName);

function all(counts: ReadonlyMap<string, number>, topics: Iterable<string>): TopicPartition[] {
  return [...new Set(topics)].flatMap((topic) =>
    Array.from({ length: counts.get(topic) ?? 0 }, (_, partition) => ({ topic, partition })),
  );
}

/** Whom each partition is believed to have belonged to: the claim of the highest generation, the smaller id among equals. */
function rightfulOwners(members: readonly StickyMember[], counts: ReadonlyMap<string, number>): Map<string, string> {
  const owners = new Map<string, string>();
  for (const partition of all(counts, topicNames)) {
    const claimants = members
      .filter(({ topics }) => topics.includes(partition.topic))
      .filter(({ owned }) => names(owned).includes(partitionName(partition)))
      .sort((a, b) => b.generation - a.generation || (a.memberId < b.memberId ? -1 : 1));
    const [owner] = claimants;
    if (owner !== undefined) owners.set(partitionName(partition), owner.memberId);
  }
  return owners;
}

function keptOf(assignment: ReadonlyMap<string, TopicPartition[]>, owners: ReadonlyMap<string, string>): number {
  return [...assignment].reduce(
    (sum, [memberId, partitions]) => sum + names(partitions).filter((name) => owners.get(name) === memberId).length,
    0,
  );
}

describe('the sticky assignment', () => {
  test('gives each partition of a wanted topic to exactly one member that wants it', () => {
    fc.assert(
      fc.property(different, partitionCounts, (members, counts) => {
        const assignment = stickyAssignment(members, counts);
        expect([...assignment.keys()].sort()).toEqual(members.map(({ memberId }) => memberId).sort());
        for (const { memberId, topics } of members) {
          for (const { topic } of assignment.get(memberId) ?? []) expect(topics).toContain(topic);
        }
        const given = [...assignment.values()].flatMap((partitions) => names(partitions)).sort();
        const wanted = all(
          counts,
          members.flatMap(({ topics }) => topics),
        );
        expect(given).toEqual(names(wanted).sort());
      }),
    );
  });

  test('members with the same topics differ by one partition at most, and as few as possible move', () => {
    fc.assert(
      fc.property(alike, partitionCounts, (members, counts) => {
        const assignment = stickyAssignment(members, counts);
        const loads = [...assignment.values()].map(({ length }) => length);
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
        const owners = rightfulOwners(members, counts);
        const had = members.map(({ memberId }) => [...owners.values()].filter((owner) => owner === memberId).length);
        const total = all(counts, topicNames).length;
        const share = Math.floor(total / members.length);
        const larger = Math.min(total % members.length, had.filter((count) => count > share).length);
        const mayKeep = had.reduce((sum, count) => sum + Math.min(count, share), 0) + larger;
        expect(keptOf(assignment, owners)).toBe(mayKeep);
      }),
    );
  });

  test('members with different topics are as even as their topics allow', () => {
    fc.assert(
      fc.property(different, partitionCounts, (members, counts) => {
        const assignment = stickyAssignment(members, counts);
        const wants = new Map(members.map(({ memberId, topics }) => [memberId, topics]));
        const load = (memberId: string) => assignment.get(memberId)?.length ?? 0;
        // Whoever can be reached by handing partitions on has at most one fewer: a better spread does not exist.
        for (const { memberId: from } of members) {
          const reached = new Set([from]);
          for (const at of reached) {
            for (const { topic } of assignment.get(at) ?? []) {
              for (const [memberId, topics] of wants) if (topics.includes(topic)) reached.add(memberId);
            }
          }
          for (const to of reached) expect(load(from) - load(to)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  test('does not depend on the order of its input', () => {
    const shuffled = different.chain((members) =>
      fc.tuple(fc.constant(members), fc.shuffledSubarray(members, { minLength: members.length })),
    );
    fc.assert(
      fc.property(shuffled, partitionCounts, ([members, others], counts) => {
        const reversed = others.map((member) => ({ ...member, owned: [...member.owned].reverse() }));
        const backwards = new Map([...counts].reverse());
        const sorted = (assignment: Map<string, TopicPartition[]>) =>
          [...assignment].sort(([a], [b]) => (a < b ? -1 : 1));
        expect(sorted(stickyAssignment(reversed, backwards))).toEqual(sorted(stickyAssignment(members, counts)));
      }),
    );
  });

  test('an assignment that is even already stays as it is', () => {
    fc.assert(
      fc.property(different, partitionCounts, (members, counts) => {
        const first = stickyAssignment(members, counts);
        const settled = members.map((member) => ({
          ...member,
          owned: first.get(member.memberId) ?? [],
          generation: 7,
        }));
        expect(stickyAssignment(settled, counts)).toEqual(first);
      }),
    );
  });

  test('of two that claim the same partition the one of the higher generation is believed', () => {
    const claim = {
      topics: ['a'],
      owned: [
        { topic: 'a', partition: 0 },
        { topic: 'a', partition: 1 },
      ],
    };
    const assignment = stickyAssignment(
      [
        { memberId: 'awoken', generation: 3, ...claim },
        { memberId: 'present', generation: 5, ...claim },
      ],
      new Map([['a', 4]]),
    );
    expect(names(assignment.get('present'))).toEqual(['a-0', 'a-1']);
    expect(names(assignment.get('awoken'))).toEqual(['a-2', 'a-3']);
  });
});
