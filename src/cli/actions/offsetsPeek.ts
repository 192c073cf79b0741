import { type Peeked, type PeekedRecord, peek } from '../../operations/index.ts';
import { csvText } from '../csv.ts';
import { errorJson } from '../errorOutput.ts';
import { type ExitCode, exitCodes } from '../exitCodes.ts';
import { type CommandContext, jsonLine } from '../host.ts';
import { type ByteFormat, clipped, oneLine, readableBytes } from '../peekText.ts';
import type { PlaceArguments } from '../placeOptions.ts';
import { onePartition, withProgress } from '../progress.ts';
import { textTable } from '../table.ts';
import type { OutputForm } from '../usage.ts';

export interface PeekCommand extends PlaceArguments {
  readonly form: OutputForm;
  /** Undefined = the position. */
  readonly offset: bigint | undefined;
  readonly before: number;
  readonly after: number;
  readonly format: ByteFormat;
  /** Nothing is shortened. */
  readonly full: boolean;
}

/** Shows the records around a position. */
export async function showRecords(command: PeekCommand, context: CommandContext): Promise<ExitCode> {
  const of = onePartition(command.raw);
  const peeked = await withProgress(command, context, 'look', (progress) => peek(progress, { ...command, of }));
  context.out(written(peeked, command, context));
  return exitCodes.done;
}

function written(peeked: Peeked, command: PeekCommand, context: CommandContext): string {
  const shown = [...peeked.before, ...peeked.after];
  if (command.form === 'json') return peekJson(peeked, command, context);
  if (command.form === 'csv') {
    const rows = shown.map((record) => cells(record, command.format, ''));
    return csvText(
      ['offset', 'timestamp', 'key', 'value', 'headers'],
      rows.map(({ plain }) => plain),
    );
  }
  const marked = markOf(peeked);
  const width = (text: string, widthMax: number) => (command.full ? text : clipped(text, widthMax));
  const records = shown.map((record) => {
    const [offset = '', timestamp = '', key = '', value = '', headers = ''] = cells(record, command.format, '-').line;
    const line = [marked(record), offset, timestamp, width(key, 32), width(value, 80), width(headers, 48)];
    return { at: record.offset, line };
  });
  const damage = peeked.damage.map(({ fromOffset, untilOffset, error }) => {
    const text = `(cannot be read up to ${untilOffset}: ${context.redact(error.message)} [${error.code}])`;
    return { at: fromOffset, line: ['!', String(fromOffset), '-', '-', text, ''] };
  });
  const lines = [...records, ...damage].sort((a, b) => (a.at < b.at ? -1 : 1)).map(({ line }) => line);
  const table = textTable(['', 'OFFSET', 'TIMESTAMP', 'KEY', 'VALUE', 'HEADERS'], lines);
  return `${table}${endText(peeked)}`;
}

/** `>` stands at the next record of the pipeline, `@` at that of --offset, where it is another. */
function markOf({ position, offset, before, after }: Peeked): (record: PeekedRecord) => string {
  const all = [...before, ...after];
  const first = (at: bigint | undefined) =>
    at === undefined ? undefined : all.find((record) => record.offset >= at)?.offset;
  const stored = position.row?.nextOffset;
  // What lies before all that is shown is not the next record of anything.
  const isShown = stored !== undefined && (all[0]?.offset ?? 0n) <= stored;
  const [next, asked] = [isShown || stored === offset ? first(stored) : undefined, first(offset)];
  return (record) => {
    if (record.offset === next) return '>';
    return record.offset === asked ? '@' : '';
  };
}

function endText({ after, damage, offset, position }: Peeked): string {
  if (after.length > 0 || damage.some(({ untilOffset }) => untilOffset > offset)) return '';
  const what = position.row?.nextOffset === offset ? 'the position' : 'offset';
  return `(nothing committed at or behind ${what} ${offset})\n`;
}

/** A record for one line and for a file. */
function cells({ offset, timestamp, key, value, headers }: PeekedRecord, format: ByteFormat, absent: string) {
  const place = [String(offset), timestamp < 0 ? absent : new Date(timestamp).toISOString()];
  const text = (bytes: Buffer | null, none: string, write: (bytes: Buffer) => string) =>
    bytes === null ? none : write(bytes);
  const flat = (bytes: Buffer) => oneLine(readableBytes(bytes, format)) || '(empty)';
  const raw = (bytes: Buffer) => readableBytes(bytes, format).text;
  const all = headers.map(
    ([name, bytes]) => `${oneLine({ format: 'text', text: name })}=${text(bytes, '(null)', flat)}`,
  );
  return {
    line: [...place, text(key, absent, flat), text(value, '(tombstone)', flat), all.join(' ')],
    plain: [
      ...place,
      text(key, '', raw),
      text(value, '', raw),
      headers.length === 0 ? '' : JSON.stringify(headerFields(headers, format)),
    ],
  };
}

function headerFields(headers: PeekedRecord['headers'], format: ByteFormat) {
  return headers.map(([name, value]) => ({ name, ...bytesFields('value', value, format) }));
}

function bytesFields(name: string, bytes: Buffer | null, format: ByteFormat) {
  const readable = bytes === null ? undefined : readableBytes(bytes, format);
  return { [name]: readable?.text ?? null, [`${name}Format`]: readable?.format ?? null };
}

function peekJson(peeked: Peeked, { format }: PeekCommand, { redact }: CommandContext): string {
  const { position, offset, before, after, damage } = peeked;
  const marked = markOf(peeked);
  const records = [...before, ...after].map((record) => ({
    offset: record.offset,
    timestamp: record.timestamp < 0 ? null : new Date(record.timestamp).toISOString(),
    ...bytesFields('key', record.key, format),
    ...bytesFields('value', record.value, format),
    headers: headerFields(record.headers, format),
    isNext: marked(record) === '>',
  }));
  const { topic, partition, row, log, state } = position;
  return jsonLine({
    ...{ topic, partition, state, storedOffset: row?.nextOffset, offset },
    ...{ logStartOffset: log?.bounds.logStartOffset, logEndOffset: log?.bounds.lastStableOffset },
    records,
    unreadable: damage.map(({ fromOffset, untilOffset, error }) => ({
      fromOffset,
      untilOffset,
      error: errorJson(error, redact),
    })),
  });
}
