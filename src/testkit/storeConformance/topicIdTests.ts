import { at, begin, claimed, claimOne, commitOf, pipeline, rejection, rowOf, still, withScene } from './scene.ts';
import type { StoreSuite } from './suite.ts';

/** The topic id of a row: swapped by its owner alone, and only for the one that was seen. */
export function topicIdTests(suite: StoreSuite): void {
  const { test, assert, environment } = suite;
  const topic = environment.kafkaTopicsOnly ? 'orders' : 'receiver:web@0b5d1a2c-7a1e-4a5f-9c39-2f6d5b1f0c11';
  const place = at(topic, 0);
  const first = `id of ${topic}`;

  test('a topic id is swapped under the claim, and nothing else of the row changes', () =>
    withScene(suite, async ({ store }) => {
      await begin(store, topic, [7, 8]);
      const [held] = await claimed(store, place, at(topic, 1));
      if (held === undefined) throw new Error('no claim');
      const before = (await store.read()).map(still);
      await store.swapTopicId(held, first, "it's\\new 🦀");
      assert.deepEqual((await store.read()).map(still), [{ ...before[0], topicId: "it's\\new 🦀" }, before[1]]);
      await store.commitRanges([commitOf(held, 7, 9)]);
      assert.equal((await rowOf(store, place)).nextOffset, 9n, 'the claim holds on');
    }));

  test('a topic id that was swapped already is a success', () =>
    withScene(suite, async ({ store }) => {
      await begin(store, topic, [0]);
      const held = await claimOne(store, place);
      await store.swapTopicId(held, first, 'second');
      await store.swapTopicId(held, first, 'second');
      assert.equal((await rowOf(store, place)).topicId, 'second');
      await store.swapTopicId(held, 'second', 'third');
      assert.equal((await rowOf(store, place)).topicId, 'third');
    }));

  test('a topic id that was not the one seen stays', () =>
    withScene(suite, async ({ store }) => {
      await begin(store, topic, [0]);
      const held = await claimOne(store, place);
      await store.swapTopicId(held, first, 'second');
      const error = await rejection(store.swapTopicId(held, first, 'third'));
      assert.deepEqual([error.code, error.topic, error.partition], ['LEDGER_MOVED', topic, 0]);
      assert.equal((await rowOf(store, place)).topicId, 'second');
    }));

  test('a claim that was taken over or given back cannot swap a topic id', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, topic, [0]);
      const stale = await claimOne(store, place);
      const theirs = await claimOne(other, place);
      const error = await rejection(store.swapTopicId(stale, first, 'second'));
      assert.deepEqual([error.code, error.topic, error.partition], ['LEDGER_FENCED', topic, 0]);
      assert.equal((await rowOf(store, place)).topicId, first);
      await other.swapTopicId(theirs, first, 'second');
      const late = await rejection(store.swapTopicId(stale, first, 'second'));
      assert.equal(late.code, 'LEDGER_FENCED', 'also where the row has that topic id');
      await other.release([theirs]);
      assert.equal((await rejection(other.swapTopicId(theirs, 'second', 'third'))).code, 'LEDGER_FENCED');
      assert.equal((await rowOf(store, place)).topicId, 'second');
    }));

  test('of two that swap the same topic id at once one wins', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, topic, [0]);
      const held = await claimOne(store, place);
      let seen = first;
      for (let round = 1; round <= 5; round += 1) {
        // Two processes with one claim: a directory that was copied together with what its owner knew.
        const wanted = [`${round} of one`, `${round} of the other`] as const;
        const results = await Promise.allSettled([
          store.swapTopicId(held, seen, wanted[0]),
          other.swapTopicId(held, seen, wanted[1]),
        ]);
        const winners = wanted.filter((_, index) => results[index]?.status === 'fulfilled');
        assert.equal(winners.length, 1, `winners of round ${round}`);
        const [lost] = results.filter((result) => result.status === 'rejected');
        assert.equal(lost?.reason.code, 'LEDGER_MOVED');
        assert.equal((await rowOf(store, place)).topicId, winners[0]);
        seen = winners[0] ?? '';
      }
    }));

  if (!environment.capabilities.fenced) return;

  test('a topic id cannot be swapped in a row that is gone', () =>
    withScene(suite, async ({ place: where, store }) => {
      await begin(store, topic, [0]);
      const held = await claimOne(store, place);
      await where.removeByHand(pipeline, place);
      assert.equal((await rejection(store.swapTopicId(held, first, 'second'))).code, 'LEDGER_FENCED');
      assert.deepEqual(await store.read(), []);
    }));
}
