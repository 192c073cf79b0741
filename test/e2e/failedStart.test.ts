import { existsSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { guardedDirectory } from '../services/guard.ts';
import { kafkaService, postgresService, stopServices } from '../services/index.ts';
import { localMachine, orRemove, whileAlive } from '../services/machine.ts';
import { waitUntil } from '../services/waiting.ts';

const guardDir = dirname(guardedDirectory('neighbour'));
afterAll(async () => {
  await stopServices();
  expect(existsSync(guardDir)).toBe(false);
});

describe('a start that fails', () => {
  test('ends with the log of the process, and leaves neither process nor directory', async () => {
    const machine = localMachine('failing');
    const starting = orRemove(machine, async () => {
      const stopSignal = 'KILL';
      const lasting = await machine.start({ name: 'lasting', command: ['sleep', '1000'], stopSignal });
      const ending = await machine.start({ name: 'ending', command: ['sh', '-c', 'echo no disk; exit 1'], stopSignal });
      expect(await lasting.alive()).toBe(true);
      await waitUntil('what never comes', () => false, { giveUp: whileAlive('the service', ending) });
    });
    await expect(starting).rejects.toThrow('the service ended while starting:\nno disk');
    expect(existsSync(machine.dir)).toBe(false);
    expect(readdirSync(`${guardDir}/processes`)).toEqual([]);
  });

  test.each([
    ['PostgreSQL', () => postgresService({ owned: true, settings: { no_such_setting: '1' } }), /no_such_setting/],
    ['Kafka', () => kafkaService({ owned: true, config: { 'process.roles': 'nonsense' } }), /nonsense|process\.roles/],
  ])('of %s says what the program said', async (_, start, words) => {
    await expect(start()).rejects.toThrow(words);
    expect(readdirSync(guardDir).filter((name) => /^(kafka|postgres)-\d/.test(name))).toEqual([]);
    expect(readdirSync(`${guardDir}/processes`)).toEqual([]);
  });
});

describe('waiting', () => {
  test('quotes the last error when the limit passes', async () => {
    const question = () => {
      throw new Error('connection refused');
    };
    await expect(waitUntil('a server', question, { limitMs: 30 })).rejects.toThrow(
      'waited 0.03 s for a server: connection refused',
    );
  });

  test('takes 0 and the empty text for an answer', async () => {
    expect(await waitUntil('zero', () => 0)).toBe(0);
    expect(await waitUntil('nothing said', () => '')).toBe('');
  });
});
