import { TidemarkError } from '../errors.ts';
import { systemClock, withDeadline } from '../platform/index.ts';
import { EventHub, type PipelineState } from '../telemetry/index.ts';
import type { PipelineSpec } from './optionsSpec.ts';
import type {
  Pipeline,
  PipelineHost,
  PipelineOptions,
  PipelineResult,
  PipelineStatus,
  StartOptions,
} from './publicTypes.ts';
import { Runtime } from './runtime.ts';
import { hindersWork, noneReceives, partitionStatuses, readiness } from './status.ts';
import { parseOptions } from './validateOptions.ts';

/**
 * Defines a pipeline from options; nothing connects yet. Throws CONFIG_INVALID with every problem of the options at once.
 *
 * ```ts
 * const orders = definePipeline({
 *   pipeline: 'orders',
 *   kafka: { brokers: ['localhost:9092'] },
 *   source: { topics: ['orders'] },
 *   sink: { type: 'postgres', connectionString, table: 'public.orders', columns: { id: '$value.id' } },
 * });
 * await orders.start();
 * await orders.finished;
 * ```
 */
export function definePipeline(options: PipelineOptions, host: PipelineHost = {}): Pipeline {
  return new DefinedPipeline(parseOptions(options), host);
}

class DefinedPipeline implements Pipeline {
  readonly name: string;
  readonly events: EventHub;
  readonly finished: Promise<PipelineResult>;
  readonly #spec: PipelineSpec;
  readonly #host: PipelineHost;
  #state: PipelineState = 'created';
  #runtime: Runtime | undefined;
  #lastStatus: PipelineStatus | undefined;
  /** Stopped while it started. */
  #isCancelled = false;
  #finish: { resolve(result: PipelineResult): void; reject(error: unknown): void };
  /** Settles when everything is closed, whatever the outcome. */
  #closed: Promise<void> = Promise.resolve();

  constructor(spec: PipelineSpec, host: PipelineHost) {
    this.name = spec.pipeline;
    this.#spec = spec;
    this.#host = host;
    this.events = new EventHub(spec.pipeline);
    let finish = { resolve: (_: PipelineResult) => {}, reject: (_: unknown) => {} };
    this.finished = new Promise((resolve, reject) => {
      finish = { resolve, reject };
    });
    this.#finish = finish;
    // Not everyone looks at `finished`; an unobserved rejection must not end the host process.
    this.finished.catch(() => {});
  }

  get state(): PipelineState {
    return this.#state;
  }

  async start(options: StartOptions = {}): Promise<void> {
    if (this.#state !== 'created') {
      throw new TidemarkError('PIPELINE_STATE', `Pipeline ${this.name} cannot start: it is ${this.#state}`, {
        hint: 'Define the pipeline again to run it again.',
      });
    }
    this.#enter('starting');
    const runtime = new Runtime(this.#spec, options, this.events, this.#host);
    this.#runtime = runtime;
    const opened = runtime.open();
    this.#closed = this.#live(runtime, opened);
    await opened.catch(async (error: unknown) => {
      await this.#closed;
      throw this.#isCancelled ? cancelled(this.name) : error;
    });
  }

  async stop(options: { readonly deadlineMs?: number } = {}): Promise<void> {
    const runtime = this.#runtime;
    if (runtime === undefined) {
      if (this.#state === 'created') this.#end(undefined);
      return;
    }
    const wasStarting = this.#state === 'starting';
    this.#enter('stopping');
    if (wasStarting) {
      this.#isCancelled = true;
      runtime.forceStop(cancelled(this.name));
      await this.#closed;
      return;
    }
    runtime.stop();
    const deadlineMs = options.deadlineMs ?? this.#spec.stopTimeoutMs;
    const missed = () =>
      new TidemarkError('STOP_DEADLINE_MISSED', `Pipeline ${this.name} did not stop within ${deadlineMs} ms`, {
        hint: 'What was in flight is rolled back; the next start goes on from the ledger.',
      });
    try {
      await withDeadline(this.#closed, deadlineMs, systemClock, missed);
    } catch (error) {
      runtime.forceStop(missed());
      await this.#closed;
      throw error;
    }
  }

  status(): PipelineStatus {
    if (this.#lastStatus !== undefined) return this.#lastStatus;
    const partitions = partitionStatuses(this.#runtime, (this.#host.clock ?? systemClock).now());
    const degraded = this.#runtime?.degradation.list() ?? [];
    const intake = this.#runtime?.intake;
    const receivers = intake?.receivers ?? [];
    return {
      pipeline: this.name,
      state: this.#state,
      ready: readiness(this.#state, partitions, degraded.some(hindersWork) || noneReceives(receivers)),
      partitions,
      degraded,
      receivers,
      waiting: intake?.waiting,
      receiveRateMax: intake?.receiveRateMax,
      instanceId: this.#runtime?.identity.instanceId ?? '',
    };
  }

  /** From start to everything closed. Never rejects: the outcome goes to `finished`, and to `start` while that is pending. */
  async #live(runtime: Runtime, opened: Promise<void>): Promise<void> {
    let failure: unknown;
    try {
      await opened;
      if (this.#state === 'starting') this.#enter('running');
      await runtime.work();
    } catch (error) {
      // Whatever broke while everything was being closed under it: it was asked to stop.
      if (!this.#isCancelled) failure = error;
    }
    if (this.#state === 'running') this.#enter('stopping');
    const status = this.status();
    await runtime.close();
    this.#lastStatus = { ...status, state: 'stopped', ready: 'stopped' };
    this.#end(failure);
  }

  #end(failure: unknown): void {
    const unfinished = this.status().partitions.filter(({ state }) => state === 'parked' || state === 'paused');
    this.#enter('stopped');
    if (failure === undefined) this.#finish.resolve({ state: 'stopped', unfinished });
    else this.#finish.reject(failure);
  }

  #enter(state: PipelineState): void {
    if (state === this.#state || this.#state === 'stopped') return;
    const previous = this.#state;
    this.#state = state;
    this.events.emit('stateChanged', { state, previous });
  }
}

function cancelled(name: string): TidemarkError {
  return new TidemarkError('PIPELINE_STATE', `Pipeline ${name} was stopped while it started`);
}
