import { describe, expect, onTestFinished, test } from 'vitest';
import { isTidemarkError } from '../../../src/errors.ts';
import { noCounts, OffsetRange } from '../../../src/model/index.ts';
import type { HeldClaim, RangeCommit } from '../../../src/offsets/index.ts';
import { ManualClock, MemoryDatabase } from '../../../src/testkit/index.ts';

const place = { topic: 'orders', partition: 0 };

/** A process with a claim on one partition. */
async function claimed(database: MemoryDatabase, clock: ManualClock, instanceId: string) {
  const sink = database.createSink({ pipeline: 'p', instanceId, clock });
  await sink.store.open();
  await sink.store.registerOwner({ instanceId, host: 'here', bootId: '', pid: 1 });
  await sink.store.initialise([{ ...place, nextOffset: 0n, topicId: 'id' }]);
  onTestFinished(async () => {
    await sink.close();
    await sink.store.close();
  });
  const [row] = await sink.store.read();
  const [outcome] = await sink.store.claim([{ ...place, seenClaim: row?.claim ?? null }]);
  if (outcome?.claimed !== true) throw new Error('not claimed');
  const commit = async (held: HeldClaim) => {
    const range = new OffsetRange('orders', 0, 0n, 5n);
    const facts = { counts: noCounts(), leaderEpoch: 0, batchTimeMs: 0, reason: null };
    const ranged: RangeCommit = { range, held, kind: 'batch', ...facts };
    const transaction = await sink.begin([place]);
    try {
      await transaction.commitRanges([ranged]);
      return 'committed';
    } catch (error) {
      return isTidemarkError(error) ? error.code : String(error);
    } finally {
      await transaction.abort();
    }
  };
  return { sink, held: outcome.held, commit };
}

describe('a memory database', () => {
  test('fences a commit that was on its way while another process took over', async () => {
    const clock = new ManualClock();
    const database = new MemoryDatabase({ clock });
    const late = await claimed(database, clock, 'late');
    const hold = database.faults.hold('commitRanges', { client: 'late' });
    const committing = late.commit(late.held);
    await hold.waited();
    const successor = await claimed(database, clock, 'successor');
    hold.release();
    expect(await committing).toBe('LEDGER_FENCED');
    expect(await successor.commit(successor.held)).toBe('committed');
    expect(database.history('p', place).map(({ kind, owner }) => [kind, owner])).toEqual([
      ['base', null],
      ['batch', 'successor'],
    ]);
  });

  test('leaves a commit in doubt whose answer is lost, and one that did not arrive can be done again', async () => {
    const clock = new ManualClock();
    const database = new MemoryDatabase({ clock });
    const { held, commit } = await claimed(database, clock, 'a');
    database.faults.fail('commitRanges');
    expect(await commit(held)).toBe('SINK_UNREACHABLE');
    expect(database.offsets('p')[0]?.nextOffset).toBe(0n);
    database.faults.fail('commitRanges', {}, { at: 'answer' });
    expect(await commit(held)).toBe('COMMIT_IN_DOUBT');
    expect(database.offsets('p')[0]?.nextOffset).toBe(5n);
  });

  test('is away for store and sink, and lets nothing commit meanwhile', async () => {
    const clock = new ManualClock();
    const database = new MemoryDatabase({ clock });
    const { sink, held, commit } = await claimed(database, clock, 'a');
    const open = await sink.begin([place]);
    database.away();
    await expect(sink.store.read()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', retriable: true });
    await expect(sink.begin([place])).rejects.toMatchObject({ code: 'SINK_UNREACHABLE', retriable: true });
    await expect(open.drain()).rejects.toMatchObject({ code: 'SINK_UNREACHABLE' });
    await open.abort();
    database.back();
    expect(await commit(held)).toBe('committed');
  });

  test('knows by its clock how old a heartbeat is', async () => {
    const clock = new ManualClock();
    const database = new MemoryDatabase({ clock });
    const { sink } = await claimed(database, clock, 'a');
    await clock.advance(5_000);
    expect((await sink.store.owners()).map(({ heartbeatAgeMs }) => heartbeatAgeMs)).toEqual([5_000]);
    expect((await sink.store.read())[0]?.ageMs).toBe(5_000);
  });
});
