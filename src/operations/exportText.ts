import { isReceiverTopic } from '../model/index.ts';
import type { StoredOffset } from '../offsets/index.ts';

/** What an export says of one partition. */
export type ExportedPosition = Pick<
  StoredOffset,
  'topic' | 'partition' | 'nextOffset' | 'topicId' | 'leaderEpoch' | 'state'
>;

/**
 * Positions as JSON, one a line, so that a line-by-line comparison of two exports shows which differ. The field names are what
 * `import` reads; offsets are decimal text.
 */
export function exportText(rows: readonly ExportedPosition[], pipeline: string, atMs: number): string {
  const positions = rows.map(({ topic, partition, nextOffset, topicId, leaderEpoch, state }) =>
    JSON.stringify({ topic, partition, offset: String(nextOffset), topicId, leaderEpoch, state }),
  );
  const head = `"pipeline":${JSON.stringify(pipeline)},"exportedAt":"${new Date(atMs).toISOString()}"`;
  const list = positions.length === 0 ? '' : `\n${positions.join(',\n')}\n`;
  return `{${head},"positions":[${list}]}\n`;
}

/**
 * Positions as `kafka-consumer-groups.sh --export` writes them and `--from-file` reads them: topic, partition, offset; no head line.
 * Kafka knows nothing of the numbers that receivers give out: they are left out.
 */
export function exportCsv(rows: readonly ExportedPosition[]): string {
  return rows
    .filter(({ topic }) => !isReceiverTopic(topic))
    .map(({ topic, partition, nextOffset }) => `${topicCell(topic)},${partition},${nextOffset}\n`)
    .join('');
}

/** Names of topics have no character that needs quotes; Kafka's tool puts them around those that are longer than this. */
const unquotedCharsMax = 24;

function topicCell(topic: string): string {
  return topic.length > unquotedCharsMax ? `"${topic}"` : topic;
}
