#!/usr/bin/env node
import type { ExitCode } from './exitCodes.ts';
import type { CliHost } from './host.ts';
import { runCli } from './program.ts';
import { packageVersion } from './version.ts';

/** Standard output or error: a reader that went away (`| head`) is not an error. */
function openStream(stream: NodeJS.WriteStream): (text: string) => void {
  let isClosed = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') throw error;
    isClosed = true;
  });
  return (text) => {
    if (!isClosed) stream.write(text);
  };
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}

async function ask(question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}

const host: CliHost = {
  environment: process.env,
  version: packageVersion(),
  isErrTty: process.stderr.isTTY === true,
  isOutTty: process.stdout.isTTY === true,
  out: openStream(process.stdout),
  err: openStream(process.stderr),
  ask: process.stdin.isTTY === true ? ask : undefined,
  onInterrupt: (callback) => {
    process.once('SIGINT', callback);
    return () => process.off('SIGINT', callback);
  },
  exit: (code: ExitCode) => process.exit(code),
};

const exitCode = await runCli(process.argv.slice(2), host);
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
// A transform may have left timers or connections open: the command has ended all the same.
process.exit(exitCode);
