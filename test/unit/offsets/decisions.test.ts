import { describe, expect, it } from 'vitest';
import { OffsetRange, partitionKey } from '../../../src/model/index.ts';
import { decideClaim, explainLowerPosition, planFirstPositions, resolveInDoubt } from '../../../src/offsets/index.ts';

const self = { instanceId: 'me', host: 'here', bootId: 'boot-1', pid: 10 };
const other = { instanceId: 'other', host: 'here', bootId: 'boot-1', pid: 20, heartbeatAgeMs: 900 };
const row = { claim: 'c1', owner: 'other' };
const options = { takeOver: false, processLives: () => true };
const dead = { takeOver: false, processLives: () => false };

describe('whether a partition may be claimed', () => {
  it.each([
    ['of nobody', { claim: null, owner: null }, [other], options, 'claim'],
    ['of this process itself', { claim: 'c1', owner: 'me' }, [other], options, 'claim'],
    ['of a live neighbour', row, [other], options, 'standby'],
    ['of a neighbour whose heartbeat is 4.999 s old', row, [{ ...other, heartbeatAgeMs: 4999 }], options, 'standby'],
    ['of an owner whose heartbeat is 5 s old', row, [{ ...other, heartbeatAgeMs: 5000 }], options, 'claim'],
    ['of a neighbour whose process is gone', row, [other], dead, 'claim'],
    ['of another host, whatever the pids here are', row, [{ ...other, host: 'there' }], dead, 'standby'],
    ['of another boot or container of this host', row, [{ ...other, bootId: 'boot-2' }], dead, 'standby'],
    ['where the system tells no boot', row, [{ ...other, bootId: '' }], dead, 'standby'],
    ['of an owner that never registered', row, [], options, 'claim'],
    ['of a live owner, when told to take over', row, [other], { ...options, takeOver: true }, 'claim'],
  ] as const)('%s', (_, of, owners, how, expected) => {
    expect(decideClaim(of, owners, { ...self, bootId: self.bootId }, how)).toBe(expected);
  });
});

describe('a commit whose answer is missing', () => {
  const held = { topic: 't', partition: 0, claim: 'mine', ownerEpoch: 2n };
  const range = new OffsetRange('t', 0, 100n, 200n);
  it.each([
    ['mine', 200n, 'committed'],
    ['mine', 100n, 'redo'],
    ['mine', 150n, 'moved'],
    ['mine', 99n, 'moved'],
    ['mine', 300n, 'moved'],
    ['theirs', 200n, 'fenced'],
    ['theirs', 100n, 'fenced'],
    [null, 200n, 'fenced'],
  ])('with claim %s at %d is %s', (claim, nextOffset, expected) => {
    expect(resolveInDoubt({ claim, nextOffset }, held, range)).toBe(expected);
  });
});

describe('a row lower than what was committed', () => {
  it.each([
    ['ends where the history ends: the database went back in time', { untilOffset: 50n, incarnation: 2n }, 'restored'],
    ['and a history that ends elsewhere: changed by hand', { untilOffset: 60n, incarnation: 2n }, 'tampered'],
    [
      'and a history that ends there before a reset: changed by hand',
      { untilOffset: 50n, incarnation: 1n },
      'tampered',
    ],
    ['and no history: changed by hand', undefined, 'tampered'],
  ])('%s', (_, newest, expected) => {
    expect(explainLowerPosition({ nextOffset: 50n, incarnation: 2n }, newest)).toBe(expected);
  });
});

describe('first positions', () => {
  const bounds = { logStartOffset: 10n, lastStableOffset: 90n, highWatermark: 95n };
  const fresh = { topic: 'orders', partition: 3, topicId: 'id', bounds, topicIsKnown: false };
  const none = new Map();
  const at = (offset: bigint) => new Map([[partitionKey(fresh), offset]]);
  it.each([
    ['earliest is the log start', fresh, { explicit: none, group: none, reset: 'earliest' }, 10n],
    [
      'latest is the last stable offset, not the high watermark',
      fresh,
      { explicit: none, group: none, reset: 'latest' },
      90n,
    ],
    ["the group's offset comes before the policy", fresh, { explicit: none, group: at(40n), reset: 'fail' }, 40n],
    ['an explicit offset comes first', fresh, { explicit: at(33n), group: at(40n), reset: 'fail' }, 33n],
    [
      'a partition added to a known topic begins at its log start under latest',
      { ...fresh, topicIsKnown: true },
      { explicit: none, group: none, reset: 'latest' },
      10n,
    ],
    ['and under fail', { ...fresh, topicIsKnown: true }, { explicit: none, group: at(40n), reset: 'fail' }, 10n],
  ] as const)('%s', (_, partition, rules, nextOffset) => {
    expect(planFirstPositions([partition], rules)).toEqual([
      { topic: 'orders', partition: 3, topicId: 'id', nextOffset },
    ]);
  });

  it('policy fail names every partition without an offset', () => {
    const partitions = [fresh, { ...fresh, partition: 4 }];
    expect(() => planFirstPositions(partitions, { explicit: none, group: none, reset: 'fail' })).toThrow(
      expect.objectContaining({ code: 'NO_START_OFFSET', message: expect.stringMatching(/orders-3, orders-4/) }),
    );
  });
});
