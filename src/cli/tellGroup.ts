import { mirrorPositions, type Progress } from '../operations/index.ts';
import type { CommandContext } from './host.ts';

/** After positions were moved: lag tools that look at the consumer group are to see it. That it could not be told is no failure. */
export async function tellGroup(progress: Progress, { err, redact }: CommandContext): Promise<void> {
  const why = await mirrorPositions(progress);
  if (why !== undefined) err(`tidemark: ${redact(why)}\n`);
}
