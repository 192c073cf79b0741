import { type OptionProblem, valueAt } from './optionProblem.ts';

/** A consumer group as the store keeps what was committed of Kafka's topics, and nothing else. */
export function storeChecks(raw: unknown): readonly OptionProblem[] {
  if (valueAt(raw, ['store', 'type']) !== 'kafka') return [];
  if (valueAt(raw, ['source', 'mode']) !== 'receiver') return [];
  return [
    {
      keys: ['store', 'type'],
      message: 'a consumer group cannot keep the offsets of source.mode receiver: it is told there what was taken in',
      allowed: 'postgres, redis, file',
    },
  ];
}
