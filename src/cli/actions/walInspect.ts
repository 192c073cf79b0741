import { partitionName } from '../../model/index.ts';
import type { DescribedLog, DescribedStream } from '../../receiver/index.ts';
import type { Inspection } from '../../wal/index.ts';
import { type CommandContext, jsonLine } from '../host.ts';
import { textTable } from '../table.ts';
import { inspectContents } from './walContents.ts';
import { walCounts, walFacts, walRemarks } from './walFacts.ts';

/** What the command line asks for, validated. */
export interface WalCommand {
  readonly dir: string;
  readonly json: boolean;
}

/** Writes what the log holds. */
export async function showWal({ dir, json }: WalCommand, context: CommandContext): Promise<void> {
  const { found, receiver } = await inspectContents(dir);
  context.out(json ? jsonLine(walFacts(dir, found, receiver)) : inspectionText(dir, found, receiver));
}

function inspectionText(dir: string, found: Inspection, receiver: DescribedLog | undefined): string {
  const { holder, lowWatermark, nextIndex, segments } = found;
  const counts = walCounts(found);
  const lines = [
    `log            ${found.logId ?? 'unknown'}`,
    `open           ${holder === undefined ? 'no' : `by process ${holder.pid} on ${holder.host}`}`,
    `low watermark  ${lowWatermark}`,
    `next index     ${nextIndex}`,
    `waiting        ${counts.entriesWaiting} entries, ${counts.bytesWaiting} bytes`,
    `done           ${counts.entriesDone} entries`,
    `size           ${counts.fileBytes} bytes in ${segments.length} segments`,
  ];
  const rows = segments.map((segment) => [
    segment.name,
    String(segment.firstIndex),
    String(segment.nextIndex),
    String(segment.entries),
    String(segment.entriesWaiting),
    String(segment.fileBytes),
  ]);
  const table = textTable(['SEGMENT', 'FIRST', 'NEXT', 'ENTRIES', 'WAITING', 'BYTES'], rows);
  const remarks = walRemarks(dir, found).map((remark) => `${remark}\n`);
  const parts = [`${lines.join('\n')}\n`, table, ...(receiver === undefined ? [] : receiverText(receiver))];
  return [...parts, ...(remarks.length > 0 ? [remarks.join('')] : [])].join('\n');
}

function receiverText({ streams, batches }: DescribedLog): readonly string[] {
  const ofStreams = streams.map((stream) => [
    partitionName(stream),
    String(stream.blocks),
    String(stream.blocksWaiting),
    String(stream.blocksDone),
    String(stream.blocksDiscarded),
    String(stream.records),
    String(stream.bytes),
    rangesText(stream.offsetRanges),
  ]);
  const head = ['PARTITION', 'BLOCKS', 'WAITING', 'DONE', 'DISCARDED', 'RECORDS', 'BYTES', 'OFFSETS'];
  const ofBatches = batches.map(({ batchTimeMs, blocks, records }) => [batchTimeMs, blocks, records].map(String));
  return [
    textTable(head, ofStreams),
    ...(batches.length > 0 ? [textTable(['BATCH', 'BLOCKS', 'RECORDS'], ofBatches)] : []),
  ];
}

/** More are for programs. */
const rangesShownMax = 4;

function rangesText(ranges: DescribedStream['offsetRanges']): string {
  const shown = ranges.slice(0, rangesShownMax).map(({ fromOffset, untilOffset }) => `[${fromOffset}, ${untilOffset})`);
  const more = ranges.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join(' ');
}
