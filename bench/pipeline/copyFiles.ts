import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { eventJson, type OrderEvent, orderEvent, placeOf } from './orderEvents.ts';

const rowsPerWrite = 2_000;

/** Rows of the raw table in COPY's text format, sorted by partition and offset: the order that suits a primary key best. */
export async function writeRawText(file: string, records: number, partitions: number): Promise<void> {
  await writeRows(file, records, (row) => {
    const index = indexInPartitionOrder(row, records, partitions);
    const { partition, offset } = placeOf(index, partitions);
    return `${partition}\t${offset}\t${copyText(eventJson(orderEvent(index)))}\n`;
  });
}

/** Rows of the parsed table in COPY's text format, in the same order. */
export async function writeParsedText(file: string, records: number, partitions: number): Promise<void> {
  await writeRows(file, records, (row) => {
    const fields = parsedFields(orderEvent(indexInPartitionOrder(row, records, partitions)));
    return `${fields.map(copyText).join('\t')}\n`;
  });
}

/** As the server itself would write them. */
function parsedFields({ id, account, amount, quantity, paid, created, currency, note }: OrderEvent): string[] {
  const timestamp = created.replace('T', ' ').replace(/\.?0*Z$/, '+00');
  return [String(id), account, amount, String(quantity), paid ? 't' : 'f', timestamp, currency, note];
}

function indexInPartitionOrder(row: number, records: number, partitions: number): number {
  let left = row;
  for (let partition = 0; ; partition++) {
    const inPartition = Math.ceil((records - partition) / partitions);
    if (left < inPartition) return left * partitions + partition;
    left -= inPartition;
  }
}

function copyText(field: string): string {
  return field.includes('\\') ? field.replaceAll('\\', '\\\\') : field;
}

async function writeRows(file: string, records: number, rowOf: (row: number) => string): Promise<void> {
  function* blocks(): Generator<string> {
    for (let row = 0; row < records; ) {
      const lines: string[] = [];
      for (; lines.length < rowsPerWrite && row < records; row++) lines.push(rowOf(row));
      yield lines.join('');
    }
  }
  await pipeline(Readable.from(blocks()), createWriteStream(file));
}
