import { type LoadedPipeline, loadPipelineFile, redactor } from '../../config/index.ts';
import {
  createLogger,
  type DaemonOutcome,
  type HttpAddress,
  type LineSink,
  type LogLevel,
  logText,
  ProgressLine,
  runDaemon,
} from '../../daemon/index.ts';
import { isTidemarkError, TidemarkError } from '../../errors.ts';
import { definePipeline, type Pipeline, type StartOptions } from '../../pipeline/index.ts';
import { createProgressBeacon } from '../../platform/index.ts';
import { errorText } from '../errorOutput.ts';
import { type ExitCode, exitCodeOf, highestExitCode, type Outcome } from '../exitCodes.ts';
import type { CommandContext } from '../host.ts';
import { RunCounts, runReport } from '../runReport.ts';
import { usageError } from '../usage.ts';

/** What the command line asks for, validated. */
export interface RunCommand {
  readonly files: readonly string[];
  readonly start: Required<StartOptions>;
  readonly json: boolean;
  readonly logLevel: LogLevel;
}

/** Loads the files, runs their pipelines to the end, reports. */
export async function runFiles(command: RunCommand, context: CommandContext): Promise<ExitCode> {
  const { loaded, failures } = await loadFiles(command.files, context);
  if (failures.length > 0) {
    for (const failure of failures) context.err(errorText(failure, command.json, context.redact));
    return highestExitCode(failures.map(({ code }) => exitCodeOf({ kind: 'failed', code })));
  }
  checkNames(loaded);
  if (command.start.firstStart) checkFirstStart(loaded);
  const http = commonAddress(loaded);
  const pipelines = loaded.map(({ options, spec }) => {
    const beacon = createProgressBeacon();
    const pipeline = definePipeline(options, { beacon });
    return { pipeline, beacon, transformTimeoutMs: spec.transformTimeoutMs, stopTimeoutMs: spec.stopTimeoutMs };
  });
  const defined = pipelines.map(({ pipeline }) => pipeline);
  const counts = new RunCounts(defined);
  const { lines, progress } = openLog(command, defined, context);
  try {
    const outcome = await runDaemon({
      pipelines,
      start: command.start,
      http,
      logger: createLogger(command.logLevel, lines, context.redact),
      redact: context.redact,
      version: context.version,
      forceExit: (why) =>
        context.exit(
          exitCodeOf(why === 'crash' ? { kind: 'failed', code: undefined } : { kind: 'forced', signal: why }),
        ),
    });
    progress?.stop();
    const exitCode = highestExitCode(outcomesOf(outcome).map(exitCodeOf));
    context.out(runReport(outcome, counts, exitCode, command.json, context.redact));
    return exitCode;
  } finally {
    progress?.stop();
  }
}

/** Every file is looked at, so that all that is wrong is told at once. */
async function loadFiles(files: readonly string[], context: CommandContext) {
  const loaded: LoadedPipeline[] = [];
  const failures: TidemarkError[] = [];
  for (const file of files) {
    try {
      const pipeline = await loadPipelineFile(file, context.environment);
      context.hide(redactor(pipeline.secrets));
      loaded.push(pipeline);
    } catch (error) {
      if (!isTidemarkError(error)) throw error;
      failures.push(error);
    }
  }
  return { loaded, failures };
}

/** Where log lines go: JSON, or text where a person looks; above a progress line when the run has an end. */
function openLog(command: RunCommand, pipelines: readonly Pipeline[], context: CommandContext) {
  const err: LineSink = { write: (text) => context.err(text) };
  if (command.json || !context.isErrTty) return { lines: err, progress: undefined };
  const progress = command.start.until === 'end' ? new ProgressLine(err) : undefined;
  progress?.start(pipelines);
  const below = progress ?? err;
  return { lines: { write: (line: string) => below.write(logText(line)) }, progress };
}

/** Each pipeline by itself: a graceful stop is done even where partitions are parked. */
function outcomesOf({ pipelines, signal }: DaemonOutcome): readonly Outcome[] {
  return pipelines.map(({ error, unfinished }) => {
    if (error !== undefined) return { kind: 'failed', code: error.code };
    return unfinished.length > 0 && signal === undefined ? { kind: 'unfinished' } : { kind: 'done' };
  });
}

function checkNames(loaded: readonly LoadedPipeline[]): void {
  for (const [index, { spec, file }] of loaded.entries()) {
    const first = loaded.slice(0, index).find((other) => other.spec.pipeline === spec.pipeline);
    if (first === undefined) continue;
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${file} pipeline: the name ${spec.pipeline} is also that of ${first.file}: they would work on the same ledger rows`,
      { path: 'pipeline', hint: 'Give each pipeline a name of its own.' },
    );
  }
}

/** Offsets that expire are those of consumer groups: everywhere else what has no row has never started. */
function checkFirstStart(loaded: readonly LoadedPipeline[]): void {
  if (loaded.some(({ spec }) => spec.store?.type === 'kafka')) return;
  throw usageError(
    '--first-start',
    'no pipeline keeps its offsets in a consumer group',
    'allowed: with store.type kafka',
  );
}

/** One process listens once: files that say where must agree. */
function commonAddress(loaded: readonly LoadedPipeline[]): HttpAddress | undefined {
  const [first, ...others] = loaded.filter(({ spec }) => spec.http !== undefined);
  for (const { file, spec } of others) {
    if (spec.http?.host === first?.spec.http?.host && spec.http?.port === first?.spec.http?.port) continue;
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${file} http: differs from http of ${first?.file}: one process listens once`,
      {
        path: 'http',
        hint: 'Give http in one of the files only, or the same in all.',
      },
    );
  }
  return first?.spec.http;
}
