/** The first tick after `nowMs`: batch times are multiples of the interval, as Spark's recurring timer has them. */
export function nextTickMs(nowMs: number, intervalMs: number): number {
  return (Math.floor(nowMs / intervalMs) + 1) * intervalMs;
}
