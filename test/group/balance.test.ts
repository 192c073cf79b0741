import { monitorEventLoopDelay } from 'node:perf_hooks';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Worker } from '../crash/workerProcess.ts';
import { groupSetting } from './groupSetting.ts';
import { type GroupTrial, groupTestMs, heldBy } from './groupTrial.ts';
import { needsWay, ways } from './memberships.ts';

const setting = groupSetting();

/** The machine may stumble, a pipeline may not: what is ours to answer for shows every time. */
const attemptsMax = 3;
/** A batch waits so long for more records: the normal gap between two commits of a partition, with what a machine adds. */
const lingerMs = 200;
const filled = 6;
/** Nobody is to be counted out because the machine was slow. */
const sessionTimeoutMs = 20_000;

const seed = Number(process.env.TIDEMARK_SEED ?? Math.floor(Math.random() * 1_000_000));
const [eager, ...others] = ways;
/** The eager one, where most moves, and one of the others; all of them with TIDEMARK_EVERY_WAY=1. */
const waysOfRun =
  process.env.TIDEMARK_EVERY_WAY === '1'
    ? ways
    : [eager, others[seed % others.length]].filter((way) => way !== undefined);

describe.each(waysOfRun)('$name', { timeout: groupTestMs }, ({ name, way }) => {
  beforeEach((context) => needsWay(context, way));

  it('a process that joins and leaves does not pause the partitions that stay where they are', async () => {
    const trial = await setting().trial({ way, filled, sessionTimeoutMs, changes: { batch: { lingerMs } } });
    const bystander = await setting().trial({ way, filled: 1 });
    await bystander.endLoad();
    const [first, second] = await Promise.all([trial.member(), trial.member()]);
    await trial.shared(first, second);
    const measured: Gaps[] = [];
    do {
      const startMs = Date.now();
      // The normal gap is one beside a process that starts, only that nobody joins.
      await bystander.finish();
      const joinMs = Date.now();
      const third = await trial.member();
      await trial.shared(first, second, third);
      third.signal('SIGTERM');
      expect(await third.ended(), third.logTail()).toEqual({ signal: null, code: 0 });
      await trial.shared(first, second);
      const endMs = Date.now();
      const { stayed, disturbed } = stayers([first, second], [third], joinMs);
      const gap = (fromMs: number, untilMs: number) =>
        Math.max(...stayed.map(({ worker, partition }) => longestGap(worker, partition, fromMs, untilMs)));
      measured.push({ normalMs: gap(startMs, joinMs), changeMs: gap(joinMs, endMs), stayed: stayed.length, disturbed });
    } while (measured.length < attemptsMax && !measured.some(isSmooth));
    console.log(`${name}, longest gaps between two commits: ${JSON.stringify(measured)}`);
    expect(measured.some(isSmooth), JSON.stringify(measured)).toBe(true);
    await trial.finishWith(first, second);
  });

  it('a rolling restart pauses a partition that moves for less than a second after the decision of the group', async () => {
    const trial = await setting().trial({ way, filled, sessionTimeoutMs });
    let workers: readonly Worker[] = await Promise.all([trial.member(), trial.member(), trial.member()]);
    await trial.shared(...workers);
    const measured: Pause[] = [];
    do {
      const moves = await rollingRestart(trial, workers);
      workers = moves.workers;
      measured.push(moves.longest);
    } while (measured.length < attemptsMax && !measured.some(isShort));
    console.log(`${name}, longest pauses of a rolling restart: ${JSON.stringify(measured)}`);
    expect(measured.some(isShort), JSON.stringify(measured)).toBe(true);
    await trial.finishWith(...workers);
  });
});

/** The longest between two commits of a partition that stays. */
interface Gaps {
  readonly normalMs: number;
  /** While another process joins and leaves. */
  readonly changeMs: number;
  /** Partitions that stayed, and those of them that were given up and claimed again all the same. */
  readonly stayed: number;
  readonly disturbed: number;
}

interface Move {
  /** From the last commit of the former owner to the first of the new one. */
  readonly pauseMs: number;
  /** The part of it after the group had said whose the partition is. */
  readonly afterDecisionMs: number;
  /** What the group took for its decision, as the new owner saw it. */
  readonly decisionMs: number;
}

/** The longest of a rolling restart. */
interface Pause extends Move {
  /** What a machine with too much to do may add to it. */
  readonly machineMs: number;
}

const isSmooth = ({ normalMs, changeMs, stayed, disturbed }: Gaps) =>
  stayed > 0 && disturbed === 0 && changeMs <= 2 * normalMs;
const isShort = ({ afterDecisionMs, machineMs }: Pause) => afterDecisionMs <= 1_000 + machineMs;

/** Partitions no other process has claimed since; none of them is to notice anything. */
function stayers(
  workers: readonly Worker[],
  others: readonly Worker[],
  sinceMs: number,
): { readonly stayed: readonly { worker: Worker; partition: number }[]; readonly disturbed: number } {
  const changes = (worker: Worker, partition: number) =>
    worker
      .events(['partitionClaimed', 'partitionReleased', 'partitionFenced'])
      .filter((event) => event.partition === partition && event.at > sinceMs);
  const stayed = workers.flatMap((worker) =>
    [...heldBy(worker)]
      .filter((partition) => partition < filled)
      .filter((partition) => {
        const strangers = [...workers, ...others].filter((other) => other !== worker);
        return strangers.every((other) => changes(other, partition).length === 0);
      })
      .map((partition) => ({ worker, partition })),
  );
  const disturbed = stayed.filter(({ worker, partition }) => changes(worker, partition).length > 0).length;
  return { stayed, disturbed };
}

/** Between two commits of a partition, the later of which is within a time. */
function longestGap(worker: Worker, partition: number, fromMs: number, untilMs: number): number {
  const times = commitTimes(worker, partition);
  const gaps = times.map((at, index) => (at > fromMs && at <= untilMs ? at - (times[index - 1] ?? at) : 0));
  return Math.max(...gaps);
}

/** Stops one after the other and starts another in its place. */
async function rollingRestart(
  trial: GroupTrial,
  before: readonly Worker[],
): Promise<{ workers: readonly Worker[]; longest: Pause }> {
  const startMs = Date.now();
  const delays = monitorEventLoopDelay({ resolution: 10 });
  delays.enable();
  const everybody = [...before];
  let workers = [...before];
  for (const old of before) {
    old.signal('SIGTERM');
    expect(await old.ended(), old.logTail()).toEqual({ signal: null, code: 0 });
    workers = workers.filter((worker) => worker !== old);
    await trial.shared(...workers);
    const fresh = await trial.member();
    everybody.push(fresh);
    workers.push(fresh);
    await trial.shared(...workers);
  }
  // Where the last partition to move goes on.
  const endMs = Date.now();
  for (const worker of workers) {
    const seen = worker.events('rangeCommitted').filter(({ at }) => at <= endMs).length;
    await worker.waitFor('rangeCommitted', seen + filled);
  }
  const pauses = everybody.flatMap((worker) => pausesOf(worker, everybody, startMs));
  const longest = pauses.reduce((most, pause) => (pause.afterDecisionMs > most.afterDecisionMs ? pause : most));
  delays.disable();
  // What keeps this idle process waiting keeps every step of a move waiting: there are some ten, of four processes.
  const stallMs = delays.max / 1_000_000;
  return { workers, longest: { ...longest, machineMs: stallMs < 50 ? 0 : Math.round(10 * stallMs) } };
}

/** The pause of every partition that came to a process. */
function pausesOf(worker: Worker, everybody: readonly Worker[], sinceMs: number): Move[] {
  const claims = worker.events('partitionClaimed').filter(({ at }) => at > sinceMs);
  return claims.flatMap(({ at, partition }) => {
    const number = Number(partition);
    const first = commitTimes(worker, number).find((ms) => ms >= at);
    const before = everybody.flatMap((one) => commitTimes(one, number)).filter((ms) => ms < at);
    // The word of the group is told right after the claim was begun.
    const words = worker.events('groupBalanced').filter(({ partitions }) => {
      return (partitions as readonly { partition: number }[]).some((one) => one.partition === number);
    });
    const word = words.findLast((event) => event.at <= at) ?? words[0];
    // What moved on before anything could be committed, and the empty partition, have no first commit here.
    if (first === undefined || before.length === 0 || word === undefined) return [];
    const pauseMs = first - Math.max(...before);
    return [{ pauseMs, afterDecisionMs: first - word.at, decisionMs: Number(word.tookMs) }];
  });
}

function commitTimes(worker: Worker, partition: number): number[] {
  return worker
    .events('rangeCommitted')
    .filter(({ range }) => (range as { partition: number }).partition === partition)
    .map(({ at }) => at);
}
