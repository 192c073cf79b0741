import { describe, expect, test } from 'vitest';
import { isTidemarkError } from '../../src/errors.ts';
import type { CommittedOffset, GroupMembership, KafkaDriver } from '../../src/kafka/index.ts';
import type { OffsetStore } from '../../src/offsets/index.ts';
import type { Sink } from '../../src/sinks/index.ts';
import {
  driverConformance,
  membershipConformance,
  sinkConformance,
  storeConformance,
} from '../../src/testkit/index.ts';
import { failuresOf } from '../support/collectingRunner.ts';
import { memoryDatabaseTarget, memoryLedgerPlace, sinkTraits, storeTraits } from '../support/memoryDatabases.ts';
import { memoryMembershipEnvironment } from '../support/memoryMembershipEnvironment.ts';
import {
  committingPastMembers,
  committingSilently,
  leakingAborted,
  readingByName,
  readingPendingAsNone,
  silentlyResetting,
} from '../support/seededDrivers.ts';

/** A suite that cannot fail proves nothing: each wrong implementation is found out, by the tests that are about its fault. */
describe('the suite of drivers finds out', () => {
  test.each([
    [
      'aborted records that are delivered',
      leakingAborted,
      /transaction/,
      'leaves out an aborted transaction and keeps a committed one',
    ],
    ['a silent reset', silentlyResetting, /ends/, 'ends with the bounds when the offset was removed, and never resets'],
    ['reading by name', readingByName, /topic/, 'a topic that was made again is an error, not other data'],
    [
      'a pending offset that is read as none',
      readingPendingAsNone,
      /offset that a transaction/,
      'the first offset that a transaction is about to write is waited for, of all topics',
    ],
    [
      'offsets written past the members of a classic group',
      committingPastMembers,
      /outside/,
      'refuses offsets from outside while a group of the classic protocol has members, takes them afterwards',
    ],
    [
      'a refusal of a group of the new protocol that nobody hears of',
      committingSilently,
      /outside/,
      'refuses offsets from outside while a group of the consumer protocol has members, takes them afterwards',
    ],
  ])('%s', async (_, environment, about, finding) => {
    const found = await failuresOf(about, (runner) => driverConformance({ ...runner, environment: environment() }));
    expect(found).toContain(finding);
  });
});

test('the suite of memberships finds out a group that does not wait', async () => {
  const real = memoryMembershipEnvironment('cooperative', false);
  const environment = { ...real, capabilities: { ...real.capabilities, awaitsRevocation: true } };
  const found = await failuresOf(/revoked/, (runner) => membershipConformance({ ...runner, environment }));
  expect(found).toContain('nobody gets a partition before revoked is done with it');
});

describe('the suite of memberships finds out', () => {
  type Commit = GroupMembership['commitOffsets'];
  /** Writes as nobody in particular, which a group takes from a transaction. */
  type WritePast = (offsets: readonly CommittedOffset[]) => void;

  const greedy = (commit: Commit, writePast: WritePast): Commit => {
    return async (offsets) => {
      await commit(offsets);
      writePast(offsets);
    };
  };
  const unfenced = (commit: Commit, writePast: WritePast): Commit => {
    return (offsets) =>
      commit(offsets).catch((error: unknown) => {
        writePast(offsets);
        throw error;
      });
  };
  const optimistic = (commit: Commit): Commit => {
    return (offsets) => commit(offsets).catch(() => {});
  };

  test.each([
    ['commits of what is not its own', greedy, 'offsets of partitions that are not ours are left out of a commit'],
    ['an unfenced commit', unfenced, 'a commit of a member that was counted out is refused, and nothing is written'],
    [
      'a commit that hides its refusal',
      optimistic,
      'a commit before join, during leave and after it rejects with GROUP_MEMBERSHIP_LOST',
    ],
  ])('%s', async (_, change, finding) => {
    const real = memoryMembershipEnvironment('cooperative', true);
    const withCommits = (driver: KafkaDriver): KafkaDriver =>
      changed(driver, () => ({
        openMembership: (options, listener) => {
          const membership = driver.openMembership(options, listener);
          const writePast = (offsets: readonly CommittedOffset[]) => {
            const transaction = real.cluster.beginTransaction();
            transaction.sendOffsets(options.groupId, offsets);
            transaction.commit();
          };
          const commitOffsets = change((offsets) => membership.commitOffsets(offsets), writePast);
          return changed(membership, () => ({ commitOffsets }));
        },
      }));
    const newProcess = async () => {
      const process = await real.newProcess();
      return { ...process, driver: withCommits(process.driver) };
    };
    // Shorter than what a seeded test may take: one of them waits for the end of a session.
    const options = { ...real.options, sessionTimeoutMs: 500 };
    const environment = { ...real, options, newProcess };
    const found = await failuresOf(/commit/, (runner) => membershipConformance({ ...runner, environment }));
    expect(found).toContain(finding);
  });
});

describe('the suite of stores finds out', () => {
  /** Does again under the claim of the day what was refused. */
  const unfenced = (store: OffsetStore): Partial<OffsetStore> => ({
    commitRanges: async (commits) => {
      const rows = await store.read();
      const claimOf = ({ topic, partition }: { topic: string; partition: number }) =>
        rows.find((row) => row.topic === topic && row.partition === partition)?.claim ?? '';
      const renewed = commits.map((commit) => ({ ...commit, held: { ...commit.held, claim: claimOf(commit.range) } }));
      await store.commitRanges(renewed);
    },
  });
  const forgetful = (store: OffsetStore): Partial<OffsetStore> => ({
    release: async (claims) => {
      await store.release(claims);
      return claims.map(() => true);
    },
  });
  /** Swaps whatever is there. */
  const blind = (store: OffsetStore): Partial<OffsetStore> => ({
    swapTopicId: async (held, _seen, topicId) => {
      const row = (await store.read([held.topic])).find(({ partition }) => partition === held.partition);
      await store.swapTopicId(held, row?.topicId ?? '', topicId);
    },
  });

  test.each([
    ['a commit without fencing', unfenced, 'a claim that was taken over cannot commit'],
    ['a release that always succeeds', forgetful, 'a release leaves what others hold'],
    ['a topic id that is swapped without looking', blind, 'a topic id that was not the one seen stays'],
  ])('%s', async (_, change, finding) => {
    const newPlace = async () => {
      const place = memoryLedgerPlace();
      return { ...place, newStore: (pipeline: string) => changed(place.newStore(pipeline), change) };
    };
    const environment = { capabilities: storeTraits, newPlace };
    const found = await failuresOf(/claim|release|topic id/, (runner) => storeConformance({ ...runner, environment }));
    expect(found).toContain(finding);
  });
});

describe('the suite of sinks finds out', () => {
  /** Commits again, under the claim of the day, what the ledger refused. */
  const unfenced = (sink: Sink): Partial<Sink> => ({
    begin: async (partitions) => {
      const transaction = await sink.begin(partitions);
      return changed(transaction, () => ({
        commitRanges: async (commits) => {
          const rows = await sink.store.read();
          const held = commits.map((commit) => {
            const row = rows.find(({ topic, partition }) => {
              return topic === commit.range.topic && partition === commit.range.partition;
            });
            return { ...commit, held: { ...commit.held, claim: row?.claim ?? '' } };
          });
          await transaction.commitRanges(held);
        },
      }));
    },
  });
  /** Says of every commit that it happened. */
  const optimistic = (sink: Sink): Partial<Sink> => ({
    begin: async (partitions) => {
      const transaction = await sink.begin(partitions);
      return changed(transaction, () => ({
        commitRanges: (commits) =>
          transaction.commitRanges(commits).catch((error: unknown) => {
            if (!isTidemarkError(error)) throw error;
          }),
      }));
    },
  });

  test.each([
    ['a commit without fencing', unfenced, 'a stale claim is fenced and leaves nothing behind'],
    ['a commit that hides its failure', optimistic, 'rows that the target refuses take the transaction back'],
  ])('%s', async (_, change, finding) => {
    const newTarget = async () => {
      const target = memoryDatabaseTarget();
      return {
        ...target,
        newSink: (...of: Parameters<typeof target.newSink>) => changed(target.newSink(...of), change),
      };
    };
    const found = await failuresOf(/claim|refuse/, (runner) =>
      sinkConformance({ ...runner, environment: { ...sinkTraits, newTarget } }),
    );
    expect(found).toContain(finding);
  });
});

/** An implementation with some of its methods replaced. */
function changed<T extends object>(real: T, change: (real: T) => Partial<T>): T {
  const other = change(real);
  return new Proxy(real, {
    get: (target, name) => {
      if (name in other) return Reflect.get(other, name) as unknown;
      const member = Reflect.get(target, name) as unknown;
      return typeof member === 'function' ? member.bind(target) : member;
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  });
}
