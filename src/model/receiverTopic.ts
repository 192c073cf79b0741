/** `:` and `@` cannot occur in the name of a Kafka topic: the two never meet in a ledger. */
const prefix = 'receiver:';

/** What stands for a topic in the ledger where a receiver numbers its records itself: its numbers belong to one log. */
export function receiverTopic(name: string, logId: string): string {
  return `${prefix}${name}@${logId}`;
}

/** Whether the rows of this topic are of a receiver: no broker knows it. */
export function isReceiverTopic(topic: string): boolean {
  return topic.startsWith(prefix);
}
