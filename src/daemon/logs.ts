import { type LevelWithSilent, type Logger, type LoggerOptions, pino } from 'pino';
import { type Redact, redactValue } from '../config/index.ts';
import { isTidemarkError, messageOf } from '../errors.ts';
import { partitionName } from '../model/index.ts';
import type { Pipeline } from '../pipeline/index.ts';
import type { PipelineEvents } from '../telemetry/index.ts';
import { LineBudget, SlowSyncs } from './lineLimits.ts';

export type LogLevel = LevelWithSilent;

/** Takes finished lines, each with its line break. */
export interface LineSink {
  write(line: string): void;
}

/** Structured logs: constant sentences in `msg`, everything variable in fields, redacted, times as ISO text. */
export function createLogger(level: LogLevel, lines: LineSink, redact: Redact): Logger {
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label) => ({ level: label }),
      log: (fields) => redactValue(fields, redact) as Record<string, unknown>,
    },
  };
  return pino(options, lines);
}

/** An error as fields, without its stack: what happened is in the message. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!isTidemarkError(error)) return { reason: messageOf(error) };
  const { message, retriable: _, ...facts } = error.toJSON();
  return { ...facts, reason: message };
}

type Describe<K extends keyof PipelineEvents> = (event: PipelineEvents[K]) => Record<string, unknown>;

type Level = 'debug' | 'info' | 'warn' | 'error';

interface LogLine<K extends keyof PipelineEvents> {
  readonly level: Level | ((event: PipelineEvents[K]) => Level);
  readonly sentence: string;
  readonly fields: Describe<K>;
}

const placeOf = ({ topic, partition }: { topic: string; partition: number }) => ({ topic, partition });
const rangeFields = (range: PipelineEvents['rangeCommitted']['range']) => range.toJSON();

/** How each event is logged. */
const lines: { readonly [K in keyof PipelineEvents]: LogLine<K> } = {
  stateChanged: {
    level: 'info',
    sentence: 'Pipeline changed its state',
    fields: ({ state, previous }) => ({ state, previous }),
  },
  committedApart: {
    level: 'warn',
    sentence: 'Offsets are committed after the output: a range that was between the two in a crash is written again',
    fields: (event) => ({ ...event }),
  },
  storeWarned: {
    level: 'warn',
    sentence: 'Offset store may lose what was committed',
    fields: ({ warning }) => ({ reason: warning }),
  },
  partitionClaimed: {
    level: 'info',
    sentence: 'Partition claimed',
    fields: (event) => ({
      ...placeOf(event),
      nextOffset: String(event.nextOffset),
      ownerEpoch: String(event.ownerEpoch),
      ...(event.previousOwner === undefined ? {} : { previousOwner: event.previousOwner }),
    }),
  },
  partitionStandby: {
    level: 'info',
    sentence: 'Partition belongs to another process, standing by',
    fields: (event) => ({ ...placeOf(event), owner: event.owner }),
  },
  partitionFenced: {
    level: 'warn',
    sentence: 'Partition was taken over by another process',
    fields: (event) => ({ ...errorFields(event.error), ...placeOf(event) }),
  },
  partitionReleased: {
    level: 'info',
    sentence: 'Partition released',
    fields: (event) => ({ ...placeOf(event), nextOffset: String(event.nextOffset) }),
  },
  partitionParked: {
    level: 'error',
    sentence: 'Partition is parked and waits for a person',
    fields: (event) => ({ ...errorFields(event.error), ...placeOf(event), nextOffset: String(event.nextOffset) }),
  },
  partitionPaused: {
    level: 'warn',
    sentence: 'Partition paused by an operator',
    fields: (event) => ({ ...placeOf(event), reason: event.reason }),
  },
  partitionResumed: { level: 'info', sentence: 'Partition resumed', fields: placeOf },
  groupBalanced: {
    level: 'info',
    sentence: 'Consumer group gave out its partitions',
    fields: ({ partitions, ...rest }) => ({ ...rest, partitions: partitions.map(partitionName) }),
  },
  groupMembershipLost: {
    level: 'warn',
    sentence: 'Consumer group counts this process out, joining again',
    fields: ({ partitions, error, unconfirmedMs, blockedMs }) => ({
      ...errorFields(error),
      partitions: partitions.map(partitionName),
      ...(unconfirmedMs === undefined ? {} : { unconfirmedMs: Math.round(unconfirmedMs) }),
      blockedMs: Math.round(blockedMs),
    }),
  },
  batchPlanned: {
    level: 'debug',
    sentence: 'Batch planned',
    fields: ({ batchTimeMs, ranges }) => ({ batchTimeMs, ranges: ranges.length }),
  },
  batchCompleted: { level: 'debug', sentence: 'Batch completed', fields: (event) => ({ ...event }) },
  rangeCommitted: {
    level: 'debug',
    sentence: 'Range committed',
    fields: ({ range, counts, batchTimeMs, durationMs }) => ({
      ...rangeFields(range),
      ...counts,
      batchTimeMs,
      durationMs,
    }),
  },
  rangeRetried: {
    level: 'warn',
    sentence: 'Range failed and will be done again',
    fields: ({ range, attempt, delayMs, error }) => ({
      ...errorFields(error),
      ...rangeFields(range),
      attempt,
      delayMs,
    }),
  },
  blockLogged: {
    level: 'debug',
    sentence: 'Block is durable',
    fields: ({ fromOffset, untilOffset, ...event }) => ({
      ...event,
      fromOffset: String(fromOffset),
      untilOffset: String(untilOffset),
    }),
  },
  blocksDiscarded: {
    level: 'warn',
    sentence: 'Durable blocks are of no use any more',
    fields: (event) => ({ ...event }),
  },
  logSynced: { level: 'debug', sentence: 'Log synced', fields: (event) => ({ ...event }) },
  receiverChanged: {
    level: ({ error }) => (error === undefined ? 'info' : 'warn'),
    sentence: 'Receiver changed its state',
    fields: ({ error, address, ...event }) => ({
      ...(error === undefined ? {} : errorFields(error)),
      ...event,
      ...(address === undefined ? {} : { address }),
    }),
  },
  intakeClosed: {
    level: ({ waiting }) => (waiting.length === 0 ? 'info' : 'warn'),
    sentence: 'Log of the receivers closed',
    fields: ({ dir, waiting }) => ({
      dir,
      blocks: waiting.reduce((sum, { blocks }) => sum + blocks, 0),
      records: waiting.reduce((sum, { records }) => sum + records, 0),
      waiting: waiting.map((one) => ({ partition: partitionName(one), blocks: one.blocks, records: one.records })),
      ...(waiting.length === 0 ? {} : { hint: 'The next start with this directory commits them.' }),
    }),
  },
  recordSkipped: {
    level: 'warn',
    sentence: 'Record skipped',
    fields: (event) => ({ ...errorFields(event.error), ...placeOf(event), offset: String(event.offset) }),
  },
  gapCommitted: {
    level: 'warn',
    sentence: 'Loss accepted, the gap is in the ledger',
    fields: ({ range, reason }) => ({ ...rangeFields(range), reason }),
  },
  rateChanged: { level: 'debug', sentence: 'Back-pressure changed the rate', fields: (event) => ({ ...event }) },
  degraded: {
    level: 'warn',
    sentence: 'Something does not work and is tried again',
    fields: ({ what, error }) => ({ ...errorFields(error), what }),
  },
  recovered: { level: 'info', sentence: 'It works again', fields: ({ what }) => ({ what }) },
  listenerFailed: {
    level: 'error',
    sentence: 'A listener of an event threw',
    fields: ({ event, error }) => ({ ...errorFields(error), event }),
  },
};

/** Writes a line for every event of the pipeline. Returns what ends it. */
export function logEvents(pipeline: Pipeline, logger: Logger): () => void {
  const bound = logger.child({ pipeline: pipeline.name });
  const write = <K extends keyof PipelineEvents>(name: K, event: PipelineEvents[K]) => {
    const { level, sentence, fields } = lines[name];
    const at = typeof level === 'string' ? level : level(event);
    if (bound.isLevelEnabled(at)) bound[at](fields(event), sentence);
  };
  const skipped = new LineBudget((records) => bound.warn({ records }, 'More records skipped'));
  const troubles = new LineBudget((errors) => bound.warn({ errors }, 'More errors of receivers'));
  const slow = new SlowSyncs((fields) => bound.warn(fields, 'Log is slow to sync'));
  const special: { readonly [K in keyof PipelineEvents]?: (event: PipelineEvents[K]) => void } = {
    recordSkipped: (event) => skipped.spend(() => write('recordSkipped', event)),
    receiverChanged: (event) => {
      if (event.error === undefined) write('receiverChanged', event);
      else troubles.spend(() => write('receiverChanged', event));
    },
    logSynced: (event) => {
      write('logSynced', event);
      slow.look(event);
    },
  };
  const subscribe = <K extends keyof PipelineEvents>(name: K) =>
    pipeline.events.on(name, special[name] ?? ((event) => write(name, event)));
  const ends = (Object.keys(lines) as (keyof PipelineEvents)[]).map((name) => subscribe(name));
  return () => {
    for (const budget of [skipped, troubles]) budget.flush();
    for (const end of ends) end();
  };
}
