import { describe, expect, test } from 'vitest';
import {
  type BookEntry,
  decodeEntry,
  encodeBlock,
  encodeEntry,
  headerOf,
  isReceiverEntry,
  payloadOf,
} from '../../../src/receiver/entries.ts';
import { failure } from '../wal/walSetting.ts';
import { blockOf, orders, web } from './trackerSetting.ts';

const decoded = (payload: Buffer) => decodeEntry({ index: 7n, payload }, 'the-log');
const failed = (payload: Buffer, code: 'WAL_CORRUPT' | 'WAL_VERSION_UNSUPPORTED') =>
  failure(
    Promise.resolve().then(() => decoded(payload)),
    code,
  );

/** An entry with any header. */
function entry(kind: number, header: string | object, version = 1): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.from([kind, version, 0, 0, 0, 0]);
  prefix.writeUInt32BE(text.length, 2);
  return Buffer.concat([prefix, text]);
}

const bookEntries: readonly BookEntry[] = [
  {
    kind: 'allocation',
    batchTimeMs: 1_700_000_000_000,
    streams: [
      { topic: 'orders', partition: 0, blocks: [{ fromIndex: 3n, untilIndex: 2n ** 60n }] },
      { topic: 'orders', partition: 1, blocks: [] },
    ],
  },
  {
    kind: 'cleanup',
    batchTimesMs: [1, 2],
    newestBatchTimeMs: 3,
    next: [{ topic: 'receiver:web@x', partition: 0, nextOffset: 2n ** 62n }],
    coveredUntil: 12n,
  },
  { kind: 'cleanup', batchTimesMs: [], newestBatchTimeMs: undefined, next: [], coveredUntil: 0n },
  {
    kind: 'discard',
    reason: 'received under another claim',
    streams: [{ topic: 'ö', partition: 2, blocks: [{ fromIndex: 0n, untilIndex: 1n }], recordCount: 10 }],
  },
  { kind: 'adoption', topic: 'orders', partition: 0, fromClaim: 'a', toClaim: 'b' },
];

describe('round trip', () => {
  test.each([blockOf(orders, 0), blockOf(web, 10, { fromOffset: 2n ** 62n, untilOffset: 2n ** 62n })])(
    'a block of $topic keeps its header, and its records byte for byte',
    (block) => {
      const bytes = encodeBlock(block);
      const payloadBytes = block.payload.length;
      expect(decoded(bytes)).toEqual({ kind: 'block', header: headerOf(block), payloadBytes });
      expect(payloadOf(bytes)).toEqual(block.payload);
    },
  );

  test.each(bookEntries)('$kind', (book) => {
    const bytes = encodeEntry(book);
    expect(decoded(bytes)).toEqual(book);
    expect(isReceiverEntry(bytes)).toBe(true);
  });
});

test('an adoption lies in the log as it always did', () => {
  const header =
    '7b22746f706963223a226f7264657273222c22706172746974696f6e223a302c2266726f6d436c61696d223a2261222c22746f436c61696d223a2262227d';
  const bytes = Buffer.from(`05010000003e${header}`, 'hex');
  expect(decoded(bytes)).toEqual(bookEntries.at(-1));
  expect(encodeEntry(bookEntries.at(-1) as BookEntry)).toEqual(bytes);
});

describe('what was not written like this', () => {
  test('an unknown kind or version names log and entry', async () => {
    for (const bytes of [entry(0, {}), entry(6, {}), entry(1, {}, 2), entry(1, {}, 0)]) {
      const { message, hint } = await failed(bytes, 'WAL_VERSION_UNSUPPORTED');
      expect(message).toMatch(/^log the-log, entry 7: (kind|version) \d is not known$/);
      expect(hint).toBeDefined();
    }
  });

  test.each<[what: string, bytes: Buffer, text: string]>([
    ['no bytes', Buffer.alloc(0), 'an entry of 0 bytes'],
    ['a header beyond the end', entry(5, '{}').subarray(0, 7), 'the header is longer than the entry'],
    ['bytes behind the header', Buffer.concat([entry(5, '{}'), Buffer.from(' ')]), 'bytes follow the header'],
    ['a header that ends in blanks', entry(5, '{} '), 'not a JSON object'],
    ['a header that is no JSON', entry(5, '{a}'), 'not a JSON object'],
    ['a header that is no object', entry(5, '[]'), 'not a JSON object'],
    [
      'a header that is not UTF-8',
      entry(5, '{"topic":"\x80"}').map((byte) => (byte === 0xc2 ? 0x20 : byte)) as Buffer,
      'not a JSON object',
    ],
    ['a missing field', entry(5, { topic: 'a', partition: 0, fromClaim: '' }), 'toClaim is not text'],
    ['a partition below 0', entry(5, { topic: 'a', partition: -1 }), 'partition is not an integer of at least 0'],
    [
      'an offset as a number',
      entry(3, { batchTimesMs: [], next: [], coveredUntil: 1 }),
      'coveredUntil is not a decimal number',
    ],
    ['a list that is none', entry(3, { batchTimesMs: 1 }), 'batchTimesMs is not a list'],
    ['a time that is none', entry(3, { batchTimesMs: [0.5] }), 'batchTimesMs is not a list of integers'],
    ['a stream that is no object', entry(2, { batchTimeMs: 1, streams: [1] }), 'no object'],
    ...(
      [
        [[['2', '2']], 'rising ranges'],
        [
          [
            ['2', '4'],
            ['3', '5'],
          ],
          'rising ranges',
        ],
        [[['-2', '4']], 'decimal number'],
        [[['1', '2', '3']], 'pairs'],
        [['1'], 'pairs'],
      ] as const
    ).map(([blocks, text]): [string, Buffer, string] => [
      `blocks ${JSON.stringify(blocks)}`,
      entry(2, { batchTimeMs: 1, streams: [{ topic: 'a', partition: 0, blocks }] }),
      text,
    ]),
    [
      'a block that ends before it begins',
      encodeBlock(blockOf(orders, 5, { untilOffset: 4n })),
      'ends before it begins',
    ],
  ])('%s', async (_, bytes, text) => {
    const { message } = await failed(bytes, 'WAL_CORRUPT');
    expect(message).toMatch(/^log the-log, entry 7: /);
    expect(message).toContain(text);
  });

  test('entries of other logs are told apart', () => {
    for (const text of ['', 'one', 'longer than a prefix', '{"json":true}']) {
      expect(isReceiverEntry(Buffer.from(text)), text).toBe(false);
    }
    expect(isReceiverEntry(entry(9, {}, 9))).toBe(true);
  });
});
