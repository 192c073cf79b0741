import type { Control } from '../offsets/index.ts';
import { type CommandContext, jsonLine } from './host.ts';
import { textTable } from './table.ts';

/** Orders for people. */
export function ordersTable(orders: readonly Control[], { redact }: Pick<CommandContext, 'redact'>): string {
  const rows = orders.map(({ order, topic, partition, reason, orderedBy, orderedAtMs }) => [
    order,
    topic ?? 'all',
    partition === null ? 'all' : String(partition),
    new Date(orderedAtMs).toISOString(),
    redact(orderedBy),
    redact(reason),
  ]);
  return textTable(['ORDER', 'TOPIC', 'PARTITION', 'SINCE', 'BY', 'REASON'], rows);
}

/** The same as one line of JSON, with `more` beside the orders. */
export function ordersJson(
  pipeline: string,
  orders: readonly Control[],
  context: Pick<CommandContext, 'redact'>,
  more: Readonly<Record<string, unknown>> = {},
): string {
  return jsonLine({ pipeline, orders: orders.map((order) => orderJson(order, context)), ...more });
}

function orderJson({ reason, orderedBy, orderedAtMs, ...order }: Control, { redact }: Pick<CommandContext, 'redact'>) {
  return {
    ...order,
    reason: redact(reason),
    orderedBy: redact(orderedBy),
    orderedAt: new Date(orderedAtMs).toISOString(),
  };
}
