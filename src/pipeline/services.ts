import { TidemarkError } from '../errors.ts';
import { createDriver, type KafkaDriver } from '../kafka/index.ts';
import { type DeliveryGuarantee, deliveryGuarantees } from '../model/index.ts';
import type { Clock, ProcessIdentity } from '../platform/index.ts';
import { type Sink, type SinkContext, type SinkDefinition, withSeparateStore } from '../sinks/index.ts';
import type { EventHub } from '../telemetry/index.ts';
import type { GroupAssignment } from './groupAssignment.ts';
import { kafkaOptions } from './kafkaOptions.ts';
import { selectsTopics } from './kafkaPartitions.ts';
import type { PipelineSpec } from './optionsSpec.ts';
import type { StartOptions } from './publicTypes.ts';
import type { Releases } from './releases.ts';
import { createStore } from './storeWiring.ts';

/** What a pipeline is connected to. */
export interface Services {
  /** With the ledger. */
  readonly sink: Sink;
  /** Undefined where no partition of Kafka is selected. */
  readonly driver: KafkaDriver | undefined;
}

export interface ServiceSurroundings {
  readonly identity: ProcessIdentity;
  readonly clock: Clock;
  readonly events: EventHub;
  readonly releases: Releases;
  readonly signal: AbortSignal;
  readonly start: StartOptions;
  readonly groupAssignment: () => GroupAssignment | undefined;
}

/** Connects one after the other; what is open by then is closed by `releases`, also when the signal ends it on the way. */
export async function openServices(spec: PipelineSpec, on: ServiceSurroundings): Promise<Services> {
  const { identity, clock, events, releases, signal } = on;
  let connected: Promise<KafkaDriver> | undefined;
  const connect = async () => {
    const driver = await createDriver(kafkaOptions(spec));
    releases.push(() => driver.close());
    await driver.connect();
    signal.throwIfAborted();
    return driver;
  };
  const driver = () => {
    connected ??= connect();
    return connected;
  };
  if (spec.store !== undefined) requireSeparable(spec.delivery, spec.store.type);
  const store = await createStore(spec, { ...on, driver, firstStart: on.start.firstStart ?? false });
  const context = { pipeline: spec.pipeline, instanceId: identity.instanceId, clock, store };
  const sink = separate(await createSink(spec.sink, context), context);
  checkDelivery(spec.delivery, sink);
  releases.push(() => sink.store.close());
  await sink.store.open();
  signal.throwIfAborted();
  releases.push(() => sink.close());
  await sink.open({ hasTransform: spec.transform !== undefined });
  signal.throwIfAborted();
  if (selectsTopics(spec.source)) await driver();
  await sink.store.registerOwner(identity);
  if (spec.store !== undefined) {
    events.emit('committedApart', { sink: sink.kind, store: spec.store.type, delivery: spec.delivery });
  }
  return { sink, driver: await connected };
}

/** A sink with the store of the context, where there is one, behind its output. */
function separate(sink: Sink, { store, clock }: SinkContext): Sink {
  if (store === undefined) return sink;
  if (sink.store === store) return withSeparateStore(sink, store, clock);
  throw new TidemarkError('CONFIG_INVALID', `store: the sink (${sink.kind}) commits to a store of its own`, {
    path: 'store',
    hint: 'Leave out store, or choose a sink that takes the store of its context.',
  });
}

/** The sink of the options. Reached by dynamic import: a sink that is not chosen loads nothing. */
async function createSink(options: PipelineSpec['sink'], context: SinkContext): Promise<Sink> {
  if (isDefinition(options)) return options.createSink(context);
  const { createPostgresSink } = await import('../sinks/postgres/index.ts');
  return createPostgresSink(options, context);
}

function isDefinition(options: PipelineSpec['sink']): options is SinkDefinition {
  return 'createSink' in options;
}

/** Whatever the sink: nothing commits rows and the offsets of another place together. */
function requireSeparable(asked: DeliveryGuarantee, store: string): void {
  if (asked !== 'exactly-once') return;
  throw new TidemarkError(
    'DELIVERY_IMPOSSIBLE',
    `delivery: exactly-once was asked for, but with store.type ${store} the offsets are committed after the output, not with it`,
    {
      path: 'delivery',
      hint: 'Ask for delivery: at-least-once, or leave out store: the ledger is then in the transactions of the sink.',
    },
  );
}

/** Refuses a promise that sink and store cannot keep, before anything connects. */
export function checkDelivery(asked: DeliveryGuarantee, sink: Sink): void {
  const strength = (guarantee: DeliveryGuarantee) => deliveryGuarantees.indexOf(guarantee);
  if (strength(sink.guarantee) >= strength(asked)) return;
  throw new TidemarkError(
    'DELIVERY_IMPOSSIBLE',
    `delivery: ${asked} was asked for, but a ${sink.kind} sink with this offset store gives ${sink.guarantee} at best`,
    {
      path: 'delivery',
      hint: `Ask for delivery: ${sink.guarantee}, or choose a sink that holds the ledger in its own transactions.`,
    },
  );
}
