import type { MovePlan } from '../operations/index.ts';
import { type CommandContext, jsonLine } from './host.ts';
import { textTable } from './table.ts';

/** Prints a plan: the table on standard output, warnings and what to do next on standard error; with `json` all of it in one line. */
export function printPlan(pipeline: string, plan: MovePlan, json: boolean, context: CommandContext): void {
  const { redact } = context;
  if (json) {
    context.out(jsonLine({ pipeline, ...plan, warnings: plan.warnings.map(redact) }));
    return;
  }
  context.out(planTable(plan));
  for (const warning of plan.warnings) context.err(`tidemark: ${redact(warning)}\n`);
  context.err(`tidemark: ${summary(plan)}\n`);
}

function planTable({ moves }: MovePlan): string {
  const rows = moves.map(({ topic, partition, before, after, rereadOffsets, passedOffsets, owner }) => [
    topic,
    String(partition),
    String(before ?? '-'),
    String(after),
    String(rereadOffsets),
    String(passedOffsets),
    owner ?? '-',
  ]);
  return textTable(['TOPIC', 'PARTITION', 'BEFORE', 'AFTER', 'RE-READ', 'PASSED', 'OWNER'], rows);
}

function summary({ moves, executed }: MovePlan): string {
  const sum = (of: (move: MovePlan['moves'][number]) => bigint) => moves.reduce((total, move) => total + of(move), 0n);
  const offsets = `${sum((move) => move.rereadOffsets)} offsets read again, ${sum((move) => move.passedOffsets)} passed over`;
  const partitions = `${moves.length} partition${moves.length === 1 ? '' : 's'}`;
  if (executed) return `moved ${partitions}: ${offsets}`;
  return `nothing was changed: this is the plan for ${partitions}, ${offsets}; --execute applies it`;
}
