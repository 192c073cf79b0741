/**
 * Builds of the pipeline that break the promise on purpose: a checker that finds nothing wrong with them proves nothing.
 */
import { parseOptions } from '../../dist/pipeline/index.js';
import { createPostgresSink } from '../../dist/sinks/postgres/index.js';

export function seededSink(kind, options) {
  if (kind !== 'ledgerOutside') throw new Error(`no such build: ${kind}`);
  const { sink } = parseOptions(options);
  return { createSink: (context) => ledgerOutside(createPostgresSink(sink, context)) };
}

/** Rows in one transaction, the ledger in the next. */
function ledgerOutside(sink) {
  return {
    kind: sink.kind,
    guarantee: sink.guarantee,
    store: sink.store,
    concurrentTransactionsMax: sink.concurrentTransactionsMax,
    open: (context) => sink.open(context),
    close: () => sink.close(),
    begin: async (partitions) => {
      const transaction = await sink.begin(partitions);
      const commitRows = transaction.commitRanges.bind(transaction);
      transaction.commitRanges = async (commits) => {
        await commitRows([]);
        await sink.store.commitRanges(commits);
      };
      return transaction;
    },
  };
}
