import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { PipelineStatus } from '../pipeline/index.ts';
import { type MetricDefinition, metrics } from './metricNames.ts';
import { readinessOf, type Watched } from './readiness.ts';

type Labels = Readonly<Record<string, string | number>>;

/** Seconds: from an fsync or a commit at once to one that waits for locks and retries. */
const secondsBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The metrics of one daemon, in a registry of their own: counters from events, gauges from `status()` when asked. */
export class DaemonMetrics {
  readonly #registry = new Registry();
  readonly #watched: readonly Watched[];
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();
  readonly #unsubscribe: (() => void)[];

  constructor(watched: readonly Watched[], version: string) {
    this.#watched = watched;
    for (const definition of Object.values<MetricDefinition>(metrics)) this.#register(definition);
    this.#set(metrics.buildInfo, { version, node: process.version }, 1);
    this.#set(metrics.startTime, {}, Math.round(Date.now() / 1000 - process.uptime()));
    this.#unsubscribe = watched.flatMap(({ pipeline }) => this.#listen(pipeline));
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text Prometheus scrapes. */
  text(): Promise<string> {
    this.#refresh();
    return this.#registry.metrics();
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#registry.clear();
  }

  #register({ name, kind, labels: labelNames, help }: MetricDefinition): void {
    const registers = [this.#registry];
    if (kind === 'counter') this.#counters.set(name, new Counter({ name, help, labelNames, registers }));
    else if (kind === 'gauge') this.#gauges.set(name, new Gauge({ name, help, labelNames, registers }));
    else this.#histograms.set(name, new Histogram({ name, help, labelNames, registers, buckets: secondsBuckets }));
  }

  #listen({ name: pipeline, events }: Watched['pipeline']): (() => void)[] {
    const of = ({ topic, partition }: { topic: string; partition: number }) => ({ pipeline, topic, partition });
    return [
      events.on('rangeCommitted', ({ range, counts, durationMs }) => {
        this.#add(metrics.records, of(range), counts.records);
        this.#add(metrics.rows, of(range), counts.rows);
        this.#add(metrics.dropped, of(range), counts.dropped);
        this.#add(metrics.skipped, of(range), counts.skipped);
        this.#observe(metrics.commitSeconds, { pipeline }, durationMs);
      }),
      events.on('gapCommitted', ({ range }) => this.#add(metrics.gapOffsets, of(range), Number(range.offsetCount))),
      events.on('rangeRetried', ({ range }) => this.#add(metrics.retries, of(range), 1)),
      events.on('partitionFenced', (event) => this.#add(metrics.fenced, of(event), 1)),
      events.on('batchCompleted', ({ processingDelayMs, schedulingDelayMs }) => {
        this.#observe(metrics.processingSeconds, { pipeline }, processingDelayMs);
        this.#observe(metrics.schedulingSeconds, { pipeline }, schedulingDelayMs);
      }),
      events.on('blockLogged', ({ records, bytes, ...event }) => {
        this.#add(metrics.blocksLogged, of(event), 1);
        this.#add(metrics.recordsLogged, of(event), records);
        this.#add(metrics.bytesLogged, of(event), bytes);
      }),
      events.on('blocksDiscarded', ({ blocks, cause, ...event }) =>
        this.#add(metrics.blocksDiscarded, { ...of(event), cause }, blocks),
      ),
      events.on('logSynced', ({ ms }) => this.#observe(metrics.logSyncSeconds, { pipeline }, ms)),
      events.on('rateChanged', ({ recordsPerSecond }) => this.#set(metrics.rateLimit, { pipeline }, recordsPerSecond)),
    ];
  }

  /** Gauges that mirror the present state are written anew, so that partitions that left are gone. */
  #refresh(): void {
    for (const { name } of [
      metrics.committedOffset,
      metrics.lag,
      metrics.lagSeconds,
      metrics.partitions,
      metrics.degraded,
      metrics.ready,
      metrics.receiveRateLimit,
      metrics.waitingBlocks,
      metrics.waitingBytes,
      metrics.receivers,
    ]) {
      this.#gauges.get(name)?.reset();
    }
    this.#counters.get(metrics.receiverRestarts.name)?.reset();
    const readiness = readinessOf(this.#watched);
    for (const [index, { pipeline }] of this.#watched.entries()) {
      const status = pipeline.status();
      const { partitions, degraded } = status;
      for (const { topic, partition, nextOffset, lag, lagSeconds } of partitions) {
        const labels = { pipeline: pipeline.name, topic, partition };
        this.#set(metrics.committedOffset, labels, Number(nextOffset));
        if (lag !== undefined) this.#set(metrics.lag, labels, Number(lag));
        if (lagSeconds !== undefined) this.#set(metrics.lagSeconds, labels, lagSeconds);
      }
      for (const state of ['running', 'paused', 'parked', 'standby'] as const) {
        const count = partitions.filter((partition) => partition.state === state).length;
        this.#set(metrics.partitions, { pipeline: pipeline.name, state }, count);
      }
      for (const { what } of degraded) this.#set(metrics.degraded, { pipeline: pipeline.name, what }, 1);
      this.#showIntake(status);
      this.#set(metrics.ready, { pipeline: pipeline.name }, readiness.pipelines[index]?.ready === true ? 1 : 0);
    }
    this.#set(metrics.residentMemory, {}, process.memoryUsage.rss());
    const { user, system } = process.cpuUsage();
    this.#counters.get(metrics.cpuSeconds.name)?.reset();
    this.#add(metrics.cpuSeconds, {}, (user + system) / 1_000_000);
  }

  #showIntake({ pipeline, receivers, waiting, receiveRateMax }: PipelineStatus): void {
    if (waiting !== undefined) {
      this.#set(metrics.waitingBlocks, { pipeline }, waiting.blocks);
      this.#set(metrics.waitingBytes, { pipeline }, waiting.bytes);
    }
    if (receiveRateMax !== undefined) this.#set(metrics.receiveRateLimit, { pipeline }, receiveRateMax);
    for (const { name: receiver, state, restarts } of receivers) {
      this.#set(metrics.receivers, { pipeline, receiver, state }, 1);
      this.#add(metrics.receiverRestarts, { pipeline, receiver }, restarts);
    }
  }

  #add({ name }: { readonly name: string }, labels: Labels, by: number): void {
    this.#counters.get(name)?.inc(labels, by);
  }

  #set({ name }: { readonly name: string }, labels: Labels, value: number): void {
    this.#gauges.get(name)?.set(labels, value);
  }

  #observe({ name }: { readonly name: string }, labels: Labels, milliseconds: number): void {
    this.#histograms.get(name)?.observe(labels, milliseconds / 1000);
  }
}
