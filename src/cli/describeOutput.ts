import type { DescribedPartition, PartitionOwner } from '../operations/index.ts';
import { ageText, secondsText } from './ages.ts';
import { csvText } from './csv.ts';
import { textTable } from './table.ts';

/** What programs get of a partition, in this order. */
export function describedFields(one: DescribedPartition) {
  const { topic, partition, row, log, lag, lagSeconds, owner, groupOffset, lastCommitMs, state, reason } = one;
  return {
    ...{ topic, partition, storedOffset: row?.nextOffset, groupOffset },
    ...{ logStartOffset: log?.bounds.logStartOffset, logEndOffset: log?.bounds.lastStableOffset },
    ...{ lag, lagSeconds, owner: owner && ownerFields(owner), ownerEpoch: row?.ownerEpoch },
    ...{ lastCommitMs: lastCommitMs === undefined ? undefined : Math.round(lastCommitMs), state, reason },
  };
}

function ownerFields({ kind, id, host, pid, isAlive: alive, silentMs }: PartitionOwner) {
  return { kind, id, host, pid, alive, silentMs: silentMs === undefined ? undefined : Math.round(silentMs) };
}

/** The same as CSV, the owner in columns of its own. */
export function describedCsv(partitions: readonly DescribedPartition[]): string {
  const head = [
    ...['topic', 'partition', 'storedOffset', 'groupOffset', 'logStartOffset', 'logEndOffset', 'lag', 'lagSeconds'],
    ...['owner', 'ownerHost', 'ownerPid', 'ownerAlive', 'ownerEpoch', 'lastCommitMs', 'state', 'reason'],
  ];
  const rows = partitions.map((one) => {
    const { owner, ...fields } = describedFields(one);
    const cells = {
      ...{ ...fields, owner: owner?.id, ownerHost: owner?.host, ownerPid: owner?.pid, ownerAlive: owner?.alive },
    } as Readonly<Record<string, unknown>>;
    return head.map((name) => String(cells[name] ?? ''));
  });
  return csvText(head, rows);
}

const columns = [
  ...['TOPIC', 'PARTITION', 'STORED', 'GROUP', 'LOG-START', 'LOG-END', 'LAG-OFFSETS', 'LAG-S', 'OWNER', 'EPOCH'],
  ...['LAST-COMMIT', 'STATE'],
];

/** Reasons are sentences: they follow the table, each once with the partitions it is about. */
export function describedTable(partitions: readonly DescribedPartition[]): string {
  const rows = partitions.map(({ topic, partition, row, log, ...one }) => [
    ...[topic, String(partition), String(row?.nextOffset ?? '-'), String(one.groupOffset ?? '-')],
    ...[String(log?.bounds.logStartOffset ?? '-'), String(log?.bounds.lastStableOffset ?? '-')],
    ...[String(one.lag ?? '-'), secondsText(one.lagSeconds), ownerText(one.owner), String(row?.ownerEpoch ?? '-')],
    ...[ageText(one.lastCommitMs), one.state],
  ]);
  const reasons = new Map<string, string[]>();
  for (const { topic, partition, state, reason } of partitions) {
    if (reason === undefined) continue;
    const text = `${state}: ${reason}`;
    const others = reasons.get(text);
    if (others === undefined) reasons.set(text, [`${topic}-${partition}`]);
    else others.push(`${topic}-${partition}`);
  }
  const texts = [...reasons].map(([text, of]) => `${of.join(', ')} ${text}\n`);
  return `${textTable(columns, rows)}${texts.length === 0 ? '' : `\n${texts.join('')}`}`;
}

/** `0b5d1a2c host:4711`, and since when nothing was heard of it, where that is too long. */
function ownerText(owner: PartitionOwner | undefined): string {
  if (owner === undefined) return '-';
  const { id, host, pid, isAlive, silentMs } = owner;
  const place = [host, pid].filter((part) => part !== undefined).join(':');
  const silence = isAlive ? '' : silentMs === undefined ? '(gone)' : `(silent ${ageText(silentMs)})`;
  return [shortId(id), place, silence].filter((part) => part !== '').join(' ');
}

const idLengthMax = 24;

/** Of a random id its beginning tells processes apart; what begins with a name keeps more of it. */
function shortId(id: string): string {
  if (/^[\da-f]{8}-[\da-f]{4}-/.test(id)) return id.slice(0, 8);
  return id.length > idLengthMax ? `${id.slice(0, idLengthMax - 1)}…` : id;
}
