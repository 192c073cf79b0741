/**
 * A process that runs one pipeline, for tests that kill it: options as JSON in its argument. SIGTERM stops it gracefully. Writes
 * events that tests wait for as lines of JSON.
 */
import { definePipeline } from '../../src/index.ts';

const pipeline = definePipeline(JSON.parse(process.argv[2] ?? '{}'));
const say = (event: string, facts: object = {}) => {
  const text = JSON.stringify({ event, ...facts }, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  process.stdout.write(`${text}\n`);
};
for (const name of ['partitionClaimed', 'partitionParked', 'degraded', 'recovered', 'intakeClosed'] as const) {
  pipeline.events.on(name, (facts) => say(name, facts));
}
process.on('SIGTERM', () => void pipeline.stop());
try {
  await pipeline.start();
  say('started');
  await pipeline.finished;
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  say('failed', { code, message });
  process.exitCode = 1;
}
