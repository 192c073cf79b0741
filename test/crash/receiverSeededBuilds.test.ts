import { describe, expect, it } from 'vitest';
import { encodeRecords } from '../../src/kafka/records/index.ts';
import type { BlockHeader } from '../../src/receiver/block.ts';
import { decodeEntry, encodeBlock } from '../../src/receiver/entries.ts';
import { openWal } from '../../src/wal/index.ts';
import { appendPlain } from './input.ts';
import { expectOrderlyEnd, newReceiverTrial } from './receiverTrial.ts';
import { sharedSetting } from './setting.ts';

const setting = sharedSetting({ filled: 1, rounds: 0, recordsPerStep: 1 });
const killed = { signal: 'SIGKILL', code: null };

/** Builds of receiver mode that break the promise: what the checkers say of them is what their silence is worth. */
describe('a build of receiver mode that breaks the promise is found out by the checkers', { timeout: 240_000 }, () => {
  it.concurrent('acknowledging before a block is durable loses records by a kill', async ({ onTestFinished }) => {
    const { newPlace } = await newReceiverTrial(setting(), onTestFinished);
    const place = await newPlace();
    const sender = place.startSender();
    const build = { seeded: 'acknowledgesEarly', changes: { source: { blockIntervalMs: 60_000 } } } as const;
    const worker = await place.start(build);
    await sender.waitForMore(9);
    worker.signal('SIGKILL');
    expect(await worker.ended(), worker.logTail()).toEqual(killed);
    const next = await place.start();
    await sender.waitForMore(9);
    await expectOrderlyEnd(next);
    await sender.stop();
    expect(kindsOf(await place.violations(sender))).toEqual(['acknowledgedMissing']);
  });

  it.concurrent('forgetting the blocks of a batch at recovery loses them', async ({ onTestFinished }) => {
    const { newPlace } = await newReceiverTrial(setting(), onTestFinished);
    const place = await newPlace();
    const sender = place.startSender();
    const worker = await place.start({}, 'receiver.afterAllocation@3:kill');
    expect(await worker.ended(), worker.logTail()).toEqual(killed);
    const next = await place.start({ seeded: 'forgetsAllocated' });
    // It finds out by itself that there is a hole.
    await next.waitFor('partitionParked');
    next.signal('SIGTERM');
    await next.ended();
    await sender.stop();
    expect(kindsOf(await place.violations(sender))).toContain('acknowledgedMissing');
  });

  const builds = [
    { build: 'the right build', run: {}, kinds: [] },
    {
      build: 'a build that keeps blocks of other claims',
      run: { seeded: 'keepsBlocksOfOtherClaims' },
      kinds: ['rowMissing', 'rowUnknown'],
    },
  ] as const;
  it.concurrent.for(builds)(
    'blocks of a log that lost an election: $build',
    async ({ run, kinds }, { onTestFinished }) => {
      const { environment } = setting();
      const receiverTrial = await newReceiverTrial(setting(), onTestFinished);
      const { input } = receiverTrial;
      const [place, elsewhere] = [await receiverTrial.newPlace(), await receiverTrial.newPlace()];
      await appendPlain(environment, input, [0], 8);
      const worker = await place.start({}, 'sink.beforeWrite:kill');
      expect(await worker.ended(), worker.logTail()).toEqual(killed);
      const other = await elsewhere.start();
      await receiverTrial.waitUntilTopicDone(other);
      await expectOrderlyEnd(other);
      // As if the first process had received them before an unclean election put others in their place.
      await addLostBlock(place.walDir, input.topic);
      await appendPlain(environment, input, [0], 8);
      const back = await place.start(run);
      await receiverTrial.waitUntilTopicDone(back);
      await expectOrderlyEnd(back);
      expect(kindsOf(await receiverTrial.topicViolations())).toEqual(kinds);
    },
  );
});

function kindsOf(violations: readonly { readonly kind: string }[]): readonly string[] {
  return [...new Set(violations.map(({ kind }) => kind))].sort();
}

/** A block behind the last one of the partition, under the same claim, with records that the topic does not have. */
async function addLostBlock(dir: string, topic: string): Promise<void> {
  const log = await openWal({ dir, segmentBytesMax: 65_536, entryBytesMax: 16_384 });
  let last: BlockHeader | undefined;
  for await (const entry of log.read()) {
    const decoded = decodeEntry(entry, log.logId);
    if (decoded.kind === 'block' && decoded.header.topic === topic) last = decoded.header;
  }
  if (last === undefined) throw new Error(`${dir} has no block of ${topic}`);
  const fromOffset = last.untilOffset;
  const lost = [0, 1, 2].map((at) => ({
    offset: Number(fromOffset) + at,
    timestamp: last.receivedAtMs,
    key: null,
    value: Buffer.from(`lost ${at}`),
    headers: [],
    leaderEpoch: last.leaderEpoch,
  }));
  const untilOffset = fromOffset + BigInt(lost.length);
  const header = { ...last, blockId: `${last.blockId}-lost`, fromOffset, untilOffset, recordCount: lost.length };
  await log.append(encodeBlock({ ...header, payload: encodeRecords(lost) }));
  await log.close();
}
