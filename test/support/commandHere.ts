import { runCli } from '../../src/cli/program.ts';

export interface CommandHereOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Default false. */
  readonly isOutTty?: boolean;
  readonly onInterrupt?: (callback: () => void) => () => void;
  /** Called with each piece of standard output. */
  readonly onOut?: (text: string) => void;
}

/** Runs the command line in this process, from argv to the exit code. */
export async function commandHere(
  args: readonly string[],
  { environment = {}, onOut, ...host }: CommandHereOptions = {},
) {
  let stdout = '';
  let stderr = '';
  const code = await runCli(args, {
    ...host,
    environment,
    version: '0.0.0',
    isErrTty: false,
    out: (text) => {
      stdout += text;
      onOut?.(text);
    },
    err: (text) => {
      stderr += text;
    },
    exit: () => {
      throw new Error('the command does not end the process');
    },
  });
  return { code, stdout, stderr };
}
