import { z } from 'zod';
import { messageOf, TidemarkError } from '../../../errors.ts';
import { comparePartitions, partitionKey } from '../../../model/index.ts';
import { partitionStates } from '../../store.ts';
import type { Book } from '../unfenced/index.ts';

/**
 * What is in a file: JSON, one for each pipeline.
 *
 *     {"version": 1, "pipeline": "orders",
 *      "offsets": [{"topic": "orders", "partition": 0, "nextOffset": "17", …}],
 *      "removed": [{"topic": "old", "partition": 0, "ownerEpoch": "3", "incarnation": "1"}],
 *      "owners": [{"instanceId": "…", "host": "…", "bootId": "…", "pid": 4711, "seenAtMs": 1768478400000}]}
 *
 * Offsets and counters are decimal strings, times ms since 1970. A change that an older version would misread raises the
 * version.
 */
export const fileVersion = 1;

const counter = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform((text) => BigInt(text));
const place = { topic: z.string(), partition: z.int().min(0) };
const past = { ownerEpoch: counter, incarnation: counter };

const content = z.object({
  version: z.literal(fileVersion),
  pipeline: z.string(),
  offsets: z.array(
    z.object({
      ...place,
      nextOffset: counter,
      claim: z.string().nullable(),
      owner: z.string().nullable(),
      ...past,
      topicId: z.string(),
      leaderEpoch: z.int(),
      state: z.enum(partitionStates),
      reason: z.string().nullable(),
      changedAtMs: z.number(),
    }),
  ),
  removed: z.array(z.object({ ...place, ...past })),
  owners: z.array(
    z.object({ instanceId: z.string(), host: z.string(), bootId: z.string(), pid: z.int(), seenAtMs: z.number() }),
  ),
});

export function encodeBook(pipeline: string, book: Book): Buffer {
  const lines = (entries: Iterable<object>) =>
    [...entries].map((entry) => `\n    ${JSON.stringify(entry, decimal)}`).join(',');
  const sorted = (entries: Book['rows'] | Book['removed']) => [...entries.values()].sort(comparePartitions);
  return Buffer.from(`{
  "version": ${fileVersion},
  "pipeline": ${JSON.stringify(pipeline)},
  "offsets": [${lines(sorted(book.rows))}],
  "removed": [${lines(sorted(book.removed))}],
  "owners": [${lines(book.owners.values())}]
}
`);
}

/** Throws STORE_SCHEMA_UNSUPPORTED for a newer version, STORE_REQUEST_FAILED for what is no file of this pipeline. */
export function decodeBook(bytes: Buffer, pipeline: string, path: string): Book {
  const raw = parse(bytes, path);
  const version = typeof raw === 'object' && raw !== null && 'version' in raw ? raw.version : undefined;
  if (typeof version === 'number' && version > fileVersion) {
    throw new TidemarkError(
      'STORE_SCHEMA_UNSUPPORTED',
      `${path}: the file has version ${version}, this tidemark knows versions up to ${fileVersion}`,
      { path, hint: 'Run the version of tidemark that wrote it, or a newer one.' },
    );
  }
  const parsed = content.safeParse(raw);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw damaged(path, `${issue?.path.join('.') || 'the content'}: ${issue?.message}`);
  }
  const { offsets, removed, owners } = parsed.data;
  if (parsed.data.pipeline !== pipeline)
    throw damaged(path, `it is of pipeline ${parsed.data.pipeline}, not of ${pipeline}`);
  const rows = new Map(offsets.map((row) => [partitionKey(row), row]));
  if (rows.size < offsets.length) throw damaged(path, 'a partition stands there twice');
  return {
    rows,
    removed: new Map(removed.map((one) => [partitionKey(one), one])),
    owners: new Map(owners.map((owner) => [owner.instanceId, owner])),
  };
}

function parse(bytes: Buffer, path: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw damaged(path, `no JSON (${messageOf(error)})`);
  }
}

function damaged(path: string, what: string): TidemarkError {
  return new TidemarkError('STORE_REQUEST_FAILED', `${path}: the file is damaged: ${what}`, {
    path,
    hint: 'Put a good copy of the file back. Without it the pipeline would begin anew by source.reset: remove the file only if that is wanted.',
  });
}

function decimal(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
