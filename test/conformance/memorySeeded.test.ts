import { describe, expect, test } from 'vitest';
import { isTidemarkError } from '../../src/errors.ts';
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
import { leakingAborted, readingByName, silentlyResetting } from '../support/seededDrivers.ts';

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

  test.each([
    ['a commit without fencing', unfenced, 'a claim that was taken over cannot commit'],
    ['a release that always succeeds', forgetful, 'a release leaves what others hold'],
  ])('%s', async (_, change, finding) => {
    const newPlace = async () => {
      const place = memoryLedgerPlace();
      return { ...place, newStore: (pipeline: string) => changed(place.newStore(pipeline), change) };
    };
    const environment = { capabilities: storeTraits, newPlace };
    const found = await failuresOf(/claim|release/, (runner) => storeConformance({ ...runner, environment }));
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
