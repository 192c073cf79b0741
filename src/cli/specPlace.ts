import { dirname, resolve } from 'node:path';
import { TidemarkError } from '../errors.ts';
import type { KafkaDriver } from '../kafka/index.ts';
import type { StorePlace } from '../offsets/index.ts';
import type { PipelineSpec } from '../pipeline/index.ts';

/** Where the options of a file keep the offsets, and under which name. `driver`: of the same options, where they have one. */
export async function placeOfSpec(
  { sink, store, pipeline }: PipelineSpec,
  file: string,
  driver: KafkaDriver | undefined,
): Promise<{ readonly place: StorePlace; readonly pipeline: string }> {
  switch (store?.type) {
    case undefined:
      return { place: await placeOfSink(sink), pipeline };
    case 'postgres':
      return { place: await postgresPlace(store.connectionString, store.schema), pipeline };
    case 'redis': {
      const { RedisPlace } = await import('../offsets/stores/redis/index.ts');
      return { place: new RedisPlace({ url: store.url }), pipeline };
    }
    case 'file': {
      const { FilePlace } = await import('../offsets/stores/file/index.ts');
      return { place: new FilePlace(resolve(dirname(file), store.dir)), pipeline };
    }
    case 'kafka': {
      if (driver === undefined)
        throw new TidemarkError('CONFIG_INVALID', 'store.type kafka needs kafka', { path: 'kafka' });
      const { kafkaGroupPlace } = await import('../offsets/stores/kafkaGroup/index.ts');
      return { place: kafkaGroupPlace(driver), pipeline: store.groupId ?? pipeline };
    }
  }
}

async function placeOfSink(sink: PipelineSpec['sink']): Promise<StorePlace> {
  if ('type' in sink) return postgresPlace(sink.connectionString, sink.ledgerSchema);
  throw new TidemarkError('CONFIG_INVALID', 'sink: a sink that brings itself has no ledger to look at from here', {
    path: 'sink',
  });
}

async function postgresPlace(connectionString: string, schema: string): Promise<StorePlace> {
  const { PostgresPlace } = await import('../offsets/stores/postgres/index.ts');
  return new PostgresPlace({ connectionString, schema });
}
