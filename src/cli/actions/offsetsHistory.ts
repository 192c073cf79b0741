import { type HistoryEntry, readHistory } from '../../operations/index.ts';
import { csvText } from '../csv.ts';
import { type ExitCode, exitCodes } from '../exitCodes.ts';
import { type CommandContext, jsonLine } from '../host.ts';
import type { PlaceArguments } from '../placeOptions.ts';
import { choiceOf, storeSource, withOpen } from '../progress.ts';
import { textTable } from '../table.ts';
import type { OutputForm } from '../usage.ts';

export interface HistoryCommand extends PlaceArguments {
  readonly form: OutputForm;
  readonly limit: number;
  readonly sinceMs: number | undefined;
}

/** Shows the newest committed ranges. */
export async function showHistory(command: HistoryCommand, context: CommandContext): Promise<ExitCode> {
  const { form, limit, sinceMs, raw } = command;
  const source = await storeSource(command, context);
  const found = await withOpen(source, 'look', (progress) =>
    readHistory(progress, { choice: choiceOf(raw), limit, sinceMs }),
  );
  const { redact } = context;
  const entries = found.map((entry) => ({
    ...entry,
    owner: entry.owner === null ? null : redact(entry.owner),
    reason: entry.reason === null ? null : redact(entry.reason),
  }));
  context.out(
    form === 'json' ? jsonLine({ pipeline: source.pipeline, ranges: entries.map(fieldsOf) }) : rowsText(entries, form),
  );
  return exitCodes.done;
}

function fieldsOf(entry: HistoryEntry) {
  const { topic, partition, seq, incarnation, kind, fromOffset, untilOffset, counts, owner, ownerEpoch, reason } =
    entry;
  const { records, produced, rows, dropped, skipped, deadLettered } = counts;
  return {
    ...{ committedAt: new Date(entry.committedAtMs).toISOString(), topic, partition, seq, incarnation, kind },
    ...{ fromOffset, untilOffset, records, produced, rows, dropped, skipped, deadLettered },
    ...{ owner, ownerEpoch, reason, holeOffsets: entry.holeOffsets },
  };
}

function rowsText(entries: readonly HistoryEntry[], form: OutputForm): string {
  if (form === 'csv') {
    const head = [
      ...['committedAt', 'topic', 'partition', 'seq', 'incarnation', 'kind', 'fromOffset', 'untilOffset', 'records'],
      ...['produced', 'rows', 'dropped', 'skipped', 'deadLettered', 'owner', 'ownerEpoch', 'reason', 'holeOffsets'],
    ];
    const rows = entries.map((entry) => Object.values(fieldsOf(entry)).map((cell) => String(cell ?? '')));
    return csvText(head, rows);
  }
  const head = [
    ...['', 'TIME', 'TOPIC', 'PARTITION', 'KIND', 'FROM', 'UNTIL', 'RECORDS', 'PRODUCED', 'ROWS', 'DROPPED'],
    ...['SKIPPED', 'DEAD', 'WHO', 'EPOCH', 'REASON'],
  ];
  return textTable(head, entries.map(tableRow));
}

function tableRow(entry: HistoryEntry): readonly string[] {
  const { topic, partition, kind, fromOffset, untilOffset, counts, owner, ownerEpoch, reason, holeOffsets } = entry;
  const { records, produced, rows, dropped, skipped, deadLettered } = counts;
  return [
    ...[markOf(entry), new Date(entry.committedAtMs).toISOString(), topic, String(partition), kind],
    ...[fromOffset, untilOffset, records, produced, rows, dropped, skipped, deadLettered].map(String),
    // Of a random id its beginning tells processes apart.
    ...[owner?.replace(/^([\da-f]{8})-[\da-f]{4}-[\da-f-]+$/, '$1') ?? '-', String(ownerEpoch)],
    [...(reason === null ? [] : [reason]), ...(holeOffsets === 0n ? [] : [holeText(holeOffsets)])]
      .join('; ')
      .replaceAll('\n', ' '),
  ];
}

function markOf({ kind, holeOffsets }: HistoryEntry): string {
  if (holeOffsets !== 0n) return '!!';
  return kind === 'gap' || kind === 'reset' ? '>>' : '';
}

function holeText(offsets: bigint): string {
  if (offsets > 0n) return `a hole of ${offsets} offsets before it that nobody declared`;
  return `it overlaps the range before it by ${-offsets} offsets`;
}
