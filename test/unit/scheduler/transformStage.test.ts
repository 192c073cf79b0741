import { describe, expect, it } from 'vitest';
import type { KafkaRecord } from '../../../src/model/index.ts';
import { createProgressBeacon, readProgress, systemClock } from '../../../src/platform/index.ts';
import { TransformStage } from '../../../src/scheduler/transformStage.ts';

const record = { topic: 'orders', partition: 3, offset: 42n } as KafkaRecord;
const signal = new AbortController().signal;
const stageWith = (changes = {}) =>
  new TransformStage({
    pipeline: 'p',
    attempts: 3,
    timeoutMs: 1000,
    clock: systemClock,
    beacon: undefined,
    ...changes,
  });

describe('a record transform', () => {
  it('that answers at once is not awaited', () => {
    expect(stageWith().record(() => ({ id: 1 }), record, 7, signal)).toEqual({ id: 1 });
  });

  it('is called again after it threw, with the number of the attempt', async () => {
    const attempts: number[] = [];
    const result = await stageWith().record(
      (_, context) => {
        attempts.push(context.attempt);
        if (context.attempt < 3) throw new Error('not yet');
        return { id: 1 };
      },
      record,
      7,
      signal,
    );
    expect(result).toEqual({ id: 1 });
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('that rejects is called again as well', async () => {
    let calls = 0;
    const transform = async () => {
      calls += 1;
      if (calls < 2) throw new Error('not yet');
      return undefined;
    };
    expect(await stageWith().record(transform, record, 7, signal)).toBeUndefined();
    expect(calls).toBe(2);
  });

  it('that keeps throwing fails with the record and the cause', async () => {
    const cause = new Error('boom');
    const failing = stageWith().record(
      () => {
        throw cause;
      },
      record,
      7,
      signal,
    );
    await expect(failing).rejects.toMatchObject({
      code: 'TRANSFORM_FAILED',
      topic: 'orders',
      partition: 3,
      offset: 42n,
      cause,
    });
  });

  it('that never settles times out and is not called beside itself', async () => {
    let calls = 0;
    const hanging = () => {
      calls += 1;
      return new Promise<undefined>(() => {});
    };
    await expect(stageWith({ timeoutMs: 20 }).record(hanging, record, 7, signal)).rejects.toMatchObject({
      code: 'TRANSFORM_TIMED_OUT',
      offset: 42n,
    });
    expect(calls).toBe(1);
  });

  it('that hangs does not hold up a forced stop', async () => {
    const force = new AbortController();
    const reason = new Error('forced');
    const hanging = () => new Promise<undefined>(() => {});
    const byRecord = stageWith({ timeoutMs: 60_000 }).record(hanging, record, 7, force.signal);
    const byBatch = stageWith({ timeoutMs: 60_000 }).batch(hanging as never, [record], 7, force.signal);
    force.abort(reason);
    await expect(byRecord).rejects.toBe(reason);
    await expect(byBatch).rejects.toBe(reason);
  });

  it.each([
    ['a number', 5],
    ['a string', 'row'],
    ['a Buffer', Buffer.from('x')],
    ['an array of something else', [1]],
    ['true', true],
  ])('that returns %s is refused', (_, result) => {
    expect(() => stageWith().record(() => result as never, record, 7, signal)).toThrow(
      expect.objectContaining({ code: 'TRANSFORM_RESULT_INVALID', offset: 42n }),
    );
  });

  it('is visible to a watchdog while it runs', () => {
    const beacon = createProgressBeacon();
    let during: unknown;
    void stageWith({ beacon }).record(
      () => {
        during = readProgress(beacon.buffer);
        return undefined;
      },
      record,
      7,
      signal,
    );
    expect(during).toMatchObject({ active: true, record: { topic: 'orders', partition: 3, offset: 42n } });
    expect(readProgress(beacon.buffer)).toMatchObject({ active: false });
  });
});

describe('a batch transform', () => {
  it('answers one entry per record', async () => {
    const results = await stageWith().batch((records) => records.map(() => ({ id: 1 })), [record, record], 7, signal);
    expect(results).toEqual([{ id: 1 }, { id: 1 }]);
  });

  it.each([
    ['too few entries', []],
    ['no array', undefined],
    ['an entry that is no row', [5]],
  ])('that returns %s is refused', async (_, result) => {
    await expect(stageWith().batch(() => result as never, [record], 7, signal)).rejects.toMatchObject({
      code: 'TRANSFORM_RESULT_INVALID',
      offset: 42n,
    });
  });

  it('is not called without records', async () => {
    const never = () => {
      throw new Error('called');
    };
    expect(await stageWith().batch(never, [], 7, signal)).toEqual([]);
  });
});
