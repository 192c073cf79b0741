/** A process that freezes in the middle of a COPY (failpoint sink.midCopy), and says at the end how its commit went. */
import { createPostgresSink } from '../../src/sinks/postgres/index.ts';
import { appendAll, chunk, commitOf, startProcess } from '../../src/testkit/sinkConformance/process.ts';
import { sinkOptions } from '../support/sinkOptions.ts';

const { url, table, pipeline, count } = JSON.parse(process.argv[2] ?? '{}') as {
  readonly url: string;
  readonly table: string;
  readonly pipeline: string;
  readonly count: number;
};
const frozen = await startProcess({
  newSink: (context) => createPostgresSink(sinkOptions(url, { table }), { ...context, pipeline }),
});
const records = chunk(
  0,
  0n,
  Array.from({ length: count }, (_, index) => `frozen ${index}`),
);
const transaction = await frozen.sink.begin([records]);
await appendAll(transaction, records);
const outcome = await transaction.commitRanges([commitOf(frozen, records, count)]).then(
  () => 'committed',
  (error: { readonly code?: string }) => String(error.code),
);
await transaction.abort();
await frozen.close();
console.log(JSON.stringify({ outcome }));
