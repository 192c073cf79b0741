import type { TidemarkError } from '../../../src/errors.ts';
import type {
  PartitionStatus,
  Pipeline,
  PipelineResult,
  PipelineStatus,
  StartOptions,
} from '../../../src/pipeline/index.ts';
import type { ReceiverStatus } from '../../../src/receiver/index.ts';
import { EventHub, type PipelineState } from '../../../src/telemetry/index.ts';

/** A pipeline at the port: does nothing by itself, a test says what happens to it. */
export class FakePipeline implements Pipeline {
  readonly name: string;
  readonly events: EventHub;
  readonly finished: Promise<PipelineResult>;
  state: PipelineState = 'created';
  ready: PipelineStatus['ready'] = 'ready';
  partitions: PartitionStatus[] = [];
  degraded: PipelineStatus['degraded'] = [];
  receivers: PipelineStatus['receivers'] = [];
  waiting: PipelineStatus['waiting'];
  receiveRateMax: number | undefined;
  startOptions: StartOptions | undefined;
  readonly stopCalls: { readonly deadlineMs?: number }[] = [];
  /** What `start` does; resolves at once by default. */
  onStart: () => Promise<void> = async () => {};
  /** What `stop` does; finishes by default. */
  onStop: () => Promise<void> = async () => this.finish();
  #settle: { resolve(result: PipelineResult): void; reject(error: unknown): void } | undefined;

  constructor(name = 'orders') {
    this.name = name;
    this.events = new EventHub(name);
    this.finished = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.finished.catch(() => {});
  }

  async start(options: StartOptions = {}): Promise<void> {
    this.startOptions = options;
    this.state = 'starting';
    await this.onStart();
    this.state = 'running';
  }

  async stop(options: { readonly deadlineMs?: number } = {}): Promise<void> {
    this.stopCalls.push(options);
    await this.onStop();
  }

  finish(): void {
    this.state = 'stopped';
    const unfinished = this.partitions.filter(({ state }) => state === 'parked' || state === 'paused');
    this.#settle?.resolve({ state: 'stopped', unfinished });
  }

  fail(error: TidemarkError): void {
    this.state = 'stopped';
    this.#settle?.reject(error);
  }

  status(): PipelineStatus {
    const { name: pipeline, state, ready, partitions, degraded, receivers, waiting, receiveRateMax } = this;
    const instanceId = 'instance';
    return { pipeline, state, ready, partitions, degraded, receivers, waiting, receiveRateMax, instanceId };
  }
}

export function partition(change: Partial<PartitionStatus> = {}): PartitionStatus {
  return {
    topic: 'orders',
    partition: 0,
    state: 'running',
    nextOffset: 10n,
    bounds: { logStartOffset: 0n, highWatermark: 12n, lastStableOffset: 12n },
    lag: 2n,
    lagSeconds: 0.5,
    reason: undefined,
    error: undefined,
    owner: undefined,
    ...change,
  };
}

export function receiver(change: Partial<ReceiverStatus> = {}): ReceiverStatus {
  return { name: 'web', state: 'running', restarts: 0, lastError: undefined, lastErrorAtMs: undefined, ...change };
}
