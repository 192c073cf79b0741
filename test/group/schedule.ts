import type { Randomness } from '../soak/randomness.ts';

/** What happens to a group of processes, all of it decided beforehand by the seed. Members are numbered from 0. */
export type Step = { readonly atMs: number } & (Scaling | Fault);

/** From now on members 0 to `to - 1` run; the others are stopped in an orderly way. */
export interface Scaling {
  readonly kind: 'scale';
  readonly to: number;
}

export type Fault =
  /** SIGKILL, and a new process in its place after a while. */
  | { readonly kind: 'kill'; readonly member: number; readonly forMs: number }
  /** SIGSTOP past the session, then SIGCONT. */
  | { readonly kind: 'freeze'; readonly member: number; readonly forMs: number }
  /** Every connection of the member to the brokers breaks once. */
  | { readonly kind: 'cut'; readonly member: number }
  /** Cut off from the brokers past the session, and not from the database. */
  | { readonly kind: 'isolate'; readonly member: number; readonly forMs: number; readonly how: 'silent' | 'broken' }
  /** The leader of a partition is killed, and started again after a while. */
  | { readonly kind: 'killLeader'; readonly partition: number; readonly forMs: number };
export type FaultKind = Fault['kind'];

export interface ScheduleOptions {
  readonly durationMs: number;
  readonly partitions: number;
  readonly sessionTimeoutMs: number;
}

export const membersMax = 4;

/** Numbers of processes over a cycle, by when they begin as a share of it. */
const scaling = [
  [0, 1],
  [0.12, 4],
  [0.5, 2],
  [0.72, 3],
] as const;
const cycleMs = 90_000;
/** A broker that was started again must have caught up before the next one goes: with two down nobody can write. */
const brokerRestMs = 12_000;
const memberRestMs = 3_000;
/** Nothing more at the end: what was done must have its effect within the run. */
const quietShare = 0.1;

/** Every kind of fault comes by before one comes again. */
export function scheduleOf(random: Randomness, options: ScheduleOptions): readonly Step[] {
  const cycles = Math.max(1, Math.round(options.durationMs / cycleMs));
  const lengthMs = options.durationMs / cycles;
  const scalings = Array.from({ length: cycles }, (_, cycle) =>
    scaling.map(([share, to]): Step => ({ atMs: (cycle + share) * lengthMs, kind: 'scale', to })),
  ).flat();
  const membersAt = (ms: number) => {
    const scale = scalings.findLast(({ atMs }) => atMs <= ms);
    return scale?.kind === 'scale' ? scale.to : 0;
  };
  const faults: Step[] = [];
  const freeAt = new Map<string, number>();
  let kinds: FaultKind[] = [];
  let atMs = 0.07 * lengthMs;
  while (atMs < options.durationMs * (1 - quietShare)) {
    if (kinds.length === 0) kinds = shuffled(random, ['kill', 'freeze', 'cut', 'isolate', 'killLeader']);
    const fault = faultOf(random, kinds[0] ?? 'kill', membersAt(atMs), options);
    const victim = fault.kind === 'killLeader' ? 'brokers' : `member ${fault.member}`;
    if ((freeAt.get(victim) ?? 0) <= atMs) {
      kinds.shift();
      const rest = fault.kind === 'killLeader' ? brokerRestMs : memberRestMs;
      freeAt.set(victim, atMs + ('forMs' in fault ? fault.forMs : 0) + rest);
      faults.push({ atMs, ...fault });
    } else {
      kinds.push(kinds.shift() ?? 'kill');
    }
    atMs += random.between(1_500, 4_000);
  }
  return [...scalings, ...faults].sort((a, b) => a.atMs - b.atMs);
}

/** For people: `12.3 s  freeze member 2 for 5400 ms`. */
export function stepText(step: Scaling | Fault): string {
  if (step.kind === 'scale') return `${step.to} processes`;
  const whom = step.kind === 'killLeader' ? `of partition ${step.partition}` : `member ${step.member}`;
  const how = step.kind === 'isolate' ? `, ${step.how}` : '';
  return `${step.kind} ${whom}${how}${'forMs' in step ? ` for ${step.forMs} ms` : ''}`;
}

function faultOf(random: Randomness, kind: FaultKind, members: number, options: ScheduleOptions): Fault {
  const member = random.between(0, members - 1);
  const pastSessionMs = options.sessionTimeoutMs + random.between(1_000, 4_000);
  switch (kind) {
    case 'kill':
      return { kind, member, forMs: random.between(0, 2_000) };
    case 'freeze':
      return { kind, member, forMs: pastSessionMs };
    case 'cut':
      return { kind, member };
    case 'isolate':
      return { kind, member, forMs: pastSessionMs, how: random.pick(['silent', 'broken'] as const) };
    case 'killLeader':
      return { kind, partition: random.between(0, options.partitions - 1), forMs: random.between(1_000, 4_000) };
  }
}

function shuffled<T>(random: Randomness, list: readonly T[]): T[] {
  const rest = [...list];
  return list.flatMap(() => rest.splice(random.between(0, rest.length - 1), 1));
}
