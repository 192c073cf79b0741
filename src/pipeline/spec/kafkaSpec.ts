import { z } from 'zod';
import { kafkaDrivers } from '../../kafka/index.ts';
import { durationMs, secret } from './scalars.ts';

export const kafkaSpec = z
  .strictObject({
    brokers: z
      .array(z.string().regex(/^[^:\s]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/, 'host:port'))
      .min(1)
      .meta({ description: 'Brokers to ask first, host:port.', examples: [['localhost:9092']] }),
    driver: z.enum(kafkaDrivers).default('kafkajs').meta({
      description: 'Client library behind the Kafka driver; confluent (librdkafka) is installed apart.',
    }),
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
