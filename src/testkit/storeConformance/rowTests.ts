import type { OffsetStore } from '../../offsets/index.ts';
import { at, begin, claimOne, commitOf, identity, openAs, pipeline, rowOf, still, withScene } from './scene.ts';
import type { StoreSuite } from './suite.ts';

/** What a topic of Kafka can be called. */
const kafkaNames = ['A.b_c-1', 'x'.repeat(200), '0'];
/** What a table takes. */
const anyNames = [
  "o'rders",
  'a "b" \\ c',
  "'; DROP TABLE offsets; --",
  '$$ $1 %s {x}',
  'été 🦀 注文',
  'x'.repeat(200),
  'receiver:web@0b5d1a2c-7a1e-4a5f-9c39-2f6d5b1f0c11',
];

/** Rows, their order and their values; owners; two pipelines in one place. */
export function rowTests(suite: StoreSuite): void {
  const { test, assert, environment } = suite;

  test('a new ledger is empty', () =>
    withScene(suite, async ({ store }) => {
      assert.deepEqual(await store.read(), []);
      assert.deepEqual(await store.read(['orders']), []);
      assert.deepEqual(await store.controls(), []);
      assert.equal(await store.newestRange(at('orders', 0)), undefined);
      assert.deepEqual(store.capabilities, environment.capabilities);
    }));

  if (environment.capabilities.fenced) severalTests(suite);

  test('what was written is there for the next process', async () => {
    const place = await environment.newPlace();
    const store = place.newStore(pipeline);
    await openAs(store, identity('first'));
    await begin(store, 'orders', [7, 8]);
    const held = await claimOne(store, at('orders', 0));
    await store.commitRanges([commitOf(held, 7, 10, { leaderEpoch: 4 })]);
    await store.setState(held, 'parked', 'a bad record');
    await store.release([held]);
    const before = (await store.read()).map(still);
    await store.close();
    const next = place.newStore(pipeline);
    await openAs(next, identity('next'));
    assert.deepEqual((await next.read()).map(still), before);
    assert.equal((await claimOne(next, at('orders', 0))).ownerEpoch, held.ownerEpoch + 1n);
    await next.close();
  });

  test('whoever only looks sees what is there and changes nothing', async () => {
    const place = await environment.newPlace();
    const looking = place.newStore(pipeline);
    await looking.open('look');
    assert.deepEqual(await looking.read(), [], 'a place where no pipeline was ever started reads as empty');
    await looking.close();
    const store = place.newStore(pipeline);
    await openAs(store, identity('worker'));
    await begin(store, 'orders', [7]);
    const beside = place.newStore(pipeline);
    await beside.open('look');
    assert.equal((await rowOf(beside, at('orders', 0))).nextOffset, 7n);
    await store.commitRanges([commitOf(await claimOne(store, at('orders', 0)), 7, 9)]);
    assert.equal((await rowOf(beside, at('orders', 0))).nextOffset, 9n, 'also while a process works');
    await Promise.all([store.close(), beside.close()]);
  });

  test("an inserted row is nobody's and holds what was given", () =>
    withScene(suite, async ({ store }) => {
      await begin(store, 'orders', [42]);
      const row = await rowOf(store, at('orders', 0));
      assert.deepEqual(still(row), {
        topic: 'orders',
        partition: 0,
        nextOffset: 42n,
        claim: null,
        owner: null,
        ownerEpoch: 0n,
        topicId: 'id of orders',
        leaderEpoch: -1,
        incarnation: 1n,
        state: 'running',
        reason: null,
      });
      assert.ok(row.ageMs >= 0 && row.ageMs < 60_000, `an age of ${row.ageMs} ms`);
    }));

  test('offsets keep every bit', () =>
    withScene(suite, async ({ store }) => {
      const offsets = [0n, 2n ** 53n + 1n, 2n ** 63n - 1n];
      await begin(store, 'orders', offsets);
      assert.deepEqual(
        (await store.read()).map(({ nextOffset }) => nextOffset),
        offsets,
      );
    }));

  test('rows are read in order of topic and partition, all or by topic', () =>
    withScene(suite, async ({ store }) => {
      const places = [at('b', 10), at('B', 0), at('a.b', 1), at('b', 2), at('a', 3), at('a-b', 0)];
      await store.initialise(places.map((place) => ({ ...place, nextOffset: 0n, topicId: 'id' })));
      const names = async (topics?: readonly string[]) =>
        (await store.read(topics)).map(({ topic, partition }) => `${topic}/${partition}`);
      assert.deepEqual(await names(), ['B/0', 'a/3', 'a-b/0', 'a.b/1', 'b/2', 'b/10']);
      assert.deepEqual(await names(['b', 'a', 'absent']), ['a/3', 'b/2', 'b/10']);
      assert.deepEqual(await names([]), []);
    }));

  test('rows that exist are left as they are', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [5, 6]);
      const held = await claimOne(store, at('orders', 0));
      const before = (await store.read()).map(still);
      await begin(other, 'orders', [50, 60, 70]);
      const after = (await store.read()).map(still);
      assert.deepEqual(after.slice(0, 2), before);
      assert.equal(after[0]?.claim, held.claim);
      assert.equal(after[2]?.nextOffset, 70n);
    }));

  test('two processes that insert at once agree on whoever was first', () =>
    withScene(suite, async ({ store, other }) => {
      const partitions = Array.from({ length: 50 }, (_, partition) => partition);
      await Promise.all([
        begin(
          store,
          'orders',
          partitions.map(() => 1),
        ),
        begin(
          other,
          'orders',
          partitions.map(() => 2),
        ),
      ]);
      const rows = await store.read();
      assert.equal(rows.length, 50);
      assert.equal(new Set(rows.map(({ nextOffset }) => nextOffset)).size, 1);
    }));

  test('names may be anything', async () => {
    const place = await environment.newPlace();
    const names = environment.kafkaTopicsOnly ? kafkaNames : anyNames;
    for (const name of names) {
      const store = place.newStore(name);
      await openAs(store, { ...identity(name), bootId: name });
      await begin(store, name, [3]);
      await claimOne(store, at(name, 0));
      assert.equal((await rowOf(store, at(name, 0))).topicId, `id of ${name}`);
      assert.equal((await store.newestRange(at(name, 0)))?.topic, environment.capabilities.history ? name : undefined);
      assert.equal((await store.owners())[0]?.host, name);
      assert.equal((await store.read()).length, 1);
      await store.close();
    }
  });

  test('two pipelines in one place do not see each other', () =>
    withScene(suite, async ({ place, store }) => {
      const neighbour: OffsetStore = place.newStore('neighbour');
      await openAs(neighbour, identity('neighbour'));
      await Promise.all([begin(store, 'orders', [1]), begin(neighbour, 'orders', [2])]);
      await claimOne(neighbour, at('orders', 0));
      assert.equal((await rowOf(store, at('orders', 0))).nextOffset, 1n);
      assert.equal((await rowOf(store, at('orders', 0))).claim, null);
      assert.equal((await rowOf(neighbour, at('orders', 0))).nextOffset, 2n);
      assert.equal((await neighbour.owners()).length, 1);
      await neighbour.close();
    }));
}

/** Of several processes in one place. */
function severalTests(suite: StoreSuite): void {
  const { test, assert, environment } = suite;

  test('many processes open a new ledger at once', async () => {
    const place = await environment.newPlace();
    const stores = Array.from({ length: 8 }, () => place.newStore(pipeline));
    await Promise.all(stores.map((store) => store.open()));
    const [first] = stores;
    if (first !== undefined) await begin(first, 'orders', [7]);
    const seen = await Promise.all(stores.map(async (store) => (await rowOf(store, at('orders', 0))).nextOffset));
    assert.deepEqual(new Set(seen), new Set([7n]));
    await Promise.all(stores.map((store) => store.close()));
  });

  test('an owner is known from its first heartbeat, with the age of the last', () =>
    withScene(suite, async ({ store, other, self, stranger }) => {
      const ownerOf = async (instanceId: string) => (await store.owners()).find((one) => one.instanceId === instanceId);
      const { heartbeatAgeMs, ...known } = (await ownerOf(stranger.instanceId)) ?? { heartbeatAgeMs: -1 };
      assert.deepEqual(known, stranger);
      assert.ok(heartbeatAgeMs >= 0 && heartbeatAgeMs < 60_000, `an age of ${heartbeatAgeMs} ms`);
      const ages = async () => {
        const [mine, theirs] = await Promise.all([ownerOf(self.instanceId), ownerOf(stranger.instanceId)]);
        return (theirs?.heartbeatAgeMs ?? 0) - (mine?.heartbeatAgeMs ?? 0);
      };
      await store.registerOwner(self);
      assert.ok((await ages()) > 0, 'ours beat last');
      await other.registerOwner(stranger);
      assert.ok((await ages()) < 0, 'theirs beat last');
      assert.equal((await store.owners()).length, 2);
    }));
}
