import { describe, expect, it } from 'vitest';
import { type ErrorCode, errorCodes, TidemarkError } from '../../../src/errors.ts';
import { decideAfterFailure } from '../../../src/scheduler/failureDecision.ts';

const policy = { record: 'stop', attempts: 3 } as const;
const error = (code: ErrorCode, facts = {}) => new TidemarkError(code, 'x', facts);

describe('what happens after an attempt failed', () => {
  it.each([
    ['LEDGER_FENCED', 'fenced'],
    ['GROUP_MEMBERSHIP_LOST', 'fenced'],
    ['LEDGER_MOVED', 'moved'],
    ['COMMIT_IN_DOUBT', 'doubt'],
    ['KAFKA_OFFSET_OUT_OF_RANGE', 'verify'],
    ['LEDGER_TAMPERED', 'park'],
    ['SINK_TRANSACTION_ENDED', 'park'],
    ['KAFKA_TOPIC_RECREATED', 'park'],
    ['KAFKA_CORRUPT_BATCH', 'park'],
  ] as const)('%s → %s', (code, kind) => {
    expect(decideAfterFailure(error(code), 1, policy).kind).toBe(kind);
  });

  it('retries what is retriable for ever', () => {
    const away = error('SINK_UNREACHABLE', { retriable: true });
    expect(decideAfterFailure(away, 1_000_000, policy)).toEqual({ kind: 'retry' });
  });

  it('parks what is not retriable after the attempts are used up', () => {
    expect(decideAfterFailure(error('SINK_REQUEST_FAILED'), 2, policy)).toEqual({ kind: 'retry' });
    expect(decideAfterFailure(error('SINK_REQUEST_FAILED'), 3, policy)).toEqual({ kind: 'park' });
  });

  it('a refused record follows the record policy', () => {
    const refused = error('SINK_REFUSED', { offset: 42n });
    expect(decideAfterFailure(refused, 1, policy)).toEqual({ kind: 'stopBefore', offset: 42n });
    expect(decideAfterFailure(refused, 1, { record: 'skip', attempts: 3 })).toEqual({
      kind: 'skipRecord',
      offset: 42n,
    });
  });

  it('a damaged batch is never skipped: what is before it is committed, then the partition stops', () => {
    const damaged = error('KAFKA_CORRUPT_BATCH', { fromOffset: 42n });
    expect(decideAfterFailure(damaged, 1, { record: 'skip', attempts: 3 })).toEqual({
      kind: 'stopBefore',
      offset: 42n,
    });
  });

  it('decides for every code there is', () => {
    for (const code of Object.keys(errorCodes) as ErrorCode[]) {
      expect(decideAfterFailure(error(code), 3, policy).kind).toBeTruthy();
    }
  });
});
