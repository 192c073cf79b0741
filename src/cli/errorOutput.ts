import { isTidemarkError, messageOf } from '../errors.ts';
import { exitCodeOf } from './exitCodes.ts';
import { jsonLine } from './host.ts';

/**
 * An error for standard error: each line begins with `tidemark:`, or one line of JSON. Only what the error says is redacted:
 * a password that is also one of our own words must not change those.
 */
export function errorText(error: unknown, asJson: boolean, redact: (text: string) => string): string {
  if (asJson) return jsonLine({ error: errorJson(error, redact) });
  if (!isTidemarkError(error)) {
    // Not ours: a bug, where the stack is what helps.
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `${prefixed(redact(text))}\n`;
  }
  const hint = error.hint === undefined ? [] : [`hint: ${error.hint}`];
  return `${prefixed([`${redact(error.message)} [${error.code}]`, ...hint].join('\n'))}\n`;
}

/** The fields scripts may rely on. */
export function errorJson(error: unknown, redact: (text: string) => string): Record<string, unknown> {
  if (isTidemarkError(error)) {
    const { message, ...facts } = error.toJSON();
    const exitCode = exitCodeOf({ kind: 'failed', code: error.code });
    return { ...facts, message: redact(String(message)), exitCode };
  }
  return {
    code: 'INVARIANT_BROKEN',
    message: redact(messageOf(error)),
    exitCode: exitCodeOf({ kind: 'failed', code: undefined }),
  };
}

function prefixed(text: string): string {
  return text
    .split('\n')
    .map((line) => `tidemark: ${line}`)
    .join('\n');
}
