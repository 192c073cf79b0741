/**
 * What became of the records of a range (I6): `records = produced + dropped + skipped + deadLettered`.
 * `rows` may be larger than `produced`: one record can give several rows.
 */
export interface RangeCounts {
  records: number;
  /** Records that gave at least one row. */
  produced: number;
  rows: number;
  /** Records the transform returned nothing for. */
  dropped: number;
  /** Records passed over by policy or command. */
  skipped: number;
  deadLettered: number;
}

export function noCounts(): RangeCounts {
  return { records: 0, produced: 0, rows: 0, dropped: 0, skipped: 0, deadLettered: 0 };
}
