import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { skipWithout } from '../../services/index.ts';
import { findProgram, pathFolders } from '../../services/programs.ts';
import { commandHere } from '../../support/commandHere.ts';

async function script(shell: string): Promise<string> {
  const { code, stdout, stderr } = await commandHere(['completion', shell]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

const bash = await script('bash');

/** What bash offers for the last of the words, after `tidemark`. */
function offered(...words: readonly string[]): readonly string[] {
  const harness = `${bash}
COMP_WORDS=(tidemark "$@")
COMP_CWORD=$#
_tidemark
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const text = execFileSync('bash', ['--norc', '--noprofile', '-u', '-c', harness, 'bash', ...words], {
    encoding: 'utf8',
  });
  return text.split('\n').filter((line) => line !== '');
}

describe('completion in bash', () => {
  test.each([
    [[''], ['run', 'config', 'offsets', 'wal', 'completion']],
    [['off'], ['offsets']],
    [
      ['config', ''],
      ['check', 'explain', 'schema'],
    ],
    [['offsets', 'e'], ['export']],
    [['offsets', 'reset', '--to-e'], ['--to-earliest']],
    [
      ['offsets', 'clone', 'orders.yaml', '--to-'],
      ['--to-pipeline', '--to-store', '--to-group'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['run', '--log-level', 'd'], ['debug']],
    [['run', '--log-level', '=', 'd'], ['debug']],
    [
      ['run', '--log-level', '='],
      ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    ],
    [['--ver'], ['--version']],
    // A value that is a subcommand's name leads nowhere else.
    [['offsets', 'export', '--pipeline', 'reset', '--for'], ['--force']],
    [['nonsense', '--ver'], ['--version']],
  ])('%j is offered %j', (words, expected) => {
    expect(offered(...words)).toEqual(expected);
  });

  test('every option of a command, and none of another', () => {
    const options = offered('offsets', 'import', '-');
    expect(options).toEqual(expect.arrayContaining(['--from', '--adopt-topic', '--execute', '--help', '-h']));
    expect(options).not.toContain('--to-earliest');
  });

  test.each([
    [['run', '']],
    [['offsets', 'export', '--out', '']],
    [['offsets', 'lag', 'ord']],
    [['offsets', 'lag', 'a file with blanks', '']],
  ])('%j is left to names of files', (words) => {
    expect(offered(...words)).toEqual([]);
    expect(bash).toMatch(/^complete .*-o default .*tidemark$/m);
  });

  test('the script can be read twice, under the strictest settings', () => {
    const { status, stderr } = spawnSync('bash', ['--norc', '-euc', `${bash}\n${bash}\ncomplete -p tidemark`]);
    expect({ status, stderr: String(stderr) }).toEqual({ status: 0, stderr: '' });
  });
});

test.each(['zsh', 'fish'])('%s gets every subcommand with what it is for, in quotes that it takes', async (shell) => {
  const text = await script(shell);
  for (const name of ['run', 'export', 'clone', 'repair', 'completion']) expect(text).toMatch(`'${name}`);
  expect(text).toContain('compare positions of two places');
  expect(text).toContain('trace');
});

/** Says what a shell would offer for each line: zsh through functions in place of its own, which need a terminal. */
const askers: Readonly<Record<string, string>> = {
  zsh: `
compdef() { :; }
source $1
_describe() { [[ $1 == -o ]] && shift; local word; for word in "\${(@P)2}"; do [[ $word == $words[CURRENT]* ]] && print -r -- $word; done; :; }
_files() { print files; }
shift
for line; do words=("\${(@s: :)line}"); CURRENT=$#words; _tidemark; done`,
  fish: `
source $argv[1]
for line in $argv[2..-1]
    complete -C "$line"
end`,
};

describe.each(['zsh', 'fish'])('completion in %s', (shell) => {
  test('subcommands, options and words', async (context) => {
    const program = findProgram(shell, pathFolders());
    if (program === undefined) return skipWithout(context, shell, `${shell} is not installed`);
    const folder = await mkdtemp(join(tmpdir(), 'completion-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const [file, asker] = [join(folder, 'script'), join(folder, 'asker')];
    await Promise.all([writeFile(file, await script(shell)), writeFile(asker, askers[shell] ?? '')]);
    const lines = ['tidemark offsets ex', 'tidemark offsets clone --to-p', 'tidemark run --log-level de'];
    const options = shell === 'zsh' ? ['-f'] : ['--no-config'];
    const { stdout, stderr } = spawnSync(program, [...options, asker, file, ...lines], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual([
      expect.stringMatching(/^export[:\t]write positions down/),
      expect.stringMatching(/^--to-pipeline[:\t]the new pipeline/),
      expect.stringMatching(/^debug/),
    ]);
  });
});

test('another shell is refused', async () => {
  const { code, stderr } = await commandHere(['completion', 'tcsh']);
  expect(code).toBe(2);
  expect(stderr).toMatch(/tcsh.*bash, zsh, fish/);
});
