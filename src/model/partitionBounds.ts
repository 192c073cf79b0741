/** What a broker holds of a partition. Lag is counted to the last stable offset: nothing beyond it is readable (I5). */
export interface PartitionBounds {
  readonly logStartOffset: bigint;
  readonly highWatermark: bigint;
  readonly lastStableOffset: bigint;
}
