import { TidemarkError } from '../errors.ts';
import type { CommitGroupOffsets, KafkaDriver } from '../kafka/index.ts';
import { mirrorMetadata } from '../offsets/index.ts';
import type { Receiver, ReceiverDefinition, ReceiverModeOptions, ReceiverModeSurroundings } from '../receiver/index.ts';
import { OpenReceivers } from '../receiver/index.ts';
import { Intake } from './intake.ts';
import { KafkaPartitions } from './kafkaPartitions.ts';
import type { PipelineSpec } from './optionsSpec.ts';

/** Opens the log and wires receivers, Kafka and the log; `driver` undefined: no partitions of Kafka are selected. */
export async function openReceiverIntake(
  spec: PipelineSpec,
  driver: KafkaDriver | undefined,
  commitGroupOffsets: CommitGroupOffsets,
  on: ReceiverModeSurroundings,
): Promise<Intake> {
  const kafka = driver && new KafkaPartitions(spec, driver);
  const partitionCount = (await kafka?.select())?.length ?? 0;
  const receivers = await OpenReceivers.open(
    {
      ...(await receiverOptions(spec)),
      kafka: driver && {
        driver,
        partitionCount,
        commitGroupOffsets,
        onDataLoss: spec.source.onDataLoss,
        bufferedBytesMax: spec.source.bufferedBytesMax,
        metadata: mirrorMetadata(spec.pipeline),
      },
    },
    on,
  );
  return new Intake(receivers.source, () => receivers.close(), kafka, receivers);
}

async function receiverOptions(spec: PipelineSpec): Promise<Omit<ReceiverModeOptions, 'kafka'>> {
  const { source, wal, batch, pipeline } = spec;
  if (wal === undefined) throw new TidemarkError('INVARIANT_BROKEN', 'receiver mode without wal', { path: 'wal' });
  const { maxRate, sharedRate, blockIntervalMs, blockBytesMax, blocksWaitingMax, bytesWaitingMax } = source;
  const { enabled, initialRate } = batch.backpressure;
  return {
    maxRate,
    initialRate: enabled ? initialRate : 0,
    shared: sharedRate && { redisUrl: sharedRate.redisUrl, name: pipeline },
    blockIntervalMs,
    blockBytesMax,
    blocksWaitingMax,
    bytesWaitingMax,
    wal,
    receivers: await Promise.all(
      (source.receivers ?? []).map(async (options) => ({
        name: options.name,
        receiver: await createReceiver(options),
      })),
    ),
  };
}

type ReceiverOptions = NonNullable<PipelineSpec['source']['receivers']>[number];

/** Reached by dynamic import: a receiver that is not chosen loads nothing. */
async function createReceiver(options: ReceiverOptions): Promise<Receiver> {
  if (isDefinition(options)) return options.createReceiver();
  if (options.type === 'socket') {
    const { createSocketReceiver } = await import('../receiver/socket/index.ts');
    return createSocketReceiver(options);
  }
  const { createHttpReceiver } = await import('../receiver/http/index.ts');
  return createHttpReceiver(options);
}

function isDefinition(options: ReceiverOptions): options is ReceiverDefinition {
  return 'createReceiver' in options;
}
