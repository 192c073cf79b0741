import { TidemarkError } from '../errors.ts';
import { partitionName, type TopicPartition } from '../model/index.ts';
import type { Control, NewControl, OffsetStore } from '../offsets/index.ts';
import type { Choice } from './choice.ts';
import { readPositions } from './positions.ts';
import type { Progress } from './progress.ts';

export interface OrderOptions {
  readonly choice: Choice;
  /** Who, for the order and the history. */
  readonly by: string;
}

/**
 * Pauses the pipeline, the chosen topics or partitions: when this resolves nothing of them is committed any more, and a restart keeps
 * it so. Answers the orders that hold now for the choice; one that was given before is not given again.
 */
export async function pause(
  progress: Progress,
  { choice, by, reason }: OrderOptions & { readonly reason: string },
): Promise<readonly Control[]> {
  const { store } = progress;
  requireControls(progress);
  await readPositions(progress, choice);
  const given = pausesOf(await store.controls());
  const wanted = pausesFor(choice, reason);
  const covers = (order: NewControl) => given.filter((other) => isWithin(order, other));
  const due = wanted.filter((order) => covers(order).length === 0);
  return [...wanted.flatMap(covers), ...(await store.order(due, by))];
}

export interface Resumed {
  readonly ended: readonly Control[];
  /** Parked partitions that are tried again. */
  readonly retried: readonly TopicPartition[];
}

/**
 * Ends the pauses of the choice, and has parked partitions of it tried again. Throws USAGE_INVALID where a pause of more than was
 * chosen would go on holding it: ending that one is another decision.
 */
export async function resume(progress: Progress, { choice }: { readonly choice: Choice }): Promise<Resumed> {
  const { store } = progress;
  requireControls(progress);
  const positions = await readPositions(progress, choice);
  const pauses = pausesOf(await store.controls());
  const scopes = pausesFor(choice, '');
  const ended = pauses.filter((pause) => scopes.some((scope) => isWithin(pause, scope)));
  const wider = pauses.find((pause) => !ended.includes(pause) && scopes.some((scope) => isWithin(scope, pause)));
  if (wider !== undefined) throw pausedByMore(wider);
  const retried = positions
    .filter(({ row }) => row?.state === 'parked')
    .map(({ topic, partition }) => ({ topic, partition }));
  if (ended.length > 0) await store.withdraw(ended.map(({ id }) => id));
  if (retried.length > 0) await store.interrupt(retried);
  return { ended, retried };
}

function pausesOf(controls: readonly Control[]): readonly Control[] {
  return controls.filter(({ order }) => order === 'pause');
}

function pausesFor(choice: Choice, reason: string): readonly NewControl[] {
  const order = { order: 'pause', fromOffset: null, untilOffset: null, reason } as const;
  if (choice.length === 0) return [{ ...order, topic: null, partition: null }];
  return choice.flatMap(({ topic, partitions }): NewControl[] =>
    partitions === undefined
      ? [{ ...order, topic, partition: null }]
      : [...partitions].map((partition) => ({ ...order, topic, partition })),
  );
}

type Scope = Pick<NewControl, 'topic' | 'partition'>;

/** Whether all that `inner` is about `outer` is about too. */
function isWithin(inner: Scope, outer: Scope): boolean {
  if (outer.topic === null) return true;
  return inner.topic === outer.topic && (outer.partition === null || inner.partition === outer.partition);
}

function scopeText({ topic, partition }: Scope): string {
  if (topic === null) return 'the whole pipeline';
  return partition === null ? `topic ${topic}` : partitionName({ topic, partition });
}

function pausedByMore(pause: Control): TidemarkError {
  return new TidemarkError(
    'USAGE_INVALID',
    `A pause of ${scopeText(pause)} holds more than was chosen (by ${pause.orderedBy}: ${pause.reason})`,
    { hint: `Resume ${scopeText(pause)}, then pause what is to stay.` },
  );
}

/** What needs orders, on a store that takes none. */
export function requireControls({ store, place }: { readonly store: OffsetStore; readonly place: string }): void {
  if (store.capabilities.controls) return;
  throw new TidemarkError('STORE_INCAPABLE', `The offset store (${place}) takes no orders: capability controls`, {
    hint: 'Pause, resume and skip need a ledger in PostgreSQL or Redis.',
  });
}
