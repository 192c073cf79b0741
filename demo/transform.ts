/** An order event as the demo's topic has it. */
interface OrderEvent {
  readonly id: number;
  readonly account: string;
  readonly amount: string;
  readonly currency: string;
  readonly placedAt: string;
  readonly cancelled: boolean;
}

interface OrderRecord {
  readonly partition: number;
  readonly offset: bigint;
  json(): unknown;
}

/** One order, one row; cancelled ones are dropped, and counted as dropped. */
export default (record: OrderRecord) => {
  const order = record.json() as OrderEvent;
  if (order.cancelled) return undefined;
  return {
    id: order.id,
    account: order.account,
    amount: order.amount,
    currency: order.currency,
    placed_at: order.placedAt,
    kafka_partition: record.partition,
    kafka_offset: record.offset,
  };
};
