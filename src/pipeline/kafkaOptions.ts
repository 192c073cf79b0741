import { TidemarkError } from '../errors.ts';
import type { PipelineSpec } from './optionsSpec.ts';

/** The cluster of a pipeline that reads topics. */
export function kafkaOptions({ kafka, pipeline }: PipelineSpec): NonNullable<PipelineSpec['kafka']> {
  if (kafka !== undefined) return kafka;
  throw new TidemarkError('INVARIANT_BROKEN', `Pipeline ${pipeline} asks for Kafka, but has no kafka options`, {
    path: 'kafka',
  });
}
