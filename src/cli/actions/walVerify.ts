import { type ExitCode, exitCodeOf, exitCodes } from '../exitCodes.ts';
import { type CommandContext, jsonLine } from '../host.ts';
import { inspectContents } from './walContents.ts';
import { walCounts, walFacts, walRemarks } from './walFacts.ts';
import type { WalCommand } from './walInspect.ts';

/** Checks the log, and says what is wrong with it. */
export async function verifyWal({ dir, json }: WalCommand, context: CommandContext): Promise<ExitCode> {
  const { found, receiver } = await inspectContents(dir);
  const isGood = found.damages.length === 0;
  if (json) context.out(jsonLine({ ok: isGood, ...walFacts(dir, found, receiver) }));
  else {
    for (const remark of walRemarks(dir, found)) context.err(`tidemark: ${remark}\n`);
    const { entriesWaiting, entriesDone } = walCounts(found);
    const holds = `${entriesWaiting} entries wait, ${entriesDone} are done, ${found.segments.length} segments`;
    if (isGood) context.out(`${dir}: ok, ${holds}\n`);
  }
  return isGood ? exitCodes.done : exitCodeOf({ kind: 'checkFailed' });
}
