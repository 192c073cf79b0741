import type { Logger } from 'pino';
import type { Redact } from '../config/index.ts';
import { isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import type { Pipeline, PipelineResult, StartOptions } from '../pipeline/index.ts';
import type { ProgressBeacon } from '../platform/index.ts';
import { type HttpAddress, type HttpServer, startHttpServer } from './httpServer.ts';
import { errorFields, logEvents } from './logs.ts';
import { DaemonMetrics } from './metrics.ts';
import { listenForCrashes, listenForSignals, type StopSignal } from './signals.ts';
import { startWatchdog } from './watchdog.ts';

/** A pipeline with what the daemon needs to know beside it. */
export interface DaemonPipeline {
  readonly pipeline: Pipeline;
  /** The one given to `definePipeline`; without it a blocked event loop is not noticed. */
  readonly beacon?: ProgressBeacon;
  readonly transformTimeoutMs: number;
  /** Deadline of a graceful stop. */
  readonly stopTimeoutMs: number;
}

export interface DaemonOptions {
  readonly pipelines: readonly DaemonPipeline[];
  readonly start: StartOptions;
  /** Where health and metrics are served; undefined = nowhere. */
  readonly http: HttpAddress | undefined;
  readonly logger: Logger;
  /** Takes secrets out of what HTTP answers. */
  readonly redact: Redact;
  /** Shown as a metric. */
  readonly version: string;
  /** Called at the second signal, and when something throws outside of every pipeline; has to end the process. */
  readonly forceExit: (why: StopSignal | 'crash') => void;
}

/** How one pipeline ended. */
export interface PipelineOutcome {
  readonly pipeline: string;
  /** Why it failed; undefined when it was done or stopped. */
  readonly error: TidemarkError | undefined;
  /** Partitions parked or paused at the end. */
  readonly unfinished: PipelineResult['unfinished'];
}

export interface DaemonOutcome {
  readonly pipelines: readonly PipelineOutcome[];
  /** The signal that asked to stop. */
  readonly signal: StopSignal | undefined;
}

interface Entry extends DaemonPipeline {
  ended: { readonly error: TidemarkError | undefined } | undefined;
}

/**
 * Runs pipelines in this process until all of them ended or a signal asked to stop; never rejects for what a pipeline does.
 *
 * A pipeline that cannot start stops the others: a deployment is right as a whole or not at all. One that fails later leaves
 * the others running and turns readiness red; so does a parked partition.
 * First SIGTERM or SIGINT: graceful, within each pipeline's `stopTimeoutMs`. Second: `forceExit`. So does what is thrown where
 * nobody can catch it (a timer of a transform, a promise nobody awaits): what state it leaves is unknown.
 * Rejects with HTTP_LISTEN_FAILED before anything starts.
 */
export async function runDaemon(options: DaemonOptions): Promise<DaemonOutcome> {
  const entries: Entry[] = options.pipelines.map((pipeline) => ({ ...pipeline, ended: undefined }));
  const metrics = new DaemonMetrics(entries, options.version);
  const ends: (() => void | Promise<void>)[] = [() => metrics.close()];
  try {
    for (const { pipeline } of entries) ends.push(logEvents(pipeline, options.logger));
    if (options.http !== undefined) {
      const server = await startHttpServer(options.http, entries, metrics, options.redact);
      ends.push(() => server.close());
      logAddress(server, options.logger);
    }
    ends.push(startWatchdog(entries.flatMap(watchdogTarget)));
    const run = new DaemonRun(entries, options);
    ends.push(
      listenForSignals(
        (signal) => run.stopGracefully(signal),
        (signal) => run.endAtOnce(signal),
      ),
    );
    ends.push(listenForCrashes((error) => run.crash(error)));
    return await run.outcome();
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

class DaemonRun {
  readonly #entries: readonly Entry[];
  readonly #options: DaemonOptions;
  /** One per pipeline once stopping began; each settles to what went wrong with the stop. */
  #stops: readonly Promise<TidemarkError | undefined>[] | undefined;
  #signal: StopSignal | undefined;

  constructor(entries: readonly Entry[], options: DaemonOptions) {
    this.#entries = entries;
    this.#options = options;
  }

  stopGracefully(signal: StopSignal): void {
    this.#signal = signal;
    this.#options.logger.info({ signal }, 'Signal received, stopping gracefully');
    this.#stopAll();
  }

  endAtOnce(signal: StopSignal): void {
    this.#options.logger.fatal({ signal }, 'Second signal received, ending at once');
    this.#options.forceExit(signal);
  }

  crash(error: unknown): void {
    const fields = { ...errorFields(error), stack: error instanceof Error ? error.stack : undefined };
    this.#options.logger.fatal(fields, 'Something threw outside of every pipeline, the process ends');
    this.#options.forceExit('crash');
  }

  async outcome(): Promise<DaemonOutcome> {
    const outcomes = await Promise.all(this.#entries.map((entry) => this.#run(entry)));
    const stops = await Promise.all(this.#stops ?? []);
    return {
      pipelines: outcomes.map((outcome, index) => ({ ...outcome, error: outcome.error ?? stops[index] })),
      signal: this.#signal,
    };
  }

  #stopAll(): void {
    this.#stops ??= this.#entries.map(async ({ pipeline, stopTimeoutMs }) => {
      try {
        await pipeline.stop({ deadlineMs: stopTimeoutMs });
        return undefined;
      } catch (error) {
        const failure = asTidemarkError(error);
        this.#options.logger.error({ pipeline: pipeline.name, ...errorFields(failure) }, 'Pipeline did not stop well');
        return failure;
      }
    });
  }

  async #run(entry: Entry): Promise<PipelineOutcome> {
    const error = await this.#started(entry.pipeline);
    const outcome = error === undefined ? await this.#finished(entry.pipeline) : outcomeOf(entry.pipeline, error);
    if (outcome.error !== undefined) {
      const sentence = error === undefined ? 'Pipeline failed' : 'Pipeline cannot start';
      this.#options.logger.error({ pipeline: outcome.pipeline, ...errorFields(outcome.error) }, sentence);
    }
    entry.ended = { error: outcome.error };
    return outcome;
  }

  async #finished(pipeline: Pipeline): Promise<PipelineOutcome> {
    try {
      const { unfinished } = await pipeline.finished;
      return { pipeline: pipeline.name, error: undefined, unfinished };
    } catch (error) {
      // A stop during the start ends `finished` as it ended `start`.
      const wasStopped = this.#stops !== undefined && isTidemarkError(error, 'PIPELINE_STATE');
      return outcomeOf(pipeline, wasStopped ? undefined : asTidemarkError(error));
    }
  }

  /** What kept the pipeline from starting; that it was stopped meanwhile does not count. */
  async #started(pipeline: Pipeline): Promise<TidemarkError | undefined> {
    try {
      await pipeline.start(this.#options.start);
      return undefined;
    } catch (error) {
      if (this.#stops !== undefined && isTidemarkError(error, 'PIPELINE_STATE')) return undefined;
      this.#stopAll();
      return asTidemarkError(error);
    }
  }
}

function outcomeOf(pipeline: Pipeline, error: TidemarkError | undefined): PipelineOutcome {
  const unfinished = pipeline.status().partitions.filter(({ state }) => state === 'parked' || state === 'paused');
  return { pipeline: pipeline.name, error, unfinished };
}

function watchdogTarget({ pipeline, beacon, transformTimeoutMs }: Entry) {
  return beacon === undefined ? [] : [{ pipeline: pipeline.name, beacon, transformTimeoutMs }];
}

function logAddress({ address: { host, port } }: HttpServer, logger: Logger): void {
  logger.info({ host, port }, 'Health and metrics are served');
}

function asTidemarkError(error: unknown): TidemarkError {
  if (isTidemarkError(error)) return error;
  return new TidemarkError('INVARIANT_BROKEN', `Something threw what tidemark does not know: ${messageOf(error)}`, {
    hint: 'Please report this with the stack trace.',
    cause: error,
  });
}
