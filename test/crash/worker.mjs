/**
 * A process for crash tests: runs the pipelines of its argument, one after the other, on the built package, and writes
 * what they tell as lines of JSON. SIGTERM stops gracefully.
 */
import { definePipeline } from '../../dist/index.js';
import { seededSink } from './seededSinks.mjs';

const runs = JSON.parse(process.argv[2] ?? '[]');
const names = [
  'partitionClaimed',
  'partitionStandby',
  'partitionFenced',
  'partitionReleased',
  'partitionParked',
  'rangeCommitted',
  'rangeRetried',
  'recordSkipped',
  'gapCommitted',
  'degraded',
  'recovered',
  'groupBalanced',
  'groupMembershipLost',
  'blockLogged',
  'blocksDiscarded',
  'intakeClosed',
  'stateChanged',
];

function say(event, facts = {}) {
  const text = JSON.stringify({ event, ...facts, at: Date.now() }, (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  process.stdout.write(`${text}\n`);
}

/** Drops every 7th record, makes two rows of every 5th; `splitRows` in input.ts says the same. */
function split(record) {
  const { n } = record.json();
  if (n % 7 === 0) return undefined;
  const row = (payload) => ({ partition: record.partition, record_offset: record.offset, payload });
  return n % 5 === 0 ? [row(`${n} a`), row(`${n} b`)] : row(`${n}`);
}

/** A pace: so that a test can do something while work goes on. */
const slowly = async (record) => {
  await new Promise((resolve) => setTimeout(resolve, 2));
  return { partition: record.partition, record_offset: record.offset, payload: record.text() };
};

/** Stands still once, and everything with it, for longer than the session of a group. */
let beforeBlock = 100;
const blocked = (record) => {
  beforeBlock -= 1;
  if (beforeBlock === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6_000);
  return { partition: record.partition, record_offset: record.offset, payload: record.text() };
};

/** Waits some of the time, with its transaction open: what happens to the process often happens in the middle of one. */
let lingeredAtMs = 0;
const lingering = async (record) => {
  if (performance.now() - lingeredAtMs > 100) {
    lingeredAtMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  return { partition: record.partition, record_offset: record.offset, payload: record.text() };
};

/** A seeded build is made of a sink, or of the receivers' own code. */
async function seededParts(seeded, options) {
  if (seeded === undefined) return {};
  const { seededReceivers } = await import('./seededReceivers.mjs');
  if (!Object.hasOwn(seededReceivers, seeded)) return { sink: seededSink(seeded, options) };
  seededReceivers[seeded]();
  return {};
}

const transforms = { split, slowly, blocked, lingering };
let stopping = false;
let present;
process.on('SIGTERM', () => {
  stopping = true;
  present?.stop().catch((error) => say('stopFailed', { error }));
});

for (const { options, transform, seeded, start } of runs) {
  if (stopping) break;
  const pipeline = definePipeline({
    ...options,
    ...(await seededParts(seeded, options)),
    ...(transform === undefined ? {} : { transform: transforms[transform] }),
  });
  present = pipeline;
  for (const name of names) pipeline.events.on(name, (facts) => say(name, facts));
  try {
    await pipeline.start(start);
    say('started', pipeline.status());
    say('finished', await pipeline.finished);
  } catch (error) {
    say('failed', { error });
    process.exitCode = 1;
  }
}
// Nobody ends this process: it is over when nothing keeps it any more.
process.on('exit', () => say('exit'));
