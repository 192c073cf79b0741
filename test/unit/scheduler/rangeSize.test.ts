import { describe, expect, it } from 'vitest';
import { TidemarkError } from '../../../src/errors.ts';
import { OffsetRange } from '../../../src/model/index.ts';
import { isAboutSize, placeRefusal, smaller } from '../../../src/scheduler/rangeSize.ts';

const range = (from: number, until: number, partition = 0) =>
  new OffsetRange('orders', partition, BigInt(from), BigInt(until));
const refused = (foreignCode: string, offset?: bigint) =>
  new TidemarkError('SINK_REFUSED', 'no', { foreignCode, hint: 'look', ...(offset === undefined ? {} : { offset }) });

describe('a transaction that is too much', () => {
  it.each(['53100', '54000', '57014'])('%s says so, unless a record is named', (state) => {
    expect(isAboutSize(refused(state))).toBe(true);
    expect(isAboutSize(refused(state, 5n))).toBe(false);
  });

  it.each(['23505', '57P01', ''])('%j does not', (state) => {
    expect(isAboutSize(refused(state))).toBe(false);
  });

  it('is done again with the first half of each range, down to one offset', () => {
    expect(smaller([range(10, 15), range(3, 4, 1), range(7, 7, 2)])).toEqual([
      range(10, 13),
      range(3, 4, 1),
      range(7, 7, 2),
    ]);
  });

  it('with the first half of the ranges when they are one offset each, and not at all when that is one', () => {
    expect(smaller([range(1, 2), range(5, 6, 1), range(8, 9, 2)])).toEqual([range(1, 2), range(5, 6, 1), undefined]);
    expect(smaller([range(1, 2)])).toBeUndefined();
  });
});

describe('a refusal that names no record', () => {
  it('gets the offsets it is about, and keeps the rest', () => {
    expect(placeRefusal(refused('23503'), [range(10, 15)])).toMatchObject({
      message: 'no (offsets [10, 15) of orders-0)',
      topic: 'orders',
      partition: 0,
      offset: undefined,
      fromOffset: 10n,
      untilOffset: 15n,
      foreignCode: '23503',
      hint: 'look',
    });
    const several = placeRefusal(refused('23503'), [range(10, 15), range(3, 4, 1)]);
    expect(several.message).toBe('no (offsets [10, 15) of orders-0, [3, 4) of orders-1)');
    expect(several.partition).toBeUndefined();
  });

  it('is about the record when that alone is over a limit, and only then', () => {
    expect(placeRefusal(refused('54000'), [range(10, 11)]).offset).toBe(10n);
    expect(placeRefusal(refused('23503'), [range(10, 11)]).offset).toBeUndefined();
    expect(placeRefusal(refused('54000'), [range(10, 11), range(3, 4, 1)]).offset).toBeUndefined();
  });
});
