import { describe, expect, test } from 'vitest';
import type { LoggedBlock } from '../../../src/receiver/block.ts';
import { judgeBlocks } from '../../../src/receiver/keptBlocks.ts';
import type { SourcePosition } from '../../../src/scheduler/index.ts';

function block(index: number, fromOffset: number, untilOffset: number, facts: Partial<LoggedBlock> = {}): LoggedBlock {
  return {
    topic: 'orders',
    partition: 0,
    blockId: `block-${index}`,
    fromOffset: BigInt(fromOffset),
    untilOffset: BigInt(untilOffset),
    recordCount: untilOffset - fromOffset,
    topicId: 'topic-1',
    leaderEpoch: 3,
    claim: 'before',
    receivedAtMs: 0,
    payloadBytes: 100,
    place: { index: BigInt(index), segment: 0n, byteOffset: index * 100, payloadBytes: 100 },
    ...facts,
  };
}

function position(nextOffset: number, claimBefore: string | null = 'before'): SourcePosition {
  const held = { topic: 'orders', partition: 0, claim: 'now', ownerEpoch: 7n };
  const at = { topic: 'orders', partition: 0, topicId: 'topic-1', leaderEpoch: 3, nextOffset: BigInt(nextOffset) };
  return { ...at, held, claimBefore };
}

function verdict(held: readonly LoggedBlock[], at: SourcePosition) {
  const ids = (blocks: readonly LoggedBlock[]) => blocks.map(({ place }) => Number(place.index));
  const { kept, finished, stale } = judgeBlocks(held, at);
  return { kept: ids(kept), finished: ids(finished), stale: ids(stale) };
}

describe('blocks of the claim just before ours', () => {
  const held = [block(1, 0, 10), block(2, 10, 20), block(3, 20, 30)];

  test('are kept from the position on; what is committed is dropped, what is committed in part is kept whole', () => {
    expect(verdict(held, position(0))).toEqual({ kept: [1, 2, 3], finished: [], stale: [] });
    expect(verdict(held, position(10))).toEqual({ kept: [2, 3], finished: [1], stale: [] });
    expect(verdict(held, position(15))).toEqual({ kept: [2, 3], finished: [1], stale: [] });
    expect(verdict(held, position(30))).toEqual({ kept: [], finished: [1, 2, 3], stale: [] });
  });

  test('are stale above a gap: the database went further back than the log', () => {
    const fromTen = [block(1, 10, 20), block(2, 20, 30)];
    expect(verdict(fromTen, position(5))).toEqual({ kept: [], finished: [], stale: [1, 2] });
  });

  test('end at the first gap between them', () => {
    const withGap = [block(1, 0, 10), block(2, 20, 30), block(3, 30, 40)];
    expect(verdict(withGap, position(0))).toEqual({ kept: [1], finished: [], stale: [2, 3] });
  });

  test('count in the order of the log: what was received again is not kept twice', () => {
    const again = [block(1, 0, 10), block(2, 10, 20), block(3, 0, 10), block(4, 20, 30)];
    expect(verdict(again, position(0))).toEqual({ kept: [1, 2, 4], finished: [3], stale: [] });
  });
});

test('blocks of an older claim are stale, although they begin where the position is', () => {
  const held = [block(1, 0, 10, { claim: 'long ago' }), block(2, 0, 10)];
  expect(verdict(held, position(0))).toEqual({ kept: [2], finished: [], stale: [1] });
});

test('blocks of a claim that was given back are stale beyond the position, and finished below it', () => {
  const held = [block(1, 0, 10), block(2, 10, 20)];
  expect(verdict(held, position(10, null))).toEqual({ kept: [], finished: [1], stale: [2] });
  expect(verdict(held, position(15, null))).toEqual({ kept: [], finished: [1], stale: [2] });
});

test('blocks of a former topic of the name are stale wherever they lie', () => {
  const held = [block(1, 0, 10, { topicId: 'topic-0' }), block(2, 0, 10), block(3, 10, 20, { topicId: 'topic-0' })];
  expect(verdict(held, position(10))).toEqual({ kept: [], finished: [2], stale: [1, 3] });
});
