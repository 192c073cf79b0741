/**
 * tidemark itself. Task: {options, until, isLedgerOutside, tellsCommits}. With `until: 'stopped'` it says `running`, waits for any
 * message and stops. With `tellsCommits` it reports when it saw which commit: [partition, fromOffset, untilOffset, ms].
 */
import { definePipeline } from '../../../dist/index.js';
import { parseOptions } from '../../../dist/pipeline/index.js';
import { ledgerOutside } from './ledgerOutside.mjs';
import { done, Meter, sharedClockMs, task, tell } from './meter.mjs';

const { options, until, isLedgerOutside, tellsCommits } = task();
const meter = new Meter();
const commits = [];
let records = 0;

// The same sink with the same defaults, in a wrapper.
const sink = isLedgerOutside ? ledgerOutside(parseOptions(options).sink) : options.sink;
const pipeline = definePipeline({ ...options, sink });
pipeline.events.on('batchPlanned', () => meter.start());
pipeline.events.on('rangeCommitted', ({ range, counts }) => {
  records += counts.rows;
  meter.lap();
  if (tellsCommits)
    commits.push([range.partition, Number(range.fromOffset), Number(range.untilOffset), sharedClockMs()]);
});
for (const name of ['partitionParked', 'rangeRetried', 'degraded']) {
  pipeline.events.on(name, ({ error }) => console.error(`pipeline: ${name}: ${error.code}: ${error.message}`));
}
await pipeline.start({ until });
if (until === 'stopped') {
  await tell({ kind: 'running' });
  await new Promise((resolve) => process.once('message', resolve));
  await pipeline.stop();
}
await pipeline.finished;
await tell({ ...meter.report(records), commits });
done();
