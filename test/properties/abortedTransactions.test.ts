import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeRecordBatch, encodeTransactionMarker, testCodecs } from '../../src/testkit/index.ts';
import { chunk, plainRecords } from '../fixtures/fetched.ts';

/** What happened to a partition, one step after the other. */
type Step =
  | { readonly kind: 'send'; readonly producer: number; readonly count: number }
  | { readonly kind: 'sendPlain'; readonly count: number }
  | { readonly kind: 'end'; readonly producer: number; readonly type: 'abort' | 'commit' }
  | { readonly kind: 'hole'; readonly count: number };

interface Transaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
  /** Offset of its marker and how it ended; undefined while open. */
  end?: { readonly offset: bigint; readonly type: 'abort' | 'commit' };
}

interface Batch {
  readonly bytes: Buffer;
  readonly baseOffset: bigint;
  readonly untilOffset: bigint;
  /** Offsets of its records and the transaction they belong to; a marker has none. */
  readonly offsets: readonly bigint[];
  readonly transaction: Transaction | undefined;
}

const producer = fc.nat(3);
const count = fc.integer({ min: 1, max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('send' as const), producer, count }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sendPlain' as const), count }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      producer,
      type: fc.constantFrom('abort' as const, 'commit' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('hole' as const), count }) },
);

/** The log a broker would have written, and its transactions. */
function play(steps: readonly Step[], codecOf: (index: number) => (typeof testCodecs)[number]) {
  const batches: Batch[] = [];
  const transactions: Transaction[] = [];
  const open = new Map<number, Transaction>();
  let next = 0n;
  steps.forEach((each, index) => {
    if (each.kind === 'hole') {
      next += BigInt(each.count);
      return;
    }
    const baseOffset = next;
    const codec = codecOf(index);
    if (each.kind === 'end') {
      const transaction = open.get(each.producer);
      if (transaction === undefined) return;
      open.delete(each.producer);
      const { producerId } = transaction;
      transaction.end = { offset: baseOffset, type: each.type };
      const bytes = encodeTransactionMarker({ baseOffset, producerId, type: each.type, codec });
      batches.push({ bytes, baseOffset, untilOffset: baseOffset + 1n, offsets: [], transaction: undefined });
      next += 1n;
      return;
    }
    let transaction: Transaction | undefined;
    if (each.kind === 'send') {
      transaction = open.get(each.producer) ?? { producerId: BigInt(each.producer), firstOffset: baseOffset };
      if (!open.has(each.producer)) transactions.push(transaction);
      open.set(each.producer, transaction);
    }
    const offsets = Array.from({ length: each.count }, (_, delta) => baseOffset + BigInt(delta));
    const bytes = encodeRecordBatch({
      baseOffset,
      codec,
      // A plain record may come from a producer that has a transaction open elsewhere.
      producerId: transaction?.producerId ?? 0n,
      isTransactional: transaction !== undefined,
      // A key that reads like an abort marker's.
      records: offsets.map((offset) => ({ key: Buffer.alloc(4), value: `${offset}` })),
    });
    next += BigInt(each.count);
    batches.push({ bytes, baseOffset, untilOffset: next, offsets, transaction });
  });
  return { batches, transactions };
}

/** Up to the last stable offset: everything before the first transaction that is still open. */
function stable({ batches, transactions }: ReturnType<typeof play>): Batch[] {
  const firstOpen = transactions.find((transaction) => transaction.end === undefined);
  return batches.filter((batch) => firstOpen === undefined || batch.baseOffset < firstOpen.firstOffset);
}

/** What the broker lists with a response: aborted transactions that overlap it, here in an order of chance. */
function abortedWithin(transactions: readonly Transaction[], fromOffset: bigint, untilOffset: bigint, shuffle: number) {
  return transactions
    .filter(({ firstOffset, end }) => end?.type === 'abort' && firstOffset < untilOffset && end.offset >= fromOffset)
    .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
    .sort(
      (a, b) =>
        Number((a.firstOffset * 7919n + BigInt(shuffle)) % 31n) -
        Number((b.firstOffset * 7919n + BigInt(shuffle)) % 31n),
    );
}

test('a reader gets the records of committed transactions and those outside any, whatever the responses', () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 40 }),
      fc.array(fc.constantFrom(...testCodecs), { minLength: 1, maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 }),
      fc.nat(3),
      fc.nat(30),
      (steps, codecs, sizes, skip, shuffle) => {
        const log = play(steps, (index) => codecs[index % codecs.length] as (typeof testCodecs)[number]);
        const readable = stable(log);
        fc.pre(readable.length > 0);

        // Reading may begin in the middle of the first batch; each response carries a few batches.
        const first = readable[0] as Batch;
        const start = first.baseOffset + BigInt(Math.min(skip, Number(first.untilOffset - first.baseOffset) - 1));
        const read: bigint[] = [];
        const raw: bigint[] = [];
        let position = start;
        for (let index = 0, response = 0; index < readable.length; response++) {
          const part = readable.slice(index, index + (sizes[response % sizes.length] as number));
          const untilOffset = (part.at(-1) as Batch).untilOffset;
          const found = chunk(
            part.map(({ bytes }) => bytes),
            {
              fromOffset: position,
              abortedTransactions: abortedWithin(log.transactions, position, untilOffset, shuffle),
            },
          );
          expect(found.fromOffset).toBe(position);
          expect(found.nextOffset).toBe(untilOffset);
          for (const record of plainRecords(found)) {
            expect(record.value?.toString()).toBe(`${record.offset}`);
            read.push(record.offset);
          }
          raw.push(...[...found.rawBatches()].map(({ baseOffset }) => baseOffset));
          position = untilOffset;
          index += part.length;
        }

        const wanted = readable.filter(
          ({ transaction }) => transaction === undefined || transaction.end?.type === 'commit',
        );
        expect(read).toEqual(wanted.flatMap(({ offsets }) => offsets).filter((offset) => offset >= start));
        expect(raw).toEqual(wanted.filter(({ offsets }) => offsets.length > 0).map(({ baseOffset }) => baseOffset));
      },
    ),
    { numRuns: 1_000 },
  );
});
