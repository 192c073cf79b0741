import { describe, expect, test } from 'vitest';
import { chooseProviders, installCommand, missingText } from '../../services/providers.ts';

const java = { what: 'Java 17 or newer (none found)', command: 'apt-get install -y openjdk-17-jre-headless' };
const variable = 'host:9092';

describe('the provider of a service', () => {
  // owned, variable, docker, local can start → what is tried, in this order
  const table = [
    [false, variable, true, true, ['variable']],
    [false, variable, false, false, ['variable']],
    [false, undefined, true, true, ['docker', 'local']],
    [false, undefined, true, false, ['docker']],
    [false, undefined, false, true, ['local']],
    [false, undefined, false, false, []],
    [false, '', true, false, ['docker']],
    [true, variable, true, true, ['docker', 'local']],
    [true, variable, true, false, ['docker']],
    [true, variable, false, true, ['local']],
    [true, variable, false, false, []],
    [true, undefined, false, true, ['local']],
  ] as const;

  test.each(table)('owned %s, variable %s, docker %s, local %s: %j', (owned, value, docker, local, expected) => {
    const chosen = chooseProviders({ owned, variable: value, docker, missing: local ? [] : [java] });
    expect(chosen.map((provider) => provider.kind)).toEqual(expected);
  });

  test('carries the value of the variable', () => {
    const chosen = chooseProviders({ owned: false, variable, docker: true, missing: [] });
    expect(chosen).toEqual([{ kind: 'variable', value: variable }]);
  });
});

describe('the text about a missing service', () => {
  test('names what is missing, the command that brings it, and the other ways', () => {
    expect(missingText('kafka', false, [java, { what: 'Maven', command: 'apt-get install -y maven' }])).toBe(
      [
        'Kafka cannot be started here.',
        '  missing: Java 17 or newer (none found)',
        '  to get it: apt-get install -y openjdk-17-jre-headless',
        '  missing: Maven',
        '  to get it: apt-get install -y maven',
        '  or: start Docker, or set KAFKA_BROKERS',
      ].join('\n'),
    );
  });

  test('does not offer a variable for an owned service', () => {
    expect(missingText('postgres', true, [java])).not.toContain('DATABASE_URL');
  });

  test('gives the command of the system', () => {
    expect(installCommand('maven', 'maven', 'linux')).toBe('apt-get install -y maven');
    expect(installCommand('openjdk-17-jre-headless', 'openjdk@17', 'darwin')).toBe('brew install openjdk@17');
  });
});
