import { explainPipeline, explanationText, readPipelineFile, redactor } from '../../config/index.ts';
import { type CommandContext, jsonLine } from '../host.ts';

/** What the command line asks for, validated. */
export interface ExplainCommand {
  readonly file: string;
  readonly json: boolean;
}

/** Writes what the file comes to. */
export async function explainFile({ file, json }: ExplainCommand, context: CommandContext): Promise<void> {
  const read = await readPipelineFile(file, context.environment);
  context.hide(redactor(read.secrets));
  const explanation = explainPipeline(read);
  context.out(json ? jsonLine(explanation) : explanationText(explanation));
}
