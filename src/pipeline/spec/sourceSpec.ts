import { z } from 'zod';
import { groupProtocols } from '../../kafka/index.ts';
import { resetPolicies } from '../../model/index.ts';
import { receiverOptions } from './receiverSpec.ts';
import { count, durationMs, offset, topicName } from './scalars.ts';

/** How records come in: by ranges that are planned, or pushed by receivers. */
export const sourceModes = ['direct', 'receiver'] as const;
export type SourceMode = (typeof sourceModes)[number];

/** The options that say which partitions of Kafka are read; one of them. */
export const topicSelectors = ['topics', 'topicPattern', 'partitions'] as const;

const group = z
  .strictObject({
    protocol: z.enum(groupProtocols).optional().meta({
      description:
        'How the group rebalances: eager (classic), cooperative (KIP-429) or consumer (KIP-848). Default: eager with kafkajs, consumer with confluent.',
    }),
    instanceId: z.string().min(1).max(249).optional().meta({
      description:
        'Static membership: a process that comes back under this name within its session keeps its partitions.',
    }),
    sessionTimeoutMs: durationMs.default(45_000).meta({
      description:
        'A process the group has not heard of for so long is out; with protocol consumer the broker decides.',
    }),
    heartbeatIntervalMs: durationMs
      .default(3000)
      .meta({ description: 'How often the group hears of us; with protocol consumer the broker decides.' }),
    revokeTimeoutMs: durationMs.default(10_000).meta({
      description: 'Longest wait for what is in flight in a partition that moves; then its new owner fences it.',
    }),
  })
  .prefault({})
  .meta({ description: 'Membership, with assignment: group.' });

export const sourceSpec = z
  .strictObject({
    mode: z.enum(sourceModes).default('direct').meta({
      description:
        'direct: ranges of offsets are planned, read exactly and committed with the output; receiver: records are taken in at once, made durable as blocks, acknowledged and committed later.',
    }),
    topics: z.array(topicName).min(1).optional().meta({ description: 'Topics, all of their partitions.' }),
    topicPattern: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'Regular expression a whole topic name must match; topics made later are noticed.' }),
    partitions: z
      .record(topicName, z.array(count).min(1))
      .optional()
      .meta({ description: 'Single partitions by topic, e.g. {orders: [0, 1]}.' }),
    assignment: z.enum(['all', 'group']).default('all').meta({
      description:
        'all: this process owns every partition, a second process stands by; group: a consumer group spreads the partitions over the processes.',
    }),
    groupId: z.string().min(1).optional().meta({
      description:
        'Consumer group that spreads the partitions, that the positions are copied to, and whose offsets can serve as a start. Default: the name of the pipeline.',
    }),
    group,
    mirror: z.boolean().default(true).meta({
      description:
        'Direct mode: copy the positions into groupId, about once a second, for tools that show the lag of consumer groups.',
    }),
    reset: z.enum(resetPolicies).default('earliest').meta({
      description: 'Where a topic begins that the ledger does not know: log start, last stable offset, or an error.',
    }),
    startOffsets: z
      .record(topicName, z.record(z.string().regex(/^\d{1,9}$/, 'the number of a partition'), offset))
      .optional()
      .meta({ description: 'First offsets by topic and partition, for partitions the ledger does not know.' }),
    startFromGroup: z
      .boolean()
      .default(false)
      .meta({ description: 'Begin at the committed offsets of groupId, for partitions the ledger does not know.' }),
    onDataLoss: z.enum(['stop', 'skip-forward']).default('stop').meta({
      description: 'Records that expired unread: park the partition, or go on at the log start and record the gap.',
    }),
    metadataRefreshMs: durationMs
      .default(30_000)
      .meta({ description: 'How often new partitions and topics are looked for.' }),
    bufferedBytesMax: z
      .int()
      .min(1_048_576)
      .default(16_777_216)
      .meta({ description: 'Bytes read ahead over all partitions.' }),
    ...receiverOptions,
  })
  .meta({ description: 'What is read.' });
