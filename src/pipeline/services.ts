import { TidemarkError } from '../errors.ts';
import { createDriver, type KafkaDriver } from '../kafka/index.ts';
import { type DeliveryGuarantee, deliveryGuarantees } from '../model/index.ts';
import type { Clock, ProcessIdentity } from '../platform/index.ts';
import type { Sink, SinkContext, SinkDefinition } from '../sinks/index.ts';
import { kafkaOptions } from './kafkaOptions.ts';
import { selectsTopics } from './kafkaPartitions.ts';
import type { PipelineSpec } from './optionsSpec.ts';
import type { Releases } from './releases.ts';

/** What a pipeline is connected to. */
export interface Services {
  /** With the ledger. */
  readonly sink: Sink;
  /** Undefined where no partition of Kafka is selected. */
  readonly driver: KafkaDriver | undefined;
}

/** Connects one after the other; what is open by then is closed by `releases`, also when the signal ends it on the way. */
export async function openServices(
  spec: PipelineSpec,
  identity: ProcessIdentity,
  clock: Clock,
  releases: Releases,
  signal: AbortSignal,
): Promise<Services> {
  const sink = await createSink(spec.sink, { pipeline: spec.pipeline, instanceId: identity.instanceId, clock });
  checkDelivery(spec.delivery, sink);
  releases.push(() => sink.store.close());
  await sink.store.open();
  signal.throwIfAborted();
  releases.push(() => sink.close());
  await sink.open({ hasTransform: spec.transform !== undefined });
  signal.throwIfAborted();
  const driver = selectsTopics(spec.source) ? await createDriver(kafkaOptions(spec)) : undefined;
  if (driver !== undefined) {
    releases.push(() => driver.close());
    await driver.connect();
    signal.throwIfAborted();
  }
  await sink.store.registerOwner(identity);
  return { sink, driver };
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
