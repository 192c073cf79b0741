import { loadPipelineFile, redactor } from '../../config/index.ts';
import { isTidemarkError } from '../../errors.ts';
import { errorJson, errorText } from '../errorOutput.ts';
import { type ExitCode, exitCodeOf, highestExitCode } from '../exitCodes.ts';
import { type CommandContext, jsonLine } from '../host.ts';

/** What the command line asks for, validated. */
export interface CheckCommand {
  readonly files: readonly string[];
  readonly json: boolean;
}

/** Loads every file and says what is wrong with each; the worst decides the exit code. */
export async function checkFiles({ files, json }: CheckCommand, context: CommandContext): Promise<ExitCode> {
  const codes: ExitCode[] = [];
  const results: Record<string, unknown>[] = [];
  for (const file of files) {
    try {
      const { secrets, spec } = await loadPipelineFile(file, context.environment);
      context.hide(redactor(secrets));
      results.push({ file, ok: true, pipeline: spec.pipeline });
      if (!json) context.out(`${file}: ok, pipeline ${spec.pipeline}\n`);
    } catch (error) {
      if (!isTidemarkError(error)) throw error;
      codes.push(exitCodeOf({ kind: 'failed', code: error.code }));
      results.push({ file, ok: false, error: errorJson(error, context.redact) });
      if (!json) context.err(errorText(error, false, context.redact));
    }
  }
  if (json) context.out(jsonLine({ files: results }));
  return highestExitCode(codes);
}
