import { z } from 'zod';
import { durationMs, secret } from './scalars.ts';

const columnSource = z.string().min(1);

export const postgresSinkSpec = z
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
