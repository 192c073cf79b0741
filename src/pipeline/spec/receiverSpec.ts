import { z } from 'zod';
import type { ReceiverDefinition } from '../../receiver/index.ts';
import { durationMs, positive, secret } from './scalars.ts';

/** Also what a receiver that user code brings must be called. */
export const receiverNamePattern = /^[a-zA-Z0-9._-]{1,100}$/;
export const receiverNameText = '1 to 100 characters of a-z A-Z 0-9 . _ -';

const type = 'Kind of receiver: socket connects and reads lines, http takes POSTs of NDJSON or JSON.';
const name = z
  .string()
  .regex(receiverNamePattern, receiverNameText)
  .meta({ description: 'Name of the receiver, unique in the pipeline: part of the key of its row in the ledger.' });
const host = 'Host to connect to (socket, required), or address to listen on (http).';
const port = 'Port to connect to (socket), or to listen on (http, 0 = any free one).';

const socketReceiver = z.strictObject({
  type: z.literal('socket').meta({ description: type }),
  name,
  host: z.string().min(1).meta({ description: host }),
  port: z.int().min(1).max(65_535).meta({ description: port }),
  lineBytesMax: positive
    .default(1_048_576)
    .meta({ description: 'Longest line of a socket; a longer one is reported and passed over.' }),
});

const httpReceiver = z.strictObject({
  type: z.literal('http').meta({ description: type }),
  name,
  host: z.string().min(1).default('127.0.0.1').meta({ description: host }),
  port: z.int().min(0).max(65_535).meta({ description: port }),
  path: z
    .string()
    .regex(/^\/[a-zA-Z0-9._~/-]*$/, 'a path such as /orders, of a-z A-Z 0-9 . _ ~ - and /')
    .default('/')
    .meta({ description: 'Path that takes the POSTs of http.' }),
  bodyBytesMax: positive
    .default(8_388_608)
    .meta({ description: 'Longest body of a POST, unpacked; its records stay together in one block.' }),
});

function isReceiverDefinition(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('createReceiver' in value)) return false;
  return typeof value.createReceiver === 'function';
}

const mode = 'receiver';

/** The options of `source` for receiver mode alone. `counterpart` is what direct mode has in their place. */
export const receiverOptions = {
  maxRate: z.number().min(0).default(0).meta({
    description: 'Records per second over all receivers of this process; 0 = unlimited.',
    mode,
    counterpart: 'batch.maxRatePerPartition',
  }),
  sharedRate: z
    .strictObject({
      redisUrl: secret(
        z.string().regex(/^rediss?:\/\/./, 'a redis:// or rediss:// URL'),
        'redis:// URL of the Redis that keeps the pace.',
      ),
    })
    .optional()
    .meta({ description: 'Makes maxRate the limit of all processes of the pipeline together, through Redis.', mode }),
  blockIntervalMs: durationMs
    .default(200)
    .meta({ description: 'How often a block is cut.', mode, counterpart: 'batch.lingerMs' }),
  blockBytesMax: z.int().min(1024).default(4_194_304).meta({
    description: 'A block is cut before the record that would make it larger.',
    mode,
    counterpart: 'batch.maxBytesPerPartition',
  }),
  blocksWaitingMax: positive
    .default(256)
    .meta({ description: 'Blocks that may wait for their commit; then the sources are paused.', mode }),
  bytesWaitingMax: positive
    .default(67_108_864)
    .meta({ description: 'Bytes of blocks that may wait for their commit; then the sources are paused.', mode }),
  receivers: z
    .array(z.union([socketReceiver, httpReceiver, z.custom<ReceiverDefinition>(isReceiverDefinition)]))
    .min(1)
    .optional()
    .meta({
      description: 'Receivers beside, or in place of, that of topics; in the library also ones that bring themselves.',
      mode,
    }),
} as const;
