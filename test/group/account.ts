import type { Violation } from '../crash/checker.ts';
import type { WorkerEvent } from '../crash/workerProcess.ts';
import type { Member } from './member.ts';

/** An event with the process that told it, e.g. `2.1`: the second process of member 2. */
export interface ToldEvent extends WorkerEvent {
  readonly by: string;
}

export function eventsOf(members: readonly Member[]): readonly ToldEvent[] {
  return members
    .flatMap(({ number, workers }) =>
      workers.flatMap((worker, index) => worker.events().map((event) => ({ ...event, by: `${number}.${index}` }))),
    )
    .sort((a, b) => a.at - b.at);
}

/** What the processes saw of their group: how often, by kind. */
export function rebalancesIn(events: readonly ToldEvent[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  const count = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
  const generations = new Set<unknown>();
  for (const event of events) {
    switch (event.event) {
      case 'groupBalanced':
        generations.add(event.generation);
        break;
      case 'groupMembershipLost':
        count('memberships lost');
        break;
      case 'partitionClaimed':
        count(event.previousOwner === undefined ? 'claims of a free partition' : "claims of another's partition");
        break;
      case 'partitionFenced':
        count(`fenced by ${(event.error as { code?: string }).code}`);
        break;
      case 'partitionReleased':
        count('released');
        break;
      case 'rangeRetried':
        count('ranges retried');
        break;
      case 'partitionParked':
        count('parked');
        break;
    }
  }
  return { generations: generations.size, ...Object.fromEntries([...counts].sort()) };
}

const aroundMs = 10_000;
const linesMax = 120;

/** What the processes told about the partition of a violation around the time its offset was committed. */
export function timelineOf(events: readonly ToldEvent[], violation: Violation): string {
  const { partition, offset = 0n } = violation;
  const mine = events.filter((event) => partitionOf(event) === partition || event.event.startsWith('group'));
  const range = (event: ToldEvent) => event.range as { fromOffset?: string; untilOffset?: string } | undefined;
  const holding = mine.filter((event) => {
    const { fromOffset, untilOffset } = range(event) ?? {};
    return fromOffset !== undefined && BigInt(fromOffset) <= offset && offset < BigInt(untilOffset ?? 0);
  });
  const atMs = (holding[0] ?? mine.at(-1))?.at ?? 0;
  const near = mine.filter(({ at }) => Math.abs(at - atMs) < aroundMs).slice(0, linesMax);
  return near.map((event) => lineOf(event, holding.includes(event) ? '→' : ' ')).join('\n');
}

function lineOf({ by, at, event, ...facts }: ToldEvent, mark: string): string {
  return `${mark} ${new Date(at).toISOString().slice(11, 23)} ${by} ${event} ${JSON.stringify(facts).slice(0, 300)}`;
}

function partitionOf(event: ToldEvent): unknown {
  return event.partition ?? (event.range as { partition?: number } | undefined)?.partition;
}
