import { type PartitionKey, partitionKey } from '../../../src/model/index.ts';
import type { Clock } from '../../../src/platform/index.ts';
import type { Block, LoggedBlock } from '../../../src/receiver/block.ts';
import { BlockTracker } from '../../../src/receiver/blockTracker.ts';
import { decodeEntry, type LogEntry } from '../../../src/receiver/entries.ts';
import { ManualClock } from '../../../src/testkit/memory/index.ts';
import type { WalOptions, WriteAheadLog } from '../../../src/wal/index.ts';
import type { WalDisk } from '../../support/walDisk.ts';
import { openOn } from '../wal/walSetting.ts';

/** A partition of Kafka, and one of a receiver that numbers its records itself. */
export const orders: PartitionKey = 'orders:0';
export const web = partitionKey({ topic: 'receiver:web@6f1c2a4e', partition: 0 });

let blocksMade = 0;

/** A block of ten records from `fromOffset` on. */
export function blockOf(stream: PartitionKey, fromOffset: number, facts: Partial<Block> = {}): Block {
  blocksMade += 1;
  const colon = stream.lastIndexOf(':');
  const isOwn = stream.startsWith('receiver:');
  return {
    topic: stream.slice(0, colon),
    partition: Number(stream.slice(colon + 1)),
    blockId: `block-${blocksMade}`,
    fromOffset: BigInt(fromOffset),
    untilOffset: BigInt(fromOffset + 10),
    recordCount: 10,
    topicId: isOwn ? '' : 'VUV5',
    leaderEpoch: isOwn ? -1 : 3,
    claim: isOwn ? '' : 'claim-1',
    receivedAtMs: 1_700_000_000_000,
    payload: Buffer.from(`records from ${fromOffset} on`),
    ...facts,
  };
}

export interface OpenTracker {
  readonly log: WriteAheadLog;
  readonly clock: ManualClock;
  readonly tracker: BlockTracker;
}

/** A new process opens the log of the disk; the one before is dead. */
export async function openTracker(disk: WalDisk, options: Partial<WalOptions> = {}): Promise<OpenTracker> {
  const clock = new ManualClock();
  const log = await openOn(disk, options);
  return { log, clock, tracker: await BlockTracker.recover(log, clock satisfies Clock) };
}

export async function addBlocks(
  { tracker }: Pick<OpenTracker, 'tracker'>,
  stream: PartitionKey,
  offsets: readonly number[],
): Promise<readonly LoggedBlock[]> {
  const added: LoggedBlock[] = [];
  for (const offset of offsets) added.push(await tracker.add(blockOf(stream, offset)));
  return added;
}

export async function entriesOf(log: WriteAheadLog): Promise<readonly LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const entry of log.read()) entries.push(decodeEntry(entry, log.logId));
  return entries;
}
