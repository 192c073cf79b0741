import { expect, test } from 'vitest';
import { identifyProcess } from '../../../src/platform/index.ts';
import { endStrayBlocks } from '../../../src/receiver/strayBlocks.ts';
import { ManualClock, MemoryDatabase } from '../../../src/testkit/memory/index.ts';
import { WalDisk } from '../../support/walDisk.ts';
import { laneSetting } from './laneSetting.ts';
import { addBlocks, blockOf, orders, web } from './trackerSetting.ts';

/** A ledger whose row of orders-0 stands at `nextOffset`, under a claim that is answered. */
async function ledgerAt(nextOffset: bigint) {
  const sink = new MemoryDatabase({ clock: new ManualClock() }).createSink({
    pipeline: 'orders',
    instanceId: 'here',
    clock: new ManualClock(),
  });
  const { store } = sink;
  await store.open();
  await store.registerOwner(identifyProcess());
  await store.initialise([{ topic: 'orders', partition: 0, nextOffset, topicId: 'VUV5' }]);
  const claim = async (seenClaim: string | null) => {
    const [outcome] = await store.claim([{ topic: 'orders', partition: 0, seenClaim }]);
    if (outcome?.claimed !== true) throw new Error('not claimed');
    return outcome.held.claim;
  };
  return { store, claim };
}

test('blocks of a partition that another process has hold up the log no more: committed ones are finished, the others discarded', async () => {
  const { store, claim } = await ledgerAt(10n);
  const setting = await laneSetting(new WalDisk());
  await addBlocks(setting, orders, [0, 10]);
  await addBlocks(setting, web, [0]);
  await claim(null);
  await endStrayBlocks(() => false, store, setting.on);
  await setting.tracker.sweep(0);
  expect(setting.discarded).toMatchObject([{ topic: 'orders', partition: 0, blocks: 1, records: 10, cause: 'claim' }]);
  expect(setting.tracker.waitingStreams).toMatchObject([{ topic: web.slice(0, web.lastIndexOf(':')), blocks: 1 }]);
});

test('blocks whose claim is in the row wait: their process died, and this one may be the next', async () => {
  const { store, claim } = await ledgerAt(0n);
  const setting = await laneSetting(new WalDisk());
  await setting.tracker.add(blockOf(orders, 0, { claim: await claim(null) }));
  await endStrayBlocks(() => false, store, setting.on);
  expect(setting.discarded).toEqual([]);
  expect(setting.tracker.waiting.blocks).toBe(1);
});

test('an open partition looks after its blocks itself', async () => {
  const { store, claim } = await ledgerAt(0n);
  const setting = await laneSetting(new WalDisk());
  await addBlocks(setting, orders, [0]);
  await claim(null);
  await endStrayBlocks((stream) => stream === orders, store, setting.on);
  expect(setting.tracker.waiting.blocks).toBe(1);
});
