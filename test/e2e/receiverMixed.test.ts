import { expect, test } from 'vitest';
import { waitUntil } from '../services/index.ts';
import { HandReceiver, produce, receiverWorld, texts, topic } from '../support/receiverWorld.ts';

const twoReceivers = (hands: readonly [HandReceiver, HandReceiver]) =>
  hands.map((hand, index) => ({ name: index === 0 ? 'left' : 'right', createReceiver: () => hand }));

test.each(['all', 'group'] as const)(
  'two partitions of a topic and two receivers: a poisoned record parks its partition only (assignment %s)',
  async (assignment) => {
    const world = receiverWorld(2);
    const hands = [new HandReceiver(), new HandReceiver()] as const;
    const source = { assignment, receivers: twoReceivers(hands) };
    const first = await world.start({
      source,
      transform: (record) => {
        if (record.text() === 'poison') throw new Error('poison');
        return { value: record.text() };
      },
      onError: { record: 'stop', attempts: 1 },
    });
    const of = (name: string) =>
      world.database.offsets(topic).find((row) => row.topic.startsWith(`receiver:${name}@`))?.topic ?? '';
    const [left, right] = await Promise.all(hands.map(({ started }) => started));
    await left?.storeBatch([{ value: 'l0' }, { value: 'poison' }, { value: 'l2' }]);
    await waitUntil('the partition to park', () => first.heard.partitionParked.length === 1);
    expect(first.heard.partitionParked[0]).toMatchObject({ topic: of('left'), nextOffset: 1n });
    await left?.storeBatch([{ value: 'l3' }]);
    await right?.storeBatch(texts(3, 'r').map((value) => ({ value })));
    for (const partition of [0, 1]) produce(world.cluster, texts(3, `p${partition}-`), partition);
    await waitUntil('the others', () => world.values().length === 6 && world.values(of('right')).length === 3);
    await first.pipeline.stop();
    expect(world.values(of('left'))).toEqual(['l0']);
    expect(first.heard.intakeClosed[0]?.waiting.map((one) => one.topic)).toEqual([of('left')]);

    const again = [new HandReceiver(), new HandReceiver()] as const;
    const second = await world.start(
      {
        source: { assignment, receivers: twoReceivers(again) },
        transform: (record) => {
          if (record.text() === 'poison') throw new Error('poison');
          return { value: record.text() };
        },
        onError: { record: 'skip', attempts: 1 },
      },
      { dir: first.dir },
    );
    await waitUntil('what was left', () => world.nextOffset(of('left')) === 4n);
    const [leftAgain] = await Promise.all(again.map(({ started }) => started));
    await leftAgain?.storeBatch([{ value: 'l4' }]);
    await waitUntil('what comes later', () => world.nextOffset(of('left')) === 5n);
    await second.pipeline.stop();
    expect(world.values(of('left'))).toEqual(['l0', 'l2', 'l3', 'l4']);
    expect(second.heard.recordSkipped).toMatchObject([{ topic: of('left'), offset: 1n }]);
    expect(world.values(of('right'))).toEqual(texts(3, 'r'));
    expect(world.values().toSorted()).toEqual([...texts(3, 'p0-'), ...texts(3, 'p1-')]);
    expect(second.heard.intakeClosed[0]?.waiting).toEqual([]);
  },
);
