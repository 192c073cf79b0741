import type { BrokerAnswer, BrokerRequest } from './brokerRequest.ts';
import type { WireReader } from './wireReader.ts';
import { WireWriter } from './wireWriter.ts';

/** Version 16: by topic id (KIP-516), with the epoch of the last fetched batch (KIP-595). */
export const fetchApi = { apiKey: 1, apiName: 'Fetch', apiVersion: 16 } as const;

const readCommitted = 1;
/** A full fetch outside of a fetch session (KIP-227). */
const noSession = { sessionId: 0, sessionEpoch: -1 } as const;

export interface FetchPartition {
  readonly topicId: string;
  readonly partition: number;
  /** The leader epoch of our metadata: an older or newer leader answers with an error. */
  readonly currentLeaderEpoch: number;
  readonly fetchOffset: bigint;
  /** Leader epoch of the last batch read before `fetchOffset`, -1 where none was: the leader checks it against its log. */
  readonly lastFetchedEpoch: number;
  readonly partitionBytesMax: number;
}

export interface FetchLimits {
  readonly waitMs: number;
  readonly bytesMax: number;
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

export interface FetchedPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: bigint;
  readonly lastStableOffset: bigint;
  readonly logStartOffset: bigint;
  readonly abortedTransactions: AbortedTransaction[];
  /** Record batches as they lie in the log, a view into the answer; the last one may be cut. */
  readonly bytes: Buffer;
  /** Where the leader's log ends for an epoch at or before the one we sent, when it differs from ours. */
  readonly diverging: { readonly leaderEpoch: number; readonly endOffset: bigint } | undefined;
}

export interface FetchAnswer extends BrokerAnswer {
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
}

/**
 * Reads committed records of several partitions. The broker works the partitions off in the order given here until
 * `bytesMax` is used up, and gives the first one that has data at least a whole batch (KIP-74).
 */
export function fetchRequest(partitions: readonly FetchPartition[], limits: FetchLimits): BrokerRequest<FetchAnswer> {
  return { ...fetchApi, encode: () => encodeFetch(partitions, limits), decode: decodeFetch };
}

function encodeFetch(partitions: readonly FetchPartition[], limits: FetchLimits): Buffer {
  return new WireWriter(64 + partitions.length * 56)
    .noTags()
    .int32(limits.waitMs)
    .int32(1) // answer as soon as there is a byte
    .int32(limits.bytesMax)
    .int8(readCommitted)
    .int32(noSession.sessionId)
    .int32(noSession.sessionEpoch)
    .array(runsOfTopics(partitions), (run, writer) => {
      writer
        .uuid(run[0]?.topicId ?? '')
        .array(run, encodePartition)
        .noTags();
    })
    .array([], () => {}) // forgotten topics
    .string('') // rack
    .noTags()
    .bytes();
}

function encodePartition(partition: FetchPartition, writer: WireWriter): void {
  writer
    .int32(partition.partition)
    .int32(partition.currentLeaderEpoch)
    .int64(partition.fetchOffset)
    .int32(partition.lastFetchedEpoch)
    .int64(-1n) // log start of a follower
    .int32(partition.partitionBytesMax)
    .noTags();
}

/** Neighbours of one topic share an entry. A topic may have several: the order of partitions is what counts. */
function runsOfTopics(partitions: readonly FetchPartition[]): FetchPartition[][] {
  const runs: FetchPartition[][] = [];
  for (const partition of partitions) {
    const run = runs.at(-1);
    if (run?.[0]?.topicId === partition.topicId) run.push(partition);
    else runs.push([partition]);
  }
  return runs;
}

function decodeFetch(reader: WireReader): FetchAnswer {
  reader.taggedFields();
  const throttleMs = reader.int32();
  const errorCode = reader.int16();
  reader.int32(); // session id
  const partitions: FetchedPartition[] = [];
  reader.array((topic) => {
    const topicId = topic.uuid();
    topic.array((partition) => partitions.push(decodePartition(topicId, partition)));
    topic.taggedFields();
  });
  return { throttleMs, errorCode, partitions };
}

const noBytes = Buffer.alloc(0);

function decodePartition(topicId: string, reader: WireReader): FetchedPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = reader.int64();
  const lastStableOffset = reader.int64();
  const logStartOffset = reader.int64();
  const abortedTransactions = reader.array(abortedTransaction);
  reader.int32(); // preferred read replica
  const bytes = reader.nullableBytes() ?? noBytes;
  let diverging: FetchedPartition['diverging'];
  reader.taggedFields((tag, value) => {
    if (tag === 0) diverging = { leaderEpoch: value.int32(), endOffset: value.int64() };
  });
  return {
    topicId,
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    logStartOffset,
    abortedTransactions,
    bytes,
    diverging,
  };
}

function abortedTransaction(reader: WireReader): AbortedTransaction {
  const aborted = { producerId: reader.int64(), firstOffset: reader.int64() };
  reader.taggedFields();
  return aborted;
}
