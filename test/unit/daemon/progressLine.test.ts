import { expect, onTestFinished, test } from 'vitest';
import { ProgressLine } from '../../../src/daemon/index.ts';
import { noCounts, OffsetRange } from '../../../src/model/index.ts';
import { waitUntil } from '../../services/index.ts';
import { FakePipeline, partition } from './fakePipeline.ts';

const clear = '\r\u001b[2K';

test('the line shows what is committed and left, log lines go above it, and nothing stays at the end', async () => {
  const written: string[] = [];
  const line = new ProgressLine({ write: (text) => void written.push(text) });
  onTestFinished(() => line.stop());
  const pipeline = new FakePipeline();
  pipeline.partitions = [partition({ lag: 60n }), partition({ partition: 1, lag: undefined })];
  line.write('before\n');
  expect(written).toEqual(['before\n']);
  line.start([pipeline]);
  const range = new OffsetRange('orders', 0, 0n, 40n);
  pipeline.events.emit('rangeCommitted', {
    range,
    counts: { ...noCounts(), records: 40 },
    batchTimeMs: 0,
    durationMs: 1,
  });
  await waitUntil('the line is drawn', () => written.some((text) => text.includes('40 %  40 records, 60 to go')));
  line.write('a log line\n');
  expect(written.at(-2)).toBe(`${clear}a log line\n`);
  expect(written.at(-1)).toContain('40 records');
  line.stop();
  expect(written.at(-1)).toBe(clear);
  line.write('after\n');
  expect(written.at(-1)).toBe('after\n');
});
