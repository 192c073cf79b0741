import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LoggedBlock } from '../../src/receiver/block.ts';
import { BlockQueue } from '../../src/receiver/blockQueue.ts';
import { judgeBlocks } from '../../src/receiver/keptBlocks.ts';

const of = { topic: 'orders', partition: 0 };

function block(index: number, from: number, until: number, claim = 'now', topicId = 'topic'): LoggedBlock {
  return {
    ...of,
    blockId: `block-${index}`,
    fromOffset: BigInt(from),
    untilOffset: BigInt(until),
    recordCount: until - from,
    topicId,
    leaderEpoch: 0,
    claim,
    receivedAtMs: 0,
    payloadBytes: until - from,
    place: { index: BigInt(index), segment: 0n, byteOffset: 0, payloadBytes: until - from },
  };
}

/** Offsets that blocks hold, each with the block it is of. */
const offsetsOf = (blocks: readonly LoggedBlock[]) =>
  blocks.flatMap(({ fromOffset, untilOffset, place }) =>
    Array.from({ length: Number(untilOffset - fromOffset) }, (_, n) => ({
      offset: Number(fromOffset) + n,
      index: Number(place.index),
    })),
  );

const heldBlocks = fc
  .array(
    fc.record({
      from: fc.nat(30),
      length: fc.integer({ min: 1, max: 8 }),
      claim: fc.constantFrom('now', 'before', 'older'),
      topicId: fc.constantFrom('topic', 'topic', 'topic', 'former'),
    }),
    { maxLength: 12 },
  )
  .map((specs) => specs.map(({ from, length, claim, topicId }, at) => block(at, from, from + length, claim, topicId)));

describe('what a partition goes on with', () => {
  const judged = (held: readonly LoggedBlock[], nextOffset: number) =>
    judgeBlocks(held, {
      ...of,
      topicId: 'topic',
      leaderEpoch: 0,
      nextOffset: BigInt(nextOffset),
      held: { ...of, claim: 'now', ownerEpoch: 2n },
      claimBefore: 'before',
    });

  test('every block has one fate; kept ones are ours and hold every offset from the position on once, without a gap', () => {
    fc.assert(
      fc.property(heldBlocks, fc.nat(30), (held, nextOffset) => {
        const { kept, finished, stale } = judged(held, nextOffset);
        const fates = [...kept, ...finished, ...stale].map(({ blockId }) => blockId).sort();
        expect(fates).toEqual(held.map(({ blockId }) => blockId).sort());
        for (const { claim, topicId } of kept) {
          expect(['now', 'before']).toContain(claim);
          expect(topicId).toBe('topic');
        }
        const ahead = offsetsOf(kept).filter(({ offset }) => offset >= nextOffset);
        expect(ahead.map(({ offset }) => offset)).toEqual(ahead.map((_, n) => nextOffset + n));
        const end = Number(kept.at(-1)?.untilOffset ?? nextOffset);
        for (const { untilOffset } of finished) expect(Number(untilOffset)).toBeLessThanOrEqual(end);
      }),
    );
  });

  test('nothing that could be kept next is left out: no stale block of ours begins where the kept ones end', () => {
    fc.assert(
      fc.property(heldBlocks, fc.nat(30), (held, nextOffset) => {
        const { kept, stale } = judged(held, nextOffset);
        const last = kept.at(-1);
        const end = last?.untilOffset ?? BigInt(nextOffset);
        const after = stale.filter(
          ({ claim, topicId, fromOffset, place }) =>
            claim !== 'older' && topicId === 'topic' && fromOffset === end && place.index > (last?.place.index ?? -1n),
        );
        expect(after).toEqual([]);
      }),
    );
  });
});

type Step =
  | { readonly kind: 'push'; readonly length: number }
  | { readonly kind: 'allocate' }
  | { readonly kind: 'commit'; readonly share: number }
  | { readonly kind: 'plan'; readonly share: number; readonly untilMax: number | undefined };

const steps = fc.array(
  fc.oneof<fc.Arbitrary<Step>[]>(
    fc.record({ kind: fc.constant('push' as const), length: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ kind: fc.constant('allocate' as const) }),
    fc.record({ kind: fc.constant('commit' as const), share: fc.nat(100) }),
    fc.record({
      kind: fc.constant('plan' as const),
      share: fc.nat(100),
      untilMax: fc.option(fc.nat(60), { nil: undefined }),
    }),
  ),
  { maxLength: 40 },
);

/** What a queue is, said with single offsets: each with its block, and the batch that has it. */
class PlainQueue {
  blocks: { readonly block: LoggedBlock; batch: number | undefined }[] = [];
  committed = 0;

  get end(): number {
    return Number(this.blocks.at(-1)?.block.untilOffset ?? this.committed);
  }

  /** Offsets of the oldest batch from `position` on, grouped by block. */
  next(position: number, untilMax = Number.POSITIVE_INFINITY): { offsets: number[][]; batch: number | undefined } {
    const ahead = this.blocks.map(({ block, batch }) => ({
      batch,
      offsets: offsetsOf([block]).flatMap(({ offset }) => (offset >= position ? offset : [])),
    }));
    const due = ahead.filter(({ offsets }) => offsets.length > 0);
    const other = due.findIndex(({ batch }) => batch !== due[0]?.batch);
    const ofBatch = due.slice(0, other < 0 ? due.length : other);
    const offsets = ofBatch.map((one) => one.offsets.filter((offset) => offset < untilMax));
    return { offsets: offsets.filter((one) => one.length > 0), batch: due[0]?.batch };
  }
}

test('a queue of blocks plans and takes off what a plain list of offsets does', () => {
  fc.assert(
    fc.property(fc.nat(5), steps, (start, script) => {
      const queue = new BlockQueue(of, async () => Buffer.alloc(0));
      const plain = new PlainQueue();
      plain.committed = start;
      let index = 0;
      let time = 0;
      for (const step of script) {
        if (step.kind === 'push') {
          const made = block(index, plain.end, plain.end + step.length);
          index += 1;
          plain.blocks.push({ block: made, batch: undefined });
          queue.push(made, undefined);
        } else if (step.kind === 'allocate') {
          time += 1;
          const free = plain.blocks.filter(({ batch }) => batch === undefined);
          for (const one of free) one.batch = time;
          queue.allocated(
            free.map((one) => one.block),
            time,
          );
        } else if (step.kind === 'commit') {
          plain.committed += Math.floor(((plain.end - plain.committed) * step.share) / 100);
          const gone = plain.blocks.filter(({ block: one }) => Number(one.untilOffset) <= plain.committed);
          plain.blocks = plain.blocks.filter((one) => !gone.includes(one));
          expect(queue.committed(BigInt(plain.committed))).toEqual(gone.map((one) => one.block));
        } else {
          const position = plain.committed + Math.floor(((plain.end - plain.committed) * step.share) / 100);
          const untilMax = step.untilMax;
          const planned = queue.next(BigInt(position), untilMax === undefined ? undefined : BigInt(untilMax));
          const expected = plain.next(position, untilMax);
          expect(planned.ranges.map(({ fromOffset, untilOffset }) => [fromOffset, untilOffset])).toEqual(
            expected.offsets.map((offsets) => [BigInt(offsets[0] ?? 0), BigInt((offsets.at(-1) ?? 0) + 1)]),
          );
          expect(planned.batchTimeMs).toBe(expected.batch);
          expect(queue.hasWork(BigInt(position))).toBe(plain.end > position);
        }
        expect(queue.blocks).toBe(plain.blocks.length);
        expect(queue.bytes).toBe(plain.blocks.reduce((sum, one) => sum + one.block.payloadBytes, 0));
      }
    }),
  );
});
