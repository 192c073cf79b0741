import { isTidemarkError, type TidemarkError } from '../errors.ts';
import type { KafkaDriver } from '../kafka/index.ts';
import { OffsetRange, type RecordCursor } from '../model/index.ts';
import { visitRecords } from './readRecords.ts';

/** Offsets whose records cannot be read. */
export interface Damage {
  readonly fromOffset: bigint;
  readonly untilOffset: bigint;
  readonly error: TidemarkError;
}

const damageCodes: readonly string[] = ['KAFKA_CORRUPT_BATCH', 'KAFKA_CODEC_UNSUPPORTED', 'KAFKA_BATCH_TOO_LARGE'];

/** Whether it is the record batch that cannot be read: all else of the log can. */
export function isDamage(error: unknown): error is TidemarkError {
  return isTidemarkError(error) && damageCodes.includes(error.code);
}

/**
 * Visits the records of a range like `visitRecords`, and goes on behind record batches that cannot be read. Where such a batch does
 * not say where it ends, the rest of the range counts as damaged.
 */
export async function visitAround(
  driver: KafkaDriver,
  topicId: string,
  range: OffsetRange,
  visit: (cursor: RecordCursor) => boolean,
): Promise<readonly Damage[]> {
  const { topic, partition, untilOffset: end } = range;
  const damage: Damage[] = [];
  for (let from = range.fromOffset; from < end; ) {
    try {
      await visitRecords(driver, topicId, new OffsetRange(topic, partition, from, end), (cursor) => {
        from = cursor.offset + 1n;
        return visit(cursor);
      });
      return damage;
    } catch (error) {
      if (!isDamage(error)) throw error;
      const said = error.untilOffset;
      const untilOffset = said === undefined || said <= from || said > end ? end : said;
      const begin = error.fromOffset;
      const fromOffset = begin === undefined || begin < range.fromOffset || begin > untilOffset ? from : begin;
      damage.push({ fromOffset, untilOffset, error });
      from = untilOffset;
    }
  }
  return damage;
}
