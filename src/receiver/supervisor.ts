import { TidemarkError } from '../errors.ts';
import { backoffMs, type Clock } from '../platform/index.ts';
import type { Receiver } from './receiver.ts';
import { type Ending, type ReceiverIntake, ReceiverStart, receiverError } from './receiverStart.ts';

export type { ReceiverIntake } from './receiverStart.ts';

export interface ReceiverSupervisorOptions {
  readonly name: string;
  readonly clock: Clock;
  /** From a stop to the next start: where `restart` names none, and after the first failure in a row. Default 2000 (Spark's receiverRestartDelay). */
  readonly restartDelayMs?: number;
  /** With every change of the state and every error, in the step in which it happens. Must not throw. */
  readonly onChange: (status: ReceiverStatus) => void;
}

export interface ReceiverStatus {
  readonly name: string;
  /**
   * `starting` and `running`: while its `start` has not resolved, and after. `restarting`: from what ended that to the next
   * start. `stopped`: before the first start, and for good.
   */
  readonly state: 'starting' | 'running' | 'restarting' | 'stopped';
  /** Starts after the first one. */
  readonly restarts: number;
  /** What is not a TidemarkError is in the `cause` of a RECEIVER_FAILED. */
  readonly lastError: TidemarkError | undefined;
  /** When it happened, ms since 1970 (Spark knows no time of the first one). */
  readonly lastErrorAtMs: number | undefined;
}

/** Longest delay after failures, unless the first one is longer already. */
const failureDelayMsMax = 60_000;
/** After having run for so long a failure counts as the first one again. */
const steadyMs = 60_000;

/**
 * Runs one receiver (Spark's ReceiverSupervisor, and of its ReceiverTracker what starts receivers again).
 *
 * A start of it is over with the first of these: `stop` of the supervisor, `restart` or `stop` of the context, a failure of the
 * receiver's `start`. What its context is asked for later changes nothing. Then its signal is aborted and, as soon as the receiver's
 * `start` has settled, its `stop` is called: once for each start, also for one that failed, so that half a start is undone.
 * (A `start` that rejects when it is over already has been told to end: that is no failure.)
 * Records may be stored until that has settled: a receiver can hand in what it has read.
 */
export class ReceiverSupervisor {
  readonly #receiver: Receiver;
  readonly #intake: ReceiverIntake;
  readonly #options: ReceiverSupervisorOptions;
  readonly #restartDelayMs: number;
  readonly #stopping = new AbortController();
  readonly #stopped: Promise<void>;
  #resolveStopped = () => {};
  #present: ReceiverStart | undefined;
  #status: ReceiverStatus;

  constructor(receiver: Receiver, intake: ReceiverIntake, options: ReceiverSupervisorOptions) {
    this.#receiver = receiver;
    this.#intake = intake;
    this.#options = options;
    this.#restartDelayMs = options.restartDelayMs ?? 2000;
    this.#stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
    const { name } = options;
    this.#status = { name, state: 'stopped', restarts: 0, lastError: undefined, lastErrorAtMs: undefined };
  }

  get status(): ReceiverStatus {
    return this.#status;
  }

  /** Throws PIPELINE_STATE when the supervisor was started or stopped before. Whether the receiver starts, the status says. */
  start(): void {
    if (this.#present !== undefined || this.#stopping.signal.aborted) {
      throw new TidemarkError('PIPELINE_STATE', `Receiver ${this.#options.name} was started or stopped before`);
    }
    void this.#run().then(this.#resolveStopped);
  }

  /** Resolves when the receiver's `stop` has settled: nothing is stored any more. Never rejects. Again: the same promise. */
  stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#present === undefined) this.#resolveStopped();
    else this.#present.end({ kind: 'stopped', message: 'its pipeline stops' });
    return this.#stopped;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    let failures = 0;
    for (let restarts = 0; ; restarts += 1) {
      const { ending, ranMs } = await this.#runOnce(restarts);
      if (ending.kind === 'stopped') break;
      if (ranMs >= steadyMs) failures = 0;
      if (ending.kind === 'failed') failures += 1;
      const delayMs = ending.kind === 'restart' ? ending.delayMs : this.#failureDelayMs(failures);
      const isStopped = await clock.sleep(delayMs, this.#stopping.signal).then(
        () => false,
        () => true,
      );
      if (isStopped) break;
    }
    this.#change({ state: 'stopped' });
  }

  /** From `start` to `stop` of the receiver. `ranMs` counts from a start that succeeded. */
  async #runOnce(restarts: number): Promise<{ readonly ending: Ending; readonly ranMs: number }> {
    const { name, clock } = this.#options;
    const present = new ReceiverStart(name, this.#intake, this.#restartDelayMs, {
      onEnd: (ending) => this.#showEnding(ending),
      onError: (error) => this.#showError(error),
    });
    this.#present = present;
    this.#change({ state: 'starting', restarts });
    let startedAtMs: number | undefined;
    try {
      await this.#receiver.start(present.context);
      startedAtMs = clock.monotonic();
      if (!present.isOver) this.#change({ state: 'running' });
    } catch (error) {
      const message = 'could not be started';
      present.end({ kind: 'failed', message, error: receiverError(name, message, error) });
    }
    const ending = await present.over;
    const ranMs = startedAtMs === undefined ? 0 : clock.monotonic() - startedAtMs;
    try {
      await this.#receiver.stop();
    } catch (error) {
      // Often only because the start had failed before: that must stay visible.
      const after = ending.kind === 'failed' ? ` after a failure (${ending.error.message})` : '';
      this.#showError(receiverError(name, `could not be stopped${after}`, error));
    }
    present.close();
    return { ending, ranMs };
  }

  #failureDelayMs(failures: number): number {
    return backoffMs(failures, this.#restartDelayMs, Math.max(this.#restartDelayMs, failureDelayMsMax), () => 1);
  }

  #showEnding(ending: Ending): void {
    if (ending.kind === 'stopped') return;
    const { error } = ending;
    this.#change({ state: 'restarting', ...(error === undefined ? {} : this.#lastError(error)) });
  }

  #showError(error: TidemarkError): void {
    this.#change(this.#lastError(error));
  }

  #lastError(lastError: TidemarkError): Partial<ReceiverStatus> {
    return { lastError, lastErrorAtMs: this.#options.clock.now() };
  }

  #change(what: Partial<ReceiverStatus>): void {
    this.#status = { ...this.#status, ...what };
    this.#options.onChange(this.#status);
  }
}
