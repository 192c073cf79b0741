import { repairWal } from '../../wal/index.ts';
import { type CommandContext, jsonLine } from '../host.ts';
import { walFacts, walRemarks } from './walFacts.ts';
import type { WalCommand } from './walInspect.ts';

/** What the command line asks for, validated. */
export interface WalRepairCommand extends WalCommand {
  readonly to: string;
}

/** Saves what is good, and lists what is not. */
export async function saveWal({ dir, to, json }: WalRepairCommand, context: CommandContext): Promise<void> {
  const { from, entriesSaved, lost } = await repairWal(dir, to);
  if (json) {
    context.out(jsonLine({ to, entriesSaved, lost, from: walFacts(dir, from) }));
    return;
  }
  for (const remark of walRemarks(dir, from)) context.err(`tidemark: ${remark}\n`);
  context.out(`${to}: ${entriesSaved} entries saved\n`);
  for (const { fromIndex, untilIndex } of lost) {
    context.out(`lost: entries ${fromIndex} to ${untilIndex - 1n}\n`);
  }
}
