import { type Inspection, inspectWal } from '../../wal/index.ts';
import { type CommandContext, jsonLine } from '../host.ts';
import { textTable } from '../table.ts';
import { walCounts, walFacts, walRemarks } from './walFacts.ts';

/** What the command line asks for, validated. */
export interface WalCommand {
  readonly dir: string;
  readonly json: boolean;
}

/** Writes what the log holds. */
export async function showWal({ dir, json }: WalCommand, context: CommandContext): Promise<void> {
  const found = await inspectWal(dir);
  context.out(json ? jsonLine(walFacts(dir, found)) : inspectionText(dir, found));
}

function inspectionText(dir: string, found: Inspection): string {
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
  return [`${lines.join('\n')}\n`, table, ...(remarks.length > 0 ? [remarks.join('')] : [])].join('\n');
}
