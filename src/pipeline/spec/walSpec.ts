import { z } from 'zod';
import { walDefaults } from '../../wal/index.ts';
import { durationOrNoneMs } from './scalars.ts';

export const walSpec = z
  .strictObject({
    dir: z
      .string()
      .min(1)
      .meta({
        description:
          'Directory of the log, for this process of this pipeline alone; in a file relative to the configuration file.',
        examples: ['/var/lib/orders/wal'],
      }),
    segmentBytesMax: z
      .int()
      .min(65_536)
      .default(walDefaults.segmentBytesMax)
      .meta({ description: 'Bytes of one file of the log; disk space is given back by whole files.' }),
    retainMs: durationOrNoneMs.default(60_000).meta({
      description: 'How long blocks stay after their commit, for a database that goes back in time.',
    }),
  })
  .optional()
  .meta({
    description:
      'Write-ahead log: blocks are in it before their source is told so, and until their output is committed.',
    examples: [{ dir: '/var/lib/orders/wal' }],
    mode: 'receiver',
  });
