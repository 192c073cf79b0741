import { z } from 'zod';
import { deliveryGuarantees, recordPolicies, resetPolicies } from '../model/index.ts';
import type { SinkDefinition } from '../sinks/index.ts';

/**
 * Every option of a pipeline, declared once: type, default, meaning. Validation, the JSON schema, `config explain`, the
 * reference in docs/config.md and redaction (`secret`) all derive from this file.
 */
const count = z.int().min(0);
const positive = z.int().min(1);
/** Node's timers hold 31 bits; a longer one would fire at once. */
const durationMsMax = 2_147_483_647;
const durationMs = z.int().min(1).max(durationMsMax);
const durationOrNoneMs = z.int().min(0).max(durationMsMax);
const topicName = z
  .string()
  .regex(/^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/, 'a topic name: 1 to 249 characters of a-z A-Z 0-9 . _ -');
const wholeOffset = 'a whole number from 0 on';
/** Kafka's offsets are signed 64-bit numbers. */
const offsetMax = 2n ** 63n - 1n;
const offset = z.union(
  [
    z.bigint().min(0n).max(offsetMax),
    z.int().min(0),
    z
      .string()
      .regex(/^\d{1,19}$/, wholeOffset)
      .refine((text) => BigInt(text) <= offsetMax, wholeOffset),
  ],
  { error: wholeOffset },
);
const secret = (schema: z.ZodString, description: string) => schema.meta({ description, secret: true });

const kafka = z
  .strictObject({
    brokers: z
      .array(z.string().regex(/^[^:\s]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/, 'host:port'))
      .min(1)
      .meta({ description: 'Brokers to ask first, host:port.', examples: [['localhost:9092']] }),
    driver: z.literal('kafkajs').default('kafkajs').meta({ description: 'Client library behind the Kafka driver.' }),
    clientId: z.string().min(1).default('tidemark').meta({ description: 'Name shown in broker logs and quotas.' }),
    ssl: z
      .union([
        z.boolean(),
        z.strictObject({
          ca: z.string().optional().meta({ description: 'PEM text of the certificate authority.' }),
          cert: z.string().optional().meta({ description: 'PEM text of the client certificate.' }),
          key: secret(z.string(), 'PEM text of the client key.').optional(),
          servername: z.string().optional().meta({ description: 'Name expected in the certificate of the broker.' }),
          rejectUnauthorized: z
            .boolean()
            .default(true)
            .meta({ description: 'Refuse certificates that do not verify.' }),
        }),
      ])
      .default(false)
      .meta({ description: 'TLS: true, or an object with certificates as PEM text.' }),
    sasl: z
      .union([
        z.strictObject({
          mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).meta({ description: 'How to authenticate.' }),
          username: z.string().meta({ description: 'Name of the user.' }),
          password: secret(z.string(), 'Password of the user.'),
        }),
        z.strictObject({
          mechanism: z.literal('oauthbearer').meta({ description: 'How to authenticate.' }),
          token: z
            .union([z.string(), z.custom<() => Promise<string>>((value) => typeof value === 'function')])
            .meta({ description: 'The token; in the library also a function that fetches one.', secret: true }),
        }),
      ])
      .optional()
      .meta({ description: 'Credentials.' }),
    connectTimeoutMs: durationMs.default(5000).meta({ description: 'Longest wait for one connection.' }),
    requestTimeoutMs: durationMs
      .default(30_000)
      .meta({ description: 'Longest wait for a request, its retries included.' }),
  })
  .meta({ description: 'The Kafka cluster.' });

const source = z
  .strictObject({
    mode: z
      .literal('direct')
      .default('direct')
      .meta({ description: 'direct: ranges of offsets are planned, read exactly and committed with the output.' }),
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
    assignment: z
      .literal('all')
      .default('all')
      .meta({ description: 'all: this process owns every partition, a second process stands by.' }),
    groupId: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'Consumer group whose offsets can serve as a start. Default: the name of the pipeline.' }),
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
      .default(33_554_432)
      .meta({ description: 'Bytes read ahead over all partitions.' }),
  })
  .meta({ description: 'What is read.' });

const batch = z
  .strictObject({
    intervalMs: durationOrNoneMs.default(0).meta({
      description: 'Batch clock; ticks are multiples of it. 0 = continuous: a batch as soon as there is data.',
    }),
    lingerMs: durationOrNoneMs
      .default(10)
      .meta({ description: 'Continuous: longest wait for more records before a batch starts.' }),
    maxRecordsPerPartition: positive.default(50_000).meta({ description: 'Offsets of one partition in a batch.' }),
    maxBytesPerPartition: positive
      .default(8_388_608)
      .meta({ description: 'Bytes of one partition in a batch, estimated from what was read.' }),
    maxRatePerPartition: z.number().min(0).default(0).meta({ description: 'Records per second; 0 = unlimited.' }),
    minRatePerPartition: count.default(1).meta({
      description: 'With an interval: records of a partition a batch may always take, whatever the rate says.',
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

const columnSource = z.string().min(1);

const postgresSink = z
  .strictObject({
    type: z.literal('postgres').meta({ description: 'Kind of sink.' }),
    connectionString: secret(z.string().min(1), 'postgres:// URL of the database.'),
    table: z
      .string()
      .min(1)
      .meta({ description: 'Target table, schema.table.', examples: ['public.orders'] }),
    mode: z.literal('insert').default('insert').meta({ description: 'insert: every record is a new row.' }),
    columns: z
      .record(
        z.string(),
        z.union([
          columnSource,
          z.strictObject({
            from: columnSource.meta({ description: 'Source of the column, as in the short form.' }),
            type: z.string().min(1).meta({ description: 'PostgreSQL type, for a table that is created.' }),
          }),
        ]),
      )
      .optional()
      .meta({
        description:
          'Column to source: $key $value $headers $topic $partition $offset $timestamp, $value.a.b[0] for JSON, a name without $ for a field of the row of the transform.',
        examples: [{ id: '$value.id', payload: '$value' }],
      }),
    createTable: z.boolean().default(false).meta({ description: 'Create the table from columns when it is missing.' }),
    ledgerSchema: z
      .string()
      .min(1)
      .default('tidemark')
      .meta({ description: 'Schema of the ledger, in the same database.' }),
    connections: z
      .int()
      .min(1)
      .max(64)
      .default(2)
      .meta({ description: 'Write connections: transactions open at once.' }),
    lockTimeoutMs: durationMs.default(5000).meta({ description: 'Longest wait for a lock of the target.' }),
    commitTimeoutMs: durationMs
      .default(60_000)
      .meta({ description: 'Longest wait for the answer of a commit; then its outcome is looked up in the ledger.' }),
  })
  .meta({ description: 'PostgreSQL through COPY.' });

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

export const pipelineSpec = z.strictObject({
  pipeline: z
    .string()
    .regex(/^[a-zA-Z0-9._-]{1,200}$/, '1 to 200 characters of a-z A-Z 0-9 . _ -')
    .meta({ description: 'Name of the pipeline: the key of its rows in the ledger.' }),
  delivery: z
    .enum(deliveryGuarantees)
    .default('exactly-once')
    .meta({ description: 'The promise; refused at start when sink and store cannot keep it.' }),
  kafka,
  source,
  batch,
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
      postgresSink,
      z.custom<SinkDefinition>((value) => typeof value === 'object' && value !== null && 'createSink' in value),
    ])
    .meta({ description: 'Where the rows go; in the library also a sink that brings itself.' }),
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
