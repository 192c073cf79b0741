import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as pace } from 'node:timers/promises';
import { receiverTopic } from '../../src/model/index.ts';
import { inspectWal } from '../../src/wal/index.ts';
import { guardedDirectory } from '../services/guard.ts';
import { waitUntil } from '../services/index.ts';
import { freePort } from '../services/ports.ts';
import { type Facts, findViolations, summaryOf } from './checker.ts';
import { appendPlain, type Input, plainRows } from './input.ts';
import { type Sender, startSender } from './posting.ts';
import { findPostedViolations, type PostedViolation } from './receiverChecker.ts';
import type { Setting } from './setting.ts';
import { type OptionChanges, type Plain, positionOf, rangeOf, type Trial, type TrialRun } from './trial.ts';
import type { Worker } from './workerProcess.ts';

/** A pipeline in receiver mode on trial: a topic of its own with two partitions, and an HTTP receiver in each place. */
export interface ReceiverTrial {
  readonly trial: Trial;
  readonly input: Input;
  /** Another place where the pipeline runs, with a log of its own. */
  newPlace(): Promise<Place>;
  /** Produces to both partitions from now on, until the returned function is called; it resolves when nothing is on its way. */
  startProducing(): () => Promise<void>;
  /** Waits until all that was produced is committed, by this worker. */
  waitUntilTopicDone(by: Worker): Promise<void>;
  /** What is wrong with the topic's records. */
  topicViolations(): Promise<ReturnType<typeof findViolations>>;
  /** Next offsets, by partition: in the ledger, and what the group was told. */
  nextOffsets(): Promise<Readonly<Record<'ledger' | 'group', readonly string[]>>>;
}

/** A directory for the log, and a port. */
export interface Place {
  readonly walDir: string;
  start(run?: TrialRun, failpoint?: string): Promise<Worker>;
  startSender(): Sender;
  /** What is wrong with the records that its receiver was given. */
  violations(sender: Sender): Promise<readonly PostedViolation[]>;
}

/** Runs at the end of the test, whatever its outcome. */
type OnFinished = (stop: () => Promise<void>) => void;

export const partitions = [0, 1] as const;
const limitMs = 120_000;
const ended = { signal: null, code: 0 };
/** Time between two rounds of records, and how many of them each partition gets. */
const produceEveryMs = 20;
const recordsPerRound = 4;

export async function newReceiverTrial(
  { environment, trial: newTrial }: Setting,
  onFinished: OnFinished,
): Promise<ReceiverTrial> {
  const topic = await environment.createTopic({ partitions: partitions.length });
  const input: Input = { topic, partitions: partitions.length, produced: [] };
  const trial = await newTrial({ input, constraint: 'origin text' });
  const topicFacts = async (): Promise<Facts> => ({
    firstOffsets: partitions.map(() => 0n),
    produced: [...input.produced],
    rowsOf: plainRows,
    ...(await readTopic(trial, topic)),
  });
  return {
    trial,
    input,
    newPlace: async () => newPlace(trial, await freePort(), onFinished),
    startProducing: () => {
      const stopping = new AbortController();
      const work = async () => {
        while (!stopping.signal.aborted) {
          await appendPlain(environment, input, partitions, recordsPerRound);
          await pace(produceEveryMs);
        }
        // Whoever runs at the end receives something, and tells the group.
        await appendPlain(environment, input, partitions, recordsPerRound);
      };
      const working = work();
      const stop = () => {
        stopping.abort();
        return working;
      };
      onFinished(stop);
      return stop;
    },
    waitUntilTopicDone: async (worker) => {
      const isDone = async () => {
        const { positions, produced } = await topicFacts();
        return partitions.every((partition) => {
          const end = produced.filter((record) => record.partition === partition).at(-1)?.offset ?? -1n;
          return (positions.find((position) => position.partition === partition)?.nextOffset ?? 0n) > end;
        });
      };
      const giveUp = async () => assert.ok(worker.alive(), `the worker ended:\n${worker.logTail()}`);
      await waitUntil('every record of the topic to be committed', isDone, { limitMs, everyMs: 100, giveUp }).catch(
        (error: Error) => {
          throw new Error(`${error.message}\n${worker.logTail()}`);
        },
      );
    },
    topicViolations: async () => findViolations(await topicFacts()),
    nextOffsets: async () => {
      const { positions } = await topicFacts();
      const told = await environment.admin.fetchOffsets({ groupId: topic, topics: [topic] });
      const inTurn = <T extends { readonly partition: number }>(list: readonly T[]) =>
        [...list].sort((a, b) => a.partition - b.partition);
      return {
        ledger: inTurn(positions).map(({ nextOffset }) => String(nextOffset)),
        group: inTurn(told[0]?.partitions ?? []).map(({ offset }) => offset),
      };
    },
  };
}

function newPlace(trial: Trial, port: number, onFinished: OnFinished): Place {
  const walDir = join(guardedDirectory('wal'), 'log');
  const changes: OptionChanges = {
    source: {
      mode: 'receiver',
      groupId: trial.input.topic,
      blockIntervalMs: 30,
      blockBytesMax: 16_384,
      receivers: [{ type: 'http', name: 'hooks', port, bodyBytesMax: 16_384 }],
    },
    // Small segments that are deleted as soon as may be.
    wal: { dir: walDir, segmentBytesMax: 65_536, retainMs: 0 },
    batch: { maxRecordsPerPartition: undefined, lingerMs: undefined },
    sink: { columns: { origin: '$topic', partition: '$partition', record_offset: '$offset', payload: '$value' } },
  };
  return {
    walDir,
    start: ({ changes: more = {}, ...run } = {}, failpoint) => {
      const source = { ...(changes.source as object), ...(more.source as object | undefined) };
      return trial.start({ ...run, changes: { ...changes, ...more, source } }, failpoint);
    },
    startSender: () => {
      const sender = startSender(port);
      onFinished(sender.stop);
      return sender;
    },
    violations: async ({ posted }) => {
      const logId = (await inspectWal(walDir)).state?.logId ?? '';
      return findPostedViolations({ posted: [...posted], ...(await readTopic(trial, receiverTopic('hooks', logId))) });
    },
  };
}

/** Stops the worker while its receiver is still posted to: all that was acknowledged by then is committed, the log is empty. */
export async function expectOrderlyEnd(worker: Worker): Promise<void> {
  worker.signal('SIGTERM');
  assert.deepEqual(await worker.ended(), ended, worker.logTail());
  const [closed] = worker.events('intakeClosed');
  assert.deepEqual(closed?.waiting, [], 'what waits in the log');
}

/** After an orderly end: the records against the table, and the group has heard of all of them. */
export async function expectTopicKept({ topicViolations, nextOffsets }: ReceiverTrial): Promise<void> {
  assert.equal(summaryOf(await topicViolations()), '');
  const { ledger, group } = await nextOffsets();
  assert.deepEqual(group, ledger);
}

/** Posts and answers against the table; there must have been some. */
export async function expectPostsKept(place: Place, sender: Sender): Promise<void> {
  await sender.stop();
  assert.ok(sender.acknowledged > 0, 'nothing was acknowledged');
  const violations = await place.violations(sender);
  assert.deepEqual(violations.slice(0, 5), [], `${violations.length} violations`);
}

/** Rows and ledger of one topic, seen at the same instant. */
async function readTopic({ sql }: Trial, topic: string): Promise<Pick<Facts, 'rows' | 'positions' | 'ranges'>> {
  const found = await sql<{ what: string; entry: Plain }>(
    `WITH entries (what, entry) AS (
       SELECT 'row', to_jsonb(t) FROM target t WHERE origin = $1
       UNION ALL SELECT 'position', to_jsonb(o) FROM ledger.offsets o WHERE topic = $1
       UNION ALL SELECT 'range', to_jsonb(r) FROM ledger.ranges r WHERE topic = $1
     )
     SELECT what, (SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(entry)) AS entry FROM entries`,
    [topic],
  );
  const of = (kind: string) => found.filter(({ what }) => what === kind).map(({ entry }) => entry);
  return {
    rows: of('row').map((row) => ({
      partition: Number(row.partition),
      offset: BigInt(row.record_offset ?? -1),
      value: String(row.payload),
      serial: BigInt(row.serial ?? -1),
    })),
    positions: of('position').map(positionOf),
    ranges: of('range').map(rangeOf),
  };
}
