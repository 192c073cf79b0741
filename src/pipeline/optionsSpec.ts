import { z } from 'zod';
import type { DriverDefinition } from '../kafka/index.ts';
import { deliveryGuarantees, recordPolicies } from '../model/index.ts';
import type { SinkDefinition } from '../sinks/index.ts';
import { batchSpec } from './spec/batchSpec.ts';
import { kafkaSpec } from './spec/kafkaSpec.ts';
import { postgresSinkSpec } from './spec/postgresSinkSpec.ts';
import { durationMs, positive } from './spec/scalars.ts';
import { sourceSpec } from './spec/sourceSpec.ts';
import { storeSpec } from './spec/storeSpec.ts';
import { walSpec } from './spec/walSpec.ts';

const onError = z
  .strictObject({
    record: z.enum(recordPolicies).default('stop').meta({
      description: 'A record that cannot be processed: stop parks its partition, skip passes it over and counts it.',
    }),
    attempts: positive
      .default(3)
      .meta({ description: 'Attempts of a transform, and of a refused range, before the policy applies.' }),
  })
  .prefault({})
  .meta({ description: 'What happens to records that cannot be processed.' });

/** In a file a path, otherwise user code. */
function isTransform(value: unknown): boolean {
  if (typeof value === 'string') return value !== '';
  if (typeof value === 'function') return true;
  return typeof value === 'object' && value !== null && 'batch' in value && typeof value.batch === 'function';
}

/**
 * Every option of a pipeline, declared once in this file and in spec/: type, default, meaning. Validation, the JSON schema,
 * `config explain`, the reference in docs/config.md and redaction (`secret`) all derive from it, and so does what belongs to
 * one `source.mode` alone (`mode`). Options that only code can give (a driver or a sink that brings itself) are the custom
 * variants of a union.
 */
export const pipelineSpec = z.strictObject({
  pipeline: z
    .string()
    .regex(/^[a-zA-Z0-9._-]{1,200}$/, '1 to 200 characters of a-z A-Z 0-9 . _ -')
    .meta({ description: 'Name of the pipeline: the key of its rows in the ledger.' }),
  delivery: z
    .enum(deliveryGuarantees)
    .default('exactly-once')
    .meta({ description: 'The promise; refused at start when sink and store cannot keep it.' }),
  kafka: z
    .union([
      kafkaSpec,
      z.custom<DriverDefinition>((value) => typeof value === 'object' && value !== null && 'createDriver' in value),
    ])
    .optional()
    .meta({ description: 'The Kafka cluster; needed unless receivers alone bring the records.' }),
  source: sourceSpec,
  wal: walSpec,
  batch: batchSpec,
  transform: z
    .custom<unknown>(isTransform, 'a function, or an object with a function named batch; in a file a path')
    .optional()
    .meta({
      description:
        'File with the transform as default export (or `batch`); in the library a function. Omitted: as it is.',
      examples: ['./transform.ts'],
    }),
  transformTimeoutMs: durationMs
    .default(30_000)
    .meta({ description: 'Longest wait for a transform; then onError.record applies.' }),
  sink: z
    .union([
      postgresSinkSpec,
      z.custom<SinkDefinition>((value) => typeof value === 'object' && value !== null && 'createSink' in value),
    ])
    .meta({ description: 'Where the rows go; in the library also a sink that brings itself.' }),
  store: storeSpec,
  onError,
  stopTimeoutMs: durationMs.default(30_000).meta({ description: 'Deadline of a graceful stop by signal.' }),
  http: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1').meta({ description: 'Address to listen on.' }),
      port: z.int().min(0).max(65_535).default(8080).meta({ description: 'Port; 0 = any free one.' }),
    })
    .optional()
    .meta({ description: 'Health and metrics of the daemon; omitted = none.' }),
});

/** What a user may write: defaults left out. */
export type PipelineSpecInput = z.input<typeof pipelineSpec>;
/** After validation: every default filled in. */
export type PipelineSpec = z.output<typeof pipelineSpec>;
