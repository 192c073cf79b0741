import { partitionKey } from '../model/index.ts';
import type { LagSeconds, LagSummary, PartitionPosition, summariseLag } from '../operations/index.ts';
import { secondsText } from './ages.ts';
import { jsonLine } from './host.ts';
import { statesText } from './states.ts';
import { textTable } from './table.ts';

type Summary = ReturnType<typeof summariseLag>;

/** One line for each topic and one for all. */
export function lagTable({ topics, total }: Summary): string {
  const rows = topics.map((topic) => [topic.topic, ...summaryCells(topic)]);
  if (topics.length !== 1) rows.push(['TOTAL', ...summaryCells(total)]);
  return textTable(['TOPIC', 'PARTITIONS', 'LAG-OFFSETS', 'MAX-LAG', 'LAG-S', 'STATE'], rows);
}

/** A sum that leaves out what is unknown is a lower bound, and says so. */
function summaryCells({ partitions, lag, lagMax, lagUnknown, lagSecondsMax, states }: LagSummary): string[] {
  const sum = lagMax === undefined ? '-' : `${lagUnknown > 0 ? '≥' : ''}${lag}`;
  return [String(partitions), sum, String(lagMax ?? '-'), secondsText(lagSecondsMax), statesText(states)];
}

/** One line for each partition. */
export function lagOfPartitionsTable(positions: readonly PartitionPosition[], seconds: LagSeconds['seconds']): string {
  const rows = positions.map((position) => {
    const { topic, partition, row, log, lag, state } = position;
    return [
      ...[topic, String(partition), state, String(row?.nextOffset ?? '-')],
      ...[String(log?.bounds.lastStableOffset ?? '-'), String(lag ?? '-')],
      secondsText(seconds.get(partitionKey(position))),
    ];
  });
  return textTable(['TOPIC', 'PARTITION', 'STATE', 'STORED', 'LOG-END', 'LAG-OFFSETS', 'LAG-S'], rows);
}

/** Topics, partitions and the total; `more` comes last. */
export function lagJson(
  pipeline: string,
  positions: readonly PartitionPosition[],
  seconds: LagSeconds['seconds'],
  { topics, total }: Summary,
  more: Readonly<Record<string, unknown>>,
  redact: (text: string) => string,
): string {
  const partitions = positions.map((position) => {
    const { topic, partition, row, log, lag, state, reason } = position;
    return {
      ...{ topic, partition, storedOffset: row?.nextOffset },
      ...{ logStartOffset: log?.bounds.logStartOffset, logEndOffset: log?.bounds.lastStableOffset, lag },
      ...{ lagSeconds: seconds.get(partitionKey(position)), state },
      reason: reason === undefined ? undefined : redact(reason),
    };
  });
  const { lag: totalLag, lagUnknown, lagSecondsMax } = total;
  return jsonLine({
    ...{ pipeline, lagUnit: 'offsets', topics, partitions, totalLag, lagUnknown, lagSecondsMax },
    ...more,
  });
}
