import { describe, expect, test } from 'vitest';
import { exitCodeOf, exitCodes, exitMeanings, highestExitCode } from '../../../src/cli/exitCodes.ts';
import { type ErrorCode, errorCodes } from '../../../src/errors.ts';

describe('exit codes', () => {
  test('are the documented numbers', () => {
    expect(exitCodes).toEqual({
      done: 0,
      failed: 1,
      usage: 2,
      fenced: 3,
      dataLoss: 4,
      checkFailed: 5,
      forcedByInterrupt: 130,
      forcedByTermination: 143,
    });
    expect(Object.keys(exitMeanings)).toEqual(Object.keys(exitCodes));
  });

  test.each([
    [{ kind: 'done' }, 0],
    [{ kind: 'unfinished' }, 1],
    [{ kind: 'checkFailed' }, 5],
    [{ kind: 'failed', code: undefined }, 1],
    [{ kind: 'forced', signal: 'SIGINT' }, 130],
    [{ kind: 'forced', signal: 'SIGTERM' }, 143],
    // found without asking anyone
    [{ kind: 'failed', code: 'CONFIG_INVALID' }, 2],
    [{ kind: 'failed', code: 'CONFIG_VARIABLE_MISSING' }, 2],
    [{ kind: 'failed', code: 'USAGE_INVALID' }, 2],
    [{ kind: 'failed', code: 'TRANSFORM_UNLOADABLE' }, 2],
    [{ kind: 'failed', code: 'DELIVERY_IMPOSSIBLE' }, 2],
    // answers of other systems
    [{ kind: 'failed', code: 'KAFKA_UNREACHABLE' }, 1],
    [{ kind: 'failed', code: 'STORE_AUTHENTICATION_FAILED' }, 1],
    [{ kind: 'failed', code: 'KAFKA_TOPIC_MISSING' }, 1],
    [{ kind: 'failed', code: 'SINK_TABLE_MISSING' }, 1],
    [{ kind: 'failed', code: 'STOP_DEADLINE_MISSED' }, 1],
    [{ kind: 'failed', code: 'LEDGER_FENCED' }, 3],
    // design §2 I7
    [{ kind: 'failed', code: 'DATA_LOSS' }, 4],
    [{ kind: 'failed', code: 'KAFKA_TOPIC_RECREATED' }, 4],
    [{ kind: 'failed', code: 'KAFKA_LOG_TRUNCATED' }, 4],
    [{ kind: 'failed', code: 'LEDGER_AHEAD' }, 4],
  ] as const)('%j ends with %d', (outcome, expected) => {
    expect(exitCodeOf(outcome)).toBe(expected);
  });

  test('every error code has one', () => {
    for (const code of Object.keys(errorCodes) as ErrorCode[]) {
      expect([1, 2, 3, 4]).toContain(exitCodeOf({ kind: 'failed', code }));
    }
  });

  test('of several the highest counts', () => {
    expect(highestExitCode([])).toBe(0);
    expect(highestExitCode([0, 4, 1])).toBe(4);
  });
});
