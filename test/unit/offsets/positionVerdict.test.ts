import { describe, expect, it } from 'vitest';
import { judgePosition } from '../../../src/offsets/positionVerdict.ts';

const position = { topic: 'orders', partition: 3, nextOffset: 500n, topicId: 'id-1', leaderEpoch: 7 };
const facts = {
  topicId: 'id-1',
  bounds: { logStartOffset: 100n, lastStableOffset: 900n, highWatermark: 950n },
  epochEnd: { leaderEpoch: 7, endOffset: 800n },
};

describe('judging a stored position (I7)', () => {
  it.each([
    ['within the log', {}],
    ['at the log start', { bounds: { ...facts.bounds, logStartOffset: 500n } }],
    ['at the end of the log', { bounds: { logStartOffset: 0n, lastStableOffset: 500n, highWatermark: 500n } }],
    ['at the end of its leader epoch', { epochEnd: { leaderEpoch: 7, endOffset: 500n } }],
    ['with an epoch the broker does not know', { epochEnd: undefined }],
  ])('is good %s', (_, change) => {
    expect(judgePosition(position, { ...facts, ...change }, 'stop')).toEqual({ kind: 'good' });
  });

  it.each([
    ['KAFKA_TOPIC_RECREATED', 'the topic has another id', { topicId: 'id-2' }],
    [
      'LEDGER_AHEAD',
      'the log ends before it',
      { bounds: { ...facts.bounds, highWatermark: 499n, lastStableOffset: 499n } },
    ],
    ['KAFKA_LOG_TRUNCATED', 'its leader epoch ends before it', { epochEnd: { leaderEpoch: 7, endOffset: 499n } }],
    ['KAFKA_LOG_TRUNCATED', 'the broker only knows older epochs', { epochEnd: { leaderEpoch: 6, endOffset: 600n } }],
    ['DATA_LOSS', 'the log starts behind it', { bounds: { ...facts.bounds, logStartOffset: 501n } }],
  ])('stops with %s when %s', (code, _, change) => {
    const verdict = judgePosition(position, { ...facts, ...change }, 'stop');
    expect(verdict).toMatchObject({ kind: 'stop', error: { code, topic: 'orders', partition: 3 } });
    if (verdict.kind === 'stop') {
      expect(verdict.error.message).toContain('500');
      expect(verdict.error.hint).toBeTruthy();
    }
  });

  it('accepts lost records as a gap when policy says so, and only those', () => {
    const lost = { ...facts, bounds: { ...facts.bounds, logStartOffset: 600n } };
    expect(judgePosition(position, lost, 'skip-forward')).toMatchObject({ kind: 'gap', untilOffset: 600n });
    const recreated = { ...lost, topicId: 'id-2' };
    expect(judgePosition(position, recreated, 'skip-forward')).toMatchObject({ kind: 'stop' });
  });
});
