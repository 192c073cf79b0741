import { expect, test } from 'vitest';
import { noneReceives } from '../../../src/pipeline/status.ts';
import type { ReceiverStatus } from '../../../src/receiver/index.ts';

const receiver = (state: ReceiverStatus['state']): ReceiverStatus => ({
  name: 'web',
  state,
  restarts: 0,
  lastError: undefined,
  lastErrorAtMs: undefined,
});

test.each([
  ['there are none', [], false],
  ['all wait to be started again', ['restarting', 'restarting'], true],
  ['one of two works', ['restarting', 'running'], false],
  ['they were not started yet', ['stopped'], false],
] as const)('nothing is received while every receiver is down: %s', (_, states, expected) => {
  expect(noneReceives(states.map(receiver))).toBe(expected);
});
