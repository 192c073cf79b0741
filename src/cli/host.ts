import type { Environment } from '../config/index.ts';
import type { ExitCode } from './exitCodes.ts';

/** The outside of the command line: what tests and `main.ts` bring. */
export interface CliHost {
  readonly environment: Environment;
  readonly version: string;
  /** Whether a person looks at standard error. */
  readonly isErrTty: boolean;
  /** Whether a person looks at standard output: what changes can be drawn anew. Default false. */
  readonly isOutTty?: boolean;
  /** Data. */
  out(text: string): void;
  /** Everything else. */
  err(text: string): void;
  /** Asks a person and answers the line they typed; undefined where standard input is not a person. */
  readonly ask?: ((question: string) => Promise<string>) | undefined;
  /** Calls back at the next SIGINT instead of ending the process; what it returns takes that back. Default: nothing interrupts. */
  onInterrupt?(callback: () => void): () => void;
  /** Ends the process now. */
  exit(code: ExitCode): never;
}

/** What a subcommand's action gets. */
export interface CommandContext extends CliHost {
  /** Says which code the process ends with when everything is written. */
  finish(code: ExitCode): void;
  /** Makes `redact` take out the secrets of a file that was read. */
  hide(redact: (text: string) => string): void;
  /** For every text that comes from elsewhere: messages, reasons, names. */
  readonly redact: (text: string) => string;
}

/** Data as one line of JSON; offsets as decimal text. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? String(item) : item))}\n`;
}
