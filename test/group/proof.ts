import { setTimeout as delay } from 'node:timers/promises';
import { findViolations, summaryOf, type Violation } from '../crash/checker.ts';
import { newTrial, type Plain, positionOf, rangeOf, type Trial } from '../crash/trial.ts';
import type { KafkaService, TestDatabase } from '../services/index.ts';
import { topicPrefix, waitUntil } from '../services/index.ts';
import { viewOfAny } from '../services/kafka/admin.ts';
import { randomness } from '../soak/randomness.ts';
import { kafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';
import { eventsOf, rebalancesIn, timelineOf } from './account.ts';
import { compareCounts, compareWithLog, type RowContent } from './comparison.ts';
import { type LoadCounts, startLoad } from './load.ts';
import { readLog } from './logContent.ts';
import { Member } from './member.ts';
import type { MembershipWay } from './memberships.ts';
import { type FaultKind, membersMax, type Step, scheduleOf, stepText } from './schedule.ts';

export interface ProofOptions {
  /** Three brokers, with as many routes as there are members (`proofCluster`). */
  readonly kafka: KafkaService;
  readonly database: TestDatabase;
  readonly way: MembershipWay;
  /** Gives the same schedule of faults again, though not the same instants. */
  readonly seed: number;
  readonly durationMs: number;
  readonly recordsPerSecond: number;
  readonly say: (line: string) => void;
}

export interface ProofResult {
  readonly records: number;
  readonly load: LoadCounts;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  /** How often, by kind. */
  readonly rebalances: Readonly<Record<string, number>>;
}

const partitions = 12;
const sessionTimeoutMs = 4_000;
const heartbeatIntervalMs = 1_000;

/** What the cluster of a proof is asked for. */
export const proofCluster = {
  owned: true,
  brokers: 3,
  routes: membersMax,
  config: {
    'group.consumer.heartbeat.interval.ms': String(heartbeatIntervalMs),
    'group.consumer.session.timeout.ms': String(sessionTimeoutMs),
  },
} as const;

/** Time for everybody to come back and read to the end, when there are no faults any more. */
const endLimitMs = 120_000;

/**
 * A pipeline under constant load while its processes become more and fewer, are killed, frozen and cut off, and brokers die. In the
 * end the table has to hold what the log holds, record by record. Rejects with a report when it does not.
 */
export async function runProof(options: ProofOptions): Promise<ProofResult> {
  const { kafka, say } = options;
  const steps = scheduleOf(randomness(options.seed), { durationMs: options.durationMs, partitions, sessionTimeoutMs });
  const topic = `${topicPrefix()}proof`;
  await kafka.createTopic(topic, { partitions, replicationFactor: 3, config: { 'min.insync.replicas': '2' } });
  const trial = await trialOf(options, topic);
  const members = kafka.routes.map(
    (route, number) => new Member(number, route, (member) => startIn(trial, member, options)),
  );
  const load = await startLoad({
    brokers: kafka.brokers,
    topic,
    partitions,
    recordsPerSecond: options.recordsPerSecond,
  });
  try {
    const ended = delay(options.durationMs);
    const faults = await carryOut(steps, members, kafka, topic, say);
    await ended;
    const counts = await load.stop();
    say(`no more faults; the load ended: ${JSON.stringify(counts)}`);
    const unread = await untilEverythingIsRead(kafka, trial, topic).then(
      () => undefined,
      (error: Error) => error.message,
    );
    await Promise.all(members.map((member) => member.inTurn(() => member.stop())));
    const expectedRecords = counts.plain + counts.committed;
    let { records, violations } = await verdictOf(kafka, trial, topic, { expectedRecords, idleMs: 6_000 });
    if (violations.length > 0) {
      // On a machine with too much to do the reader of the log may have given up early.
      ({ records, violations } = await verdictOf(kafka, trial, topic, { expectedRecords, idleMs: 30_000 }));
    }
    const events = eventsOf(members);
    // What is merely not read yet says less than what is wrong.
    const first = violations.find(({ kind }) => kind !== 'rowMissing') ?? violations[0];
    if (first !== undefined) {
      throw new Error([unread ?? '', summaryOf(violations), timelineOf(events, first)].join('\n'));
    }
    if (unread !== undefined) throw new Error(unread);
    // Nothing that was done here is beyond a retry, so nothing is for a person to mend.
    const parked = events.filter(({ event }) => event === 'partitionParked').map((event) => JSON.stringify(event));
    const failures = [...members.flatMap((member) => member.failures), ...parked];
    if (failures.length > 0) throw new Error(failures.join('\n'));
    const failedStarts = members.reduce((sum, member) => sum + member.failedStarts, 0);
    return { records, load: counts, faults, rebalances: { ...rebalancesIn(events), 'failed starts': failedStarts } };
  } catch (error) {
    throw new Error(reportOf(options, steps, members, error as Error), { cause: error });
  } finally {
    for (const member of members) member.abandon();
    load.abandon();
  }
}

function trialOf({ kafka, database, way }: ProofOptions, topic: string): Promise<Trial> {
  const source = {
    topics: [topic],
    assignment: 'group',
    groupId: topic,
    group: { protocol: way.protocol, sessionTimeoutMs, heartbeatIntervalMs, revokeTimeoutMs: 3_000 },
    metadataRefreshMs: 2_000,
  };
  return newTrial({
    database,
    brokers: kafka.brokers,
    input: { topic, partitions, produced: [] },
    changes: { source, batch: { lingerMs: 150, maxRecordsPerPartition: 20_000 } },
  });
}

/** One transaction for each partition or for all of them: the processes of a pipeline need not agree on that. */
function startIn(trial: Trial, { number, route, workers }: Member, { way }: ProofOptions) {
  const transaction = (number + workers.length) % 3 === 2 ? 'batch' : 'partition';
  const changes = {
    kafka: { brokers: route.brokers, driver: way.driver, connectTimeoutMs: 2_000, requestTimeoutMs: 10_000 },
    batch: { transaction },
    sink: { commitTimeoutMs: 5_000, columns: undefined },
  };
  return trial.start({ changes, transform: 'lingering' });
}

async function carryOut(
  steps: readonly Step[],
  members: readonly Member[],
  kafka: KafkaService,
  topic: string,
  say: ProofOptions['say'],
): Promise<Partial<Record<FaultKind, number>>> {
  const beganMs = performance.now();
  const counts: Partial<Record<FaultKind, number>> = {};
  const running: Promise<void>[] = [];
  let brokers: Promise<void> = Promise.resolve();
  for (const step of steps) {
    await delay(Math.max(0, step.atMs - (performance.now() - beganMs)));
    say(stepText(step));
    if (step.kind === 'killLeader') brokers = brokers.then(() => killLeader(step, kafka, topic, say));
    running.push(step.kind === 'killLeader' ? brokers : toMembers(step, members));
    if (step.kind !== 'scale') counts[step.kind] = (counts[step.kind] ?? 0) + 1;
  }
  await Promise.all(running);
  return counts;
}

async function toMembers(step: Exclude<Step, { kind: 'killLeader' }>, members: readonly Member[]): Promise<void> {
  if (step.kind === 'scale') {
    await Promise.all(
      members.map((member) => member.inTurn(() => (member.number < step.to ? member.start() : member.stop()))),
    );
    return;
  }
  const member = members[step.member];
  await member?.inTurn(async () => {
    if (step.kind === 'kill') await member.kill(step.forMs);
    else if (step.kind === 'freeze') await member.freeze(step.forMs);
    else if (step.kind === 'isolate') await member.isolate(step.forMs, step.how);
    else member.cut();
  });
}

async function killLeader(
  { partition, forMs }: Extract<Step, { kind: 'killLeader' }>,
  kafka: KafkaService,
  topic: string,
  say: ProofOptions['say'],
): Promise<void> {
  const leader = await waitUntil('a leader', async () => {
    const id = (await viewOfAny(kafka.brokers, topic)).partitions?.[partition]?.leader ?? -1;
    return id > 0 ? id : undefined;
  });
  await kafka.killBroker(leader);
  await delay(forMs);
  await kafka.startBroker(leader);
  say(`broker ${leader} is back`);
}

/** Until the ledger stands at the end of the log everywhere. A transaction that was left open is ended by the broker first. */
async function untilEverythingIsRead(kafka: KafkaService, trial: Trial, topic: string): Promise<void> {
  const environment = await kafkaDriverEnvironment(kafka.brokers);
  const driver = await environment.newDriver();
  try {
    await driver.connect();
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
    const ends = await waitUntil('the end of the last transaction', async () => {
      const bounds = await driver.bounds(all);
      return bounds.every((one) => one.lastStableOffset === one.highWatermark) && bounds.map((b) => b.highWatermark);
    });
    const isRead = async () => {
      const positions = await positionsOf(trial);
      return ends.every((end, partition) => (positions[partition]?.nextOffset ?? -1n) >= end);
    };
    await waitUntil(`every partition to be read to ${ends}`, isRead, { limitMs: endLimitMs, everyMs: 200 });
  } finally {
    await environment.close();
  }
}

async function verdictOf(
  kafka: KafkaService,
  trial: Trial,
  topic: string,
  reading: { readonly expectedRecords: number; readonly idleMs: number },
): Promise<{ records: number; violations: readonly Violation[] }> {
  const log = await readLog(kafka, topic, partitions, reading);
  const positions = await positionsOf(trial);
  const ranges = (await plainRows(trial, 'SELECT to_jsonb(r) AS entry FROM ledger.ranges r ORDER BY seq')).map(rangeOf);
  const nothing = { produced: [], rows: [], rowsOf: () => [] };
  const firstOffsets = Array.from({ length: partitions }, () => 0n);
  // Of rows and counts it knows nothing here: they are compared with the log below.
  const ledger = findViolations({ firstOffsets, positions, ranges, ...nothing });
  const found: Violation[] = ledger.filter(({ kind }) => kind !== 'rangeMiscounted');
  for (const [partition, content] of log.entries()) {
    found.push(...compareWithLog(partition, content, await rowsOf(trial, partition)));
    found.push(...compareCounts(partition, content, ranges));
  }
  return { records: log.reduce((sum, { offsets }) => sum + offsets.length, 0), violations: found };
}

async function rowsOf(trial: Trial, partition: number): Promise<RowContent> {
  const rows = await trial.sql<{ record_offset: string; payload: string }>(
    'SELECT record_offset, payload FROM target WHERE partition = $1 ORDER BY serial',
    [partition],
  );
  return { offsets: rows.map((row) => Number(row.record_offset)), values: rows.map((row) => row.payload) };
}

async function positionsOf(trial: Trial) {
  const rows = await plainRows(trial, 'SELECT to_jsonb(o) AS entry FROM ledger.offsets o');
  return rows.map(positionOf).sort((a, b) => a.partition - b.partition);
}

async function plainRows(trial: Trial, query: string): Promise<Plain[]> {
  const rows = await trial.sql<{ entry: Record<string, unknown> }>(query);
  return rows.map(({ entry }) =>
    Object.fromEntries(Object.entries(entry).map(([name, value]) => [name, value === null ? null : String(value)])),
  );
}

function reportOf(
  { seed, way }: ProofOptions,
  steps: readonly Step[],
  members: readonly Member[],
  error: Error,
): string {
  const events = eventsOf(members);
  const parked = events.filter(({ event }) => event === 'partitionParked' || event === 'failed');
  return [
    `BROKEN with ${way.driver}:${way.protocol}, seed ${seed}: ${error.message}`,
    `schedule: ${steps.map((step) => `${(step.atMs / 1_000).toFixed(1)} s ${stepText(step)}`).join('; ')}`,
    `rebalances: ${JSON.stringify(rebalancesIn(events))}`,
    ...parked.map((event) => JSON.stringify(event)),
    ...members.flatMap(({ number, workers }) => {
      const last = workers.at(-1);
      return last === undefined ? [] : [`the last words of member ${number}:`, last.logTail()];
    }),
  ].join('\n');
}
