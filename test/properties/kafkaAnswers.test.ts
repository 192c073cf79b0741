import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTidemarkError } from '../../src/errors.ts';
import {
  apiVersionsRequest,
  type BrokerAnswer,
  type BrokerRequest,
  consumerGroupDescribeRequest,
  describeGroupRequest,
  fetchRequest,
  findCoordinatorRequest,
  isolationLevels,
  type ListedGroup,
  latestTimestamp,
  listGroupsRequest,
  listOffsetsRequest,
  malformedAnswer,
  metadataRequest,
  offsetCommitRequest,
  offsetDeleteRequest,
  offsetFetchRequest,
  offsetForLeaderEpochRequest,
  WireReader,
  WireWriter,
} from '../../src/kafka/protocol/index.ts';

const topicId = '01234567-89ab-cdef-0123-456789abcdef';

/** Requests, each with an answer that has every part a broker can send. */
const exchanges: readonly (readonly [request: BrokerRequest<BrokerAnswer>, answer: Buffer])[] = [
  [
    apiVersionsRequest(),
    new WireWriter()
      .int16(0)
      .array([1, 2, 3], (key, writer) => writer.int16(key).int16(0).int16(9).noTags())
      .int32(0)
      .noTags()
      .bytes(),
  ],
  [
    metadataRequest(['t']),
    new WireWriter()
      .noTags()
      .int32(5)
      .array([1, 2], (id, writer) => writer.int32(id).string(`broker-${id}`).int32(9092).string(null).noTags())
      .string('cluster')
      .int32(1)
      .array(['t', 'u'], (topic, writer) =>
        writer
          .int16(0)
          .string(topic)
          .uuid(topicId)
          .boolean(false)
          .array([0, 1], (partition, inner) => {
            inner.int16(0).int32(partition).int32(1).int32(7);
            for (const list of [[1, 2], [1], []]) inner.array(list, (id, innermost) => innermost.int32(id));
            inner.noTags();
          })
          .int32(-1)
          .noTags(),
      )
      .noTags()
      .bytes(),
  ],
  [fetchRequest([], { waitMs: 0, bytesMax: 1 }), fetchAnswer()],
  [
    listOffsetsRequest([], latestTimestamp, isolationLevels.readCommitted),
    byTopic((writer) => writer.int32(0).int16(0).int64(-1n).int64(99n).int32(3).noTags()),
  ],
  [offsetForLeaderEpochRequest([]), byTopic((writer) => writer.int16(0).int32(0).int32(3).int64(99n).noTags())],
  [
    findCoordinatorRequest('g'),
    new WireWriter()
      .noTags()
      .int32(0)
      .array(['g'], (key, writer) => writer.string(key).int32(1).string('h').int32(9092).int16(0).string(null).noTags())
      .noTags()
      .bytes(),
  ],
  [
    offsetFetchRequest('g'),
    new WireWriter()
      .noTags()
      .int32(0)
      .array(['g'], (group, writer) =>
        writer
          .string(group)
          .array(['t'], (topic, inner) =>
            inner
              .string(topic)
              .array([0], (partition, innermost) =>
                innermost.int32(partition).int64(5n).int32(-1).string('m').int16(0).noTags(),
              )
              .noTags(),
          )
          .int16(0)
          .noTags(),
      )
      .noTags()
      .bytes(),
  ],
  [offsetCommitRequest('g', []), byTopic((writer) => writer.int32(0).int16(0).noTags())],
  [offsetDeleteRequest('g', []), deleteAnswer([[0, 0]])],
  [
    listGroupsRequest(),
    listGroupsAnswer([{ groupId: 'g', protocolType: 'consumer', state: 'Stable', type: 'classic' }]),
  ],
  [
    describeGroupRequest('g'),
    new WireWriter()
      .noTags()
      .int32(0)
      .array(['g'], (group, writer) =>
        writer
          .int16(0)
          .string(group)
          .string('Stable')
          .string('consumer')
          .string('sticky')
          .array(['m', 'n'], (member, inner) =>
            inner
              .string(member)
              .string('instance')
              .string('client')
              .string('/host')
              .nullableBytes(Buffer.from('metadata'))
              .nullableBytes(Buffer.from('assignment'))
              .noTags(),
          )
          .int32(0)
          .noTags(),
      )
      .noTags()
      .bytes(),
  ],
  [
    consumerGroupDescribeRequest('g'),
    new WireWriter()
      .noTags()
      .int32(0)
      .array(['g'], (group, writer) =>
        writer
          .int16(0)
          .string(null)
          .string(group)
          .string('Reconciling')
          .int32(3)
          .int32(2)
          .string('uniform')
          .array(['m', 'n'], (member, inner) => {
            inner.string(member).string(null).string(null).int32(3).string('client').string('/host');
            inner.array(['t'], (topic, innermost) => innermost.string(topic)).string(null);
            for (const partitions of [[0], [0, 1]]) assignment(inner, partitions);
            inner.noTags();
          })
          .int32(0)
          .noTags(),
      )
      .noTags()
      .bytes(),
  ],
];

function deleteAnswer(results: readonly (readonly [partition: number, errorCode: number])[]): Buffer {
  return new WireWriter()
    .int16(0)
    .int32(9)
    .plainArray(['t', 'ü'], (topic, writer) =>
      writer.plainString(topic).plainArray(results, ([partition, errorCode], inner) => {
        inner.int32(partition).int16(errorCode);
      }),
    )
    .bytes();
}

function listGroupsAnswer(groups: readonly ListedGroup[], version = 5): Buffer {
  return new WireWriter()
    .noTags()
    .int32(0)
    .int16(0)
    .array(groups, ({ groupId, protocolType, state, type }, writer) => {
      writer.string(groupId).string(protocolType).string(state);
      if (version === 5) writer.string(type);
      writer.noTags();
    })
    .noTags()
    .bytes();
}

function assignment(writer: WireWriter, partitions: readonly number[]): void {
  writer
    .array(['t'], (topic, inner) =>
      inner
        .uuid(topicId)
        .string(topic)
        .array(partitions, (partition, innermost) => innermost.int32(partition))
        .noTags(),
    )
    .noTags();
}

function byTopic(partition: (writer: WireWriter) => unknown): Buffer {
  return new WireWriter()
    .noTags()
    .int32(0)
    .array(['t', 'u'], (topic, writer) => {
      writer
        .string(topic)
        .array([0, 1], (_, inner) => partition(inner))
        .noTags();
    })
    .noTags()
    .bytes();
}

function fetchAnswer(): Buffer {
  const records = Buffer.from('records');
  return new WireWriter()
    .noTags()
    .int32(0)
    .int16(0)
    .int32(0)
    .array([topicId], (id, writer) => {
      writer
        .uuid(id)
        .array([0, 1], (partition, inner) => {
          inner.int32(partition).int16(0).int64(10n).int64(9n).int64(1n);
          inner.array([4n, 5n], (producerId, aborted) => aborted.int64(producerId).int64(2n).noTags());
          inner.int32(-1).nullableBytes(partition === 0 ? records : null);
          // Tagged fields: where the epochs diverge (0), and the current leader (1), which is passed over.
          inner.uvarint(2).uvarint(0).uvarint(13).int32(3).int64(8n).noTags();
          inner.uvarint(1).uvarint(9).int32(1).int32(4).noTags();
        })
        .noTags();
    })
    .noTags()
    .bytes();
}

/** Decodes as the driver does: the answer, or undefined where it was refused in the one way it may be. */
function decode(request: BrokerRequest<BrokerAnswer>, bytes: Buffer): BrokerAnswer | undefined {
  try {
    return request.decode(new WireReader(bytes, `${request.apiName} answer`));
  } catch (error) {
    if (!isTidemarkError(error) || error.foreignCode !== malformedAnswer) throw error;
    expect(error.message).toContain(`${request.apiName} answer cannot be read`);
    return undefined;
  }
}

describe.each(exchanges.map(([request, answer]) => [request.apiName, request, answer] as const))(
  'an answer to %s',
  (_, request, answer) => {
    test('is read', () => {
      expect(decode(request, answer)).toBeDefined();
    });

    test('that is cut anywhere is refused, or says what the whole one says', () => {
      const whole = decode(request, answer);
      for (let length = 0; length < answer.length; length += 1) {
        const found = decode(request, answer.subarray(0, length));
        if (found !== undefined) expect(found, `${length} of ${answer.length} bytes`).toEqual(whole);
      }
      // All but the tagged fields at the very end matter.
      expect(decode(request, answer.subarray(0, answer.length - 2))).toBeUndefined();
    });

    test('with changed bytes is refused or read, and nothing else happens', () => {
      const change = fc.tuple(fc.nat(answer.length - 1), fc.integer({ min: 0, max: 255 }));
      fc.assert(
        fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
          const changed = Buffer.from(answer);
          for (const [at, byte] of changes) changed[at] = byte;
          decode(request, changed);
        }),
        { numRuns: 2_000 },
      );
    });

    test('of random bytes is refused or read, and nothing else happens', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
          decode(request, Buffer.from(bytes));
        }),
        { numRuns: 1_000 },
      );
    });
  },
);

test('the parts of a fetch answer are where they belong, records as a view into it', () => {
  const bytes = fetchAnswer();
  const answer = fetchRequest([], { waitMs: 0, bytesMax: 1 }).decode(new WireReader(bytes, 'answer'));
  expect(answer.partitions).toMatchObject([
    {
      topicId,
      partition: 0,
      highWatermark: 10n,
      lastStableOffset: 9n,
      logStartOffset: 1n,
      abortedTransactions: [
        { producerId: 4n, firstOffset: 2n },
        { producerId: 5n, firstOffset: 2n },
      ],
      diverging: { leaderEpoch: 3, endOffset: 8n },
    },
    { partition: 1 },
  ]);
  const [first, second] = answer.partitions;
  expect(first?.bytes.toString()).toBe('records');
  expect(first?.bytes.buffer).toBe(bytes.buffer);
  expect(second?.bytes.length).toBe(0);
});

test('a commit says who commits: a member and its generation, or nobody', () => {
  const committed = fc.record({
    topic: fc.constantFrom('t', 'u', 'é'),
    partition: fc.nat(2 ** 31 - 1),
    offset: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    metadata: fc.string({ unit: 'grapheme' }),
  });
  const member = fc.record({ memberId: fc.string(), generation: fc.nat(2 ** 31 - 1) });
  fc.assert(
    fc.property(fc.array(committed), fc.option(member, { nil: undefined }), (offsets, as) => {
      const reader = new WireReader(offsetCommitRequest('g', offsets, as).encode(), 'request');
      reader.taggedFields();
      expect(reader.string()).toBe('g');
      expect([reader.int32(), reader.string()]).toEqual(as === undefined ? [-1, ''] : [as.generation, as.memberId]);
      expect(reader.nullableString()).toBeNull(); // no static member
      const read = reader
        .array((entry) => {
          const topic = entry.string();
          const partitions = entry.array((element) => {
            const place = { topic, partition: element.int32(), offset: element.int64() };
            expect(element.int32()).toBe(-1); // no leader epoch
            const metadata = element.nullableString();
            element.taggedFields();
            return { ...place, metadata };
          });
          entry.taggedFields();
          return partitions;
        })
        .flat();
      reader.taggedFields();
      expect(reader.bytesLeft).toBe(0);
      // By topic, in the order in which they come.
      const topics = [...new Set(offsets.map(({ topic }) => topic))];
      expect(read).toEqual(topics.flatMap((topic) => offsets.filter((each) => each.topic === topic)));
    }),
  );
});

test('an answer to a commit names the partitions that were refused', () => {
  const answer = byTopic((writer) => writer.int32(4).int16(27).noTags());
  const { results } = offsetCommitRequest('g', []).decode(new WireReader(answer, 'answer'));
  const refused = { partition: 4, errorCode: 27 };
  expect(results).toEqual(['t', 't', 'u', 'u'].map((topic) => ({ topic, ...refused })));
});

const partitions = fc.array(fc.record({ topic: fc.constantFrom('t', 'u', 'é'), partition: fc.nat(2 ** 31 - 1) }));

test('a deletion names the group and its partitions, in the encoding before KIP-482', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), partitions, (groupId, asked) => {
      const reader = new WireReader(offsetDeleteRequest(groupId, asked).encode(), 'request');
      expect(reader.plainString()).toBe(groupId);
      const read = reader
        .plainArray((entry) => {
          const topic = entry.plainString();
          return entry.plainArray((element) => ({ topic, partition: element.int32() }));
        })
        .flat();
      expect(reader.bytesLeft).toBe(0);
      expect(read).toEqual(grouped(asked));
    }),
  );
});

test('an answer to a deletion has the code of each partition', () => {
  const results = fc.array(fc.tuple(fc.nat(2 ** 31 - 1), fc.integer({ min: -1, max: 200 })));
  fc.assert(
    fc.property(results, (codes) => {
      const answer = offsetDeleteRequest('g', []).decode(new WireReader(deleteAnswer(codes), 'answer'));
      const of = (topic: string) => codes.map(([partition, errorCode]) => ({ topic, partition, errorCode }));
      expect(answer).toEqual({ errorCode: 0, throttleMs: 9, results: [...of('t'), ...of('ü')] });
    }),
  );
});

test('offsets are asked for by partition, or all; always those that no transaction is about to change', () => {
  fc.assert(
    fc.property(fc.option(partitions, { nil: undefined }), (asked) => {
      const reader = new WireReader(offsetFetchRequest('g', asked).encode(), 'request');
      reader.taggedFields();
      expect(reader.uvarint()).toBe(2); // one group
      expect(reader.string()).toBe('g');
      const count = reader.uvarint();
      if (asked === undefined) expect(count).toBe(0);
      const read: { topic: string; partition: number }[] = [];
      for (let topics = count - 1; topics > 0; topics -= 1) {
        const topic = reader.string();
        reader.array((element) => read.push({ topic, partition: element.int32() }));
        reader.taggedFields();
      }
      reader.taggedFields();
      expect(reader.boolean()).toBe(true); // require stable
      reader.taggedFields();
      expect(reader.bytesLeft).toBe(0);
      expect(read).toEqual(grouped(asked ?? []));
    }),
  );
});

test('a list of groups has every group with its kind and state', () => {
  const name = fc.string({ unit: 'grapheme' });
  const group = fc.record({ groupId: name, protocolType: name, state: name, type: name });
  fc.assert(
    fc.property(fc.array(group), (groups) => {
      const answer = listGroupsRequest().decode(new WireReader(listGroupsAnswer(groups), 'answer'));
      expect(answer).toEqual({ throttleMs: 0, errorCode: 0, groups });
      const untyped = groups.map((each) => ({ ...each, type: 'classic' }));
      const older = listGroupsRequest(4).decode(new WireReader(listGroupsAnswer(groups, 4), 'answer'));
      expect(older.groups).toEqual(untyped);
    }),
  );
});

/** By topic, in the order in which they come. */
function grouped(asked: readonly { topic: string; partition: number }[]) {
  const topics = [...new Set(asked.map(({ topic }) => topic))];
  return topics.flatMap((topic) => asked.filter((each) => each.topic === topic));
}

test('descriptions have their parts where they belong', () => {
  const described = new Map(exchanges.map(([request, answer]) => [request.apiName, decode(request, answer)]));
  const member = { clientId: 'client', clientHost: '/host' };
  expect(described.get('DescribeGroups')).toMatchObject({
    errorCode: 0,
    state: 'Stable',
    protocolType: 'consumer',
    members: ['m', 'n'].map((memberId) => ({
      ...{ ...member, memberId, instanceId: 'instance' },
      assignment: Buffer.from('assignment'),
    })),
  });
  const had = [{ topic: 't', partition: 0 }];
  expect(described.get('ConsumerGroupDescribe')).toMatchObject({
    errorCode: 0,
    state: 'Reconciling',
    members: ['m', 'n'].map((memberId) => ({
      ...{ ...member, memberId, instanceId: null, epoch: 3 },
      partitions: had,
      target: [...had, { topic: 't', partition: 1 }],
    })),
  });
});

test('what is written is read back', () => {
  fc.assert(
    fc.property(
      fc.record({
        int8: fc.integer({ min: -128, max: 127 }),
        int16: fc.integer({ min: -32_768, max: 32_767 }),
        int32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        boolean: fc.boolean(),
        uvarint: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        uuid: fc.uuid(),
        string: fc.option(fc.string({ unit: 'grapheme' })),
        plainString: fc.string({ unit: 'grapheme' }),
        array: fc.array(fc.string()),
      }),
      (value) => {
        const bytes = new WireWriter(1)
          .int8(value.int8)
          .int16(value.int16)
          .int32(value.int32)
          .int64(value.int64)
          .boolean(value.boolean)
          .uvarint(value.uvarint)
          .uuid(value.uuid)
          .string(value.string)
          .plainString(value.plainString)
          .array(value.array, (element, writer) => writer.string(element))
          .noTags()
          .bytes();
        const reader = new WireReader(bytes, 'answer');
        expect({
          int8: reader.int8(),
          int16: reader.int16(),
          int32: reader.int32(),
          int64: reader.int64(),
          boolean: reader.boolean(),
          uvarint: reader.uvarint(),
          uuid: reader.uuid(),
          string: reader.nullableString(),
          plainString: reader.plainString(),
          array: reader.array((element) => element.string()),
        }).toEqual(value);
        reader.taggedFields();
        expect(reader.bytesLeft).toBe(0);
      },
    ),
  );
});

test.each([
  ['a varint of more than 32 bits', 'ffffffff1f', (reader: WireReader) => reader.uvarint()],
  ['a varint without end', 'ffffffffff', (reader: WireReader) => reader.uvarint()],
  [
    'an array of four billion elements',
    'ffffffff0f',
    (reader: WireReader) => reader.array((element) => element.int8()),
  ],
  ['a null where a string must be', '00', (reader: WireReader) => reader.string()],
  ['a null in the place of a string before KIP-482', 'ffff', (reader: WireReader) => reader.plainString()],
  ['a string before KIP-482 that reaches beyond the end', '000361', (reader: WireReader) => reader.plainString()],
  ['tagged fields that reach beyond the end', '010005ff', (reader: WireReader) => reader.taggedFields()],
])('%s is refused', (_, hex, read) => {
  expect(() => read(new WireReader(Buffer.from(hex, 'hex'), 'answer'))).toThrow(
    expect.objectContaining({ code: 'KAFKA_REQUEST_FAILED', foreignCode: malformedAnswer }),
  );
});
