import { setMaxListeners } from 'node:events';
import { TidemarkError } from '../errors.ts';
import type { KafkaDriver } from '../kafka/index.ts';
import type { TopicPartition } from '../model/index.ts';
import type { OffsetStore } from '../offsets/index.ts';
import {
  type Clock,
  identifyProcess,
  type ProcessIdentity,
  systemClock,
  unlessAborted,
  withDeadline,
} from '../platform/index.ts';
import { type ActionEnvironment, asTidemarkError, Degradation, type Scheduler } from '../scheduler/index.ts';
import type { EventHub } from '../telemetry/index.ts';
import type { Assignment } from './assignment.ts';
import { EndTargets, isDone } from './endTargets.ts';
import type { GroupAssignment } from './groupAssignment.ts';
import { keepHouse } from './housekeeping.ts';
import type { Intake } from './intake.ts';
import { type Mirror, openMirror } from './mirror.ts';
import type { PipelineSpec } from './optionsSpec.ts';
import { worstCause } from './outcome.ts';
import { Ownership } from './ownership.ts';
import type { PipelineHost, StartOptions } from './publicTypes.ts';
import { Releases } from './releases.ts';
import { openServices, type Services } from './services.ts';
import { createAssignment, createScheduler, openIntake } from './wiring.ts';

/** Longest wait for services that may be silent, when somebody waits for us to be gone. */
const forcedWaitMs = 1000;

/**
 * Everything a running pipeline holds, wired. `open` acquires, `work` runs to the end, `close` gives back in reverse order;
 * each is called once, `close` always, also after a failed `open`.
 */
export class Runtime {
  readonly identity: ProcessIdentity = identifyProcess();
  readonly degradation: Degradation;
  readonly #spec: PipelineSpec;
  readonly #start: StartOptions;
  readonly #clock: Clock;
  readonly #events: EventHub;
  readonly #host: PipelineHost;
  readonly #releases = new Releases();
  /** Aborted when what is in flight must be rolled back. */
  readonly #force = new AbortController();
  /** Aborted when housekeeping ends. */
  readonly #quiet = new AbortController();
  #store: OffsetStore | undefined;
  #scheduler: Scheduler | undefined;
  #ownership: Ownership | undefined;
  #assignment: Assignment | undefined;
  #group: GroupAssignment | undefined;
  #intake: Intake | undefined;
  #targets: EndTargets | undefined;
  #mirror: Mirror | undefined;
  #failure: unknown;
  #stopping = false;
  #isOpen = false;
  #isClosing = false;
  #opening: Promise<void> = Promise.resolve();

  constructor(spec: PipelineSpec, start: StartOptions, events: EventHub, host: PipelineHost) {
    this.#spec = spec;
    this.#start = start;
    this.#clock = host.clock ?? systemClock;
    this.#events = events;
    this.#host = host;
    this.degradation = new Degradation(events);
    // Every range in flight and every retry listens; Node would call more than ten a leak, on standard error.
    setMaxListeners(0, this.#force.signal, this.#quiet.signal);
  }

  get scheduler(): Scheduler | undefined {
    return this.#scheduler;
  }

  get ownership(): Ownership | undefined {
    return this.#ownership;
  }

  get intake(): Intake | undefined {
    return this.#intake;
  }

  /** Connects, checks, claims. Rejects with the first thing that makes running impossible. */
  open(): Promise<void> {
    this.#opening = this.#open();
    return this.#opening;
  }

  async #open(): Promise<void> {
    const services = await openServices(this.#spec, {
      ...{ identity: this.identity, clock: this.#clock, events: this.#events, releases: this.#releases },
      ...{ signal: this.#force.signal, start: this.#start, groupAssignment: () => this.#group },
    });
    await this.#assemble(services);
    this.#goOn();
    this.#isOpen = true;
  }

  /** Runs until stopped, finished, or failed beyond repair. Rejects with the worst cause when it ended by itself in failure. */
  async work(): Promise<void> {
    const scheduler = this.#scheduler;
    if (scheduler === undefined) throw new TidemarkError('INVARIANT_BROKEN', 'work() before open()');
    const background = this.#keepHouse();
    try {
      if (this.#start.until === 'batch') await scheduler.runOnce();
      else await scheduler.run();
    } finally {
      this.#quiet.abort(new TidemarkError('PIPELINE_STATE', 'The pipeline is stopping'));
      await unlessAborted(background, this.#force.signal);
    }
    if (this.#failure !== undefined) throw this.#failure;
    const cause = worstCause(this.#parked(), this.#start.until !== undefined && this.#start.until !== 'stopped');
    if (cause !== undefined && !this.#stopping) throw cause;
  }

  /** Lets what is in flight end, or was taken in; `work` then resolves. */
  stop(): void {
    this.#stopping = true;
    this.#finish();
  }

  /** What receivers have acknowledged is committed first; planned ranges of direct mode cost nothing to leave. */
  #finish(): void {
    if (this.#spec.source.mode === 'direct') this.#scheduler?.stop();
    else void this.#finishIntake();
  }

  async #finishIntake(): Promise<void> {
    try {
      await this.#intake?.source.endIntake();
      this.#scheduler?.finish();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Rolls back what is in flight. */
  forceStop(reason: TidemarkError): void {
    this.#stopping = true;
    this.#force.abort(reason);
    this.#scheduler?.stop();
    if (!this.#isOpen) void this.#abandonOpening();
  }

  /**
   * Opening ends at its next step, and what was claimed by then is given back. A service that keeps it waiting longer is cut off:
   * closing what is there already ends the calls that wait for an answer.
   */
  async #abandonOpening(): Promise<void> {
    const late = () => new TidemarkError('PIPELINE_STATE', 'Opening did not end in time');
    // Why it ended is told by `open` itself.
    await withDeadline(this.#opening, forcedWaitMs, this.#clock, late).catch(() => {});
    if (!this.#isClosing) await this.#releases.runAll();
  }

  async close(): Promise<readonly unknown[]> {
    this.#isClosing = true;
    const errors: unknown[] = [];
    try {
      await this.#mirror?.close(this.#force.signal.aborted);
      // Drained and released first, then told to the group: whoever gets a partition finds its row free.
      await this.#assignment?.leave();
      await this.#release();
    } catch (error) {
      // Not being able to release costs the successor the wait for our heartbeat to age, nothing else.
      errors.push(error);
    }
    errors.push(...(await this.#releases.runAll()));
    return errors;
  }

  /** Whoever was forced to stop gives a database that may be silent a second, the others the store's own deadline. */
  async #release(): Promise<void> {
    const release = this.#ownership?.release() ?? Promise.resolve();
    if (!this.#force.signal.aborted) return release;
    const late = () => new TidemarkError('STORE_UNREACHABLE', 'The claims could not be given back in time');
    return withDeadline(release, forcedWaitMs, this.#clock, late);
  }

  #goOn(): void {
    this.#force.signal.throwIfAborted();
  }

  async #assemble(services: Services): Promise<void> {
    const { store } = services.sink;
    this.#store = store;
    const surroundings = { clock: this.#clock, events: this.#events, degradation: this.degradation };
    let wake = () => {};
    const intake = await openIntake(this.#spec, services, {
      ...surroundings,
      onReady: () => wake(),
      onFailed: (error) => this.#fail(error),
      groupAssignment: () => this.#group,
      files: this.#host.files,
    });
    this.#intake = intake;
    this.#releases.push(() => intake.close());
    this.#mirror = openMirror(this.#spec, services.driver, { ...surroundings, groupAssignment: () => this.#group });
    const actions: ActionEnvironment = { ...surroundings, store, source: intake.source, signal: this.#force.signal };
    const scheduler = createScheduler(this.#spec, services.sink, actions, this.#host.beacon, (slot, error) =>
      this.#fenced(slot, error),
    );
    wake = scheduler.wake;
    this.#scheduler = scheduler;
    await this.#takePartitions(intake, services.driver, scheduler, actions);
  }

  async #takePartitions(
    intake: Intake,
    driver: KafkaDriver | undefined,
    scheduler: Scheduler,
    actions: ActionEnvironment,
  ) {
    const { clock, events } = actions;
    const { assignment, group } = createAssignment(this.#spec, this.#start, this.identity, driver, clock, events, {
      onAssigned: (partitions) => this.#stopping || void this.#ownership?.takeUp(partitions),
      onRevoked: (partitions) => this.#giveUp(partitions),
      onLost: (partitions, error) => this.#ownership?.lose(partitions, error),
      onFailed: (error) => this.#fail(error),
    });
    const ownership = new Ownership(this.identity.instanceId, intake, scheduler, assignment, actions);
    this.#assignment = assignment;
    this.#group = group;
    this.#ownership = ownership;
    await ownership.refresh();
    if (this.#start.until === 'end') this.#targets = await EndTargets.of(ownership.selected, intake);
    this.#releases.push(() => assignment.leave());
    await assignment.join();
    this.#goOn();
    await ownership.sweep();
  }

  /** What could not be released costs the new owner nothing: the group's word is enough for it to claim. */
  async #giveUp(partitions: readonly TopicPartition[]): Promise<void> {
    const given = this.#ownership?.giveUp(partitions) ?? Promise.resolve();
    await unlessAborted(given, this.#force.signal).catch((error: unknown) => {
      if (!this.#force.signal.aborted) this.degradation.begin('store', asTidemarkError(error));
    });
  }

  /** The next sweep finds out who has it: nobody, by order of an operator, or another process. */
  #fenced(slot: TopicPartition, error: TidemarkError): void {
    this.#assignment?.fenced(slot);
    this.#events.emit('partitionFenced', { topic: slot.topic, partition: slot.partition, error });
  }

  async #keepHouse(): Promise<void> {
    const store = this.#store;
    const ownership = this.#ownership;
    const scheduler = this.#scheduler;
    const source = this.#intake?.source;
    const assignment = this.#assignment;
    if (!store || !ownership || !scheduler || !source || !assignment) return;
    const stopWatching = this.#events.on('rangeCommitted', ({ range }) => {
      assignment.committed(range);
      this.#endIfDone();
    });
    await keepHouse(
      {
        identity: this.identity,
        degradation: this.degradation,
        store,
        ownership,
        scheduler,
        source,
        assignment,
        events: this.#events,
        clock: this.#clock,
        metadataRefreshMs: this.#spec.source.metadataRefreshMs,
        onLooked: () => this.#endIfDone(),
        endsRun: (error) => this.#endsRun(error),
      },
      this.#quiet.signal,
    );
    stopWatching();
  }

  #endsRun(error: TidemarkError): boolean {
    if (error.code !== 'LEDGER_FENCED' || this.#start.standby !== false) return false;
    this.#fail(error);
    return true;
  }

  #endIfDone(): void {
    if (this.#ownership && this.#scheduler && isDone(this.#ownership, this.#scheduler, this.#targets)) this.#finish();
  }

  #parked() {
    return this.#scheduler?.slots().filter((slot) => slot.state === 'parked') ?? [];
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#scheduler?.stop();
  }
}
