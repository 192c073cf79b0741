import { z } from 'zod';
import { secret } from './scalars.ts';

const type = 'Kind of offset store: postgres, redis, kafka (a consumer group) or file.';

/** Where positions live when they do not live with the rows. */
export const storeSpec = z
  .union([
    z.strictObject({
      type: z.literal('postgres').meta({ description: type }),
      connectionString: secret(z.string().min(1), 'postgres:// URL of the database of the ledger.'),
      schema: z.string().min(1).default('tidemark').meta({ description: 'Schema of the ledger.' }),
    }),
    z.strictObject({
      type: z.literal('redis').meta({ description: type }),
      url: secret(
        z.string().regex(/^rediss?(?:\+(?:sentinel|cluster))?:\/\/./, 'a redis:// or rediss:// URL'),
        'redis:// URL of the ledger, see docs/stores.md.',
      ),
    }),
    z.strictObject({
      type: z.literal('kafka').meta({ description: type }),
      groupId: z
        .string()
        .min(1)
        .optional()
        .meta({ description: 'Consumer group that keeps the offsets. Default: the name of the pipeline.' }),
      firstStart: z.boolean().default(false).meta({
        description:
          'Partitions without an offset in the group begin by the options of source; otherwise they are an error, because offsets of a group expire.',
      }),
    }),
    z.strictObject({
      type: z.literal('file').meta({ description: type }),
      dir: z
        .string()
        .min(1)
        .meta({
          description: 'Directory of the file of the pipeline; in a file relative to the configuration file.',
          examples: ['/var/lib/tidemark/offsets'],
        }),
    }),
  ])
  .optional()
  .meta({
    description:
      'Where the offsets are kept apart from the rows, which needs delivery: at-least-once. Omitted: in the ledger of the sink.',
  });
