import { z } from 'zod';
import { count, durationOrNoneMs, positive } from './scalars.ts';

/** Of options that say how ranges are planned. `counterpart` is what receiver mode has in their place. */
const mode = 'direct';

export const batchSpec = z
  .strictObject({
    intervalMs: durationOrNoneMs.default(0).meta({
      description: 'Batch clock; ticks are multiples of it. 0 = continuous: a batch as soon as there is data.',
    }),
    lingerMs: durationOrNoneMs.default(10).meta({
      description: 'Continuous: longest wait for more records before a batch starts.',
      mode,
      counterpart: 'source.blockIntervalMs',
    }),
    maxRecordsPerPartition: positive
      .default(50_000)
      .meta({ description: 'Offsets of one partition in a batch.', mode, counterpart: 'source.blockBytesMax' }),
    maxBytesPerPartition: positive.default(8_388_608).meta({
      description: 'Bytes of one partition in a batch, estimated from what was read.',
      mode,
      counterpart: 'source.blockBytesMax',
    }),
    maxRatePerPartition: z
      .number()
      .min(0)
      .default(0)
      .meta({ description: 'Records per second; 0 = unlimited.', mode, counterpart: 'source.maxRate' }),
    minRatePerPartition: count.default(1).meta({
      description: 'With an interval: records of a partition a batch may always take, whatever the rate says.',
      mode,
      counterpart: 'source.maxRate',
    }),
    maxQueuedBatches: positive
      .default(1)
      .meta({ description: 'With an interval: planned batches that may wait; further ticks merge.' }),
    transaction: z
      .enum(['partition', 'batch'])
      .default('partition')
      .meta({ description: 'One transaction for each partition of a batch, or one for all of them.' }),
    backpressure: z
      .strictObject({
        enabled: z.boolean().default(false).meta({ description: 'Let the PID estimator limit the rate.' }),
        initialRate: z
          .number()
          .min(0)
          .default(0)
          .meta({ description: 'Records per second over all partitions until there is an estimate; 0 = none.' }),
        proportional: z.number().min(0).default(1).meta({ description: 'Weight of the present error.' }),
        integral: z.number().min(0).default(0.2).meta({ description: 'Weight of the accumulated error.' }),
        derived: z.number().min(0).default(0).meta({ description: 'Weight of the change of the error.' }),
        minRate: z.number().positive().default(100).meta({ description: 'Lowest estimate in records per second.' }),
      })
      .prefault({})
      .meta({ description: 'Rate estimation with the formulas of Spark Streaming.' }),
  })
  .prefault({})
  .meta({ description: 'How records are cut into batches and transactions.' });
