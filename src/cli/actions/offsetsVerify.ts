import { readPipelineFile } from '../../config/index.ts';
import { partitionName } from '../../model/index.ts';
import {
  type DeeplyVerified,
  type RowTarget,
  type VerifiedPartition,
  type VerifyStep,
  verify,
  verifyDeep,
} from '../../operations/index.ts';
import { type ExitCode, exitCodeOf, exitCodes } from '../exitCodes.ts';
import { type CommandContext, jsonLine } from '../host.ts';
import type { PlaceArguments } from '../placeOptions.ts';
import { choiceOf, progressSource, storeSource, withOpen } from '../progress.ts';
import { textTable } from '../table.ts';

export interface VerifyCommand extends PlaceArguments {
  readonly deep: boolean;
  readonly json: boolean;
}

type Verified = VerifiedPartition & Partial<Pick<DeeplyVerified, 'log' | 'rows'>>;

/** Proves the ledger, and shows what it comes to. */
export async function verifyOffsets(command: VerifyCommand, context: CommandContext): Promise<ExitCode> {
  const { deep, json, raw } = command;
  const choice = choiceOf(raw);
  const onStep = stepLines(context);
  const source = await (deep ? progressSource(command, context) : storeSource(command, context));
  const target = deep ? await targetOf(command, context) : undefined;
  const rows = typeof target === 'string' ? undefined : target;
  const verified: readonly Verified[] = await withOpen(source, 'look', (progress) =>
    deep ? verifyDeep(progress, { choice, onStep, rows }) : verify(progress, { choice, onStep }),
  );
  const findings = verified.flatMap((one) =>
    one.findings.map((finding) => ({ ...finding, text: context.redact(finding.text) })),
  );
  if (json) {
    const { pipeline } = source;
    const rowsNotCompared = typeof target === 'string' ? target : undefined;
    const facts = { pipeline, ok: findings.length === 0, deep, rowsNotCompared };
    context.out(jsonLine({ ...facts, partitions: verified.map(fieldsOf), findings }));
  } else {
    context.out(verifiedTable(verified, deep));
    const lines = [
      ...findings.map(({ text }) => `WRONG: ${text}`),
      ...verified.flatMap(notesOf),
      ...(typeof target === 'string' ? [`note: rows are not compared: ${target}`] : []),
    ];
    if (lines.length > 0) context.out(`\n${lines.join('\n')}\n`);
  }
  return findings.length > 0 ? exitCodeOf({ kind: 'checkFailed' }) : exitCodes.done;
}

/** The target of a file whose rows can be counted, or why they are not. */
async function targetOf({ file }: VerifyCommand, context: CommandContext): Promise<RowTarget | string> {
  const needed = 'that needs FILE with a PostgreSQL sink whose columns take $partition and $offset';
  if (file === undefined) return needed;
  const { spec } = await readPipelineFile(file, context.environment);
  if (!('type' in spec.sink) || spec.sink.type !== 'postgres') return needed;
  if (spec.store !== undefined) return 'the offsets are kept apart from them, so rows may be there twice';
  const { censusTable } = await import('../../sinks/postgres/census/index.ts');
  return censusTable(spec.sink) ?? needed;
}

/** A line a second, where a person looks. */
function stepLines({ isErrTty, err }: CommandContext): (step: VerifyStep) => void {
  let nextMs = Date.now() + 1000;
  return ({ what, count, of }) => {
    if (!isErrTty || Date.now() < nextMs) return;
    nextMs = Date.now() + 1000;
    err(`tidemark: ${count} ${what}${of === undefined ? '' : `, at ${partitionName(of)}`}\n`);
  };
}

function verdictOf({ findings }: Verified): 'whole' | 'broken' {
  return findings.length === 0 ? 'whole' : 'broken';
}

function fieldsOf(one: Verified) {
  const { topic, partition, row, proof, log, rows } = one;
  const counts = proof === undefined ? {} : proof.counts;
  const history =
    proof === undefined
      ? {}
      : { ranges: proof.ranges, gaps: proof.gaps, gapOffsets: proof.gapOffsets, resets: proof.resets };
  return {
    ...{ topic, partition, storedOffset: row?.nextOffset, historyFrom: proof?.first.fromOffset },
    ...{ incarnation: proof?.newest.incarnation, ...history, ...counts },
    log: log && {
      ...{ fromOffset: log.fromOffset, untilOffset: log.untilOffset, ranges: log.ranges, records: log.records },
      ...{ shrunkRanges: log.shrunkRanges, reason: log.reason },
    },
    rowsOfTarget: rows && { rows: rows.rows, reason: rows.reason },
    ...{ findings: one.findings.length + one.findingsLeftOff, verdict: verdictOf(one) },
  };
}

function verifiedTable(verified: readonly Verified[], deep: boolean): string {
  const head = [
    ...['TOPIC', 'PARTITION', 'RANGES', 'RECORDS', 'PRODUCED', 'DROPPED', 'SKIPPED', 'DEAD', 'GAPS', 'GAP-OFFSETS'],
    ...['RESETS', ...(deep ? ['READ-FROM', 'READ-UNTIL', 'READ-RECORDS', 'TARGET-ROWS'] : []), 'VERDICT'],
  ];
  const cells = verified.map((one) => {
    const { topic, partition, proof, log, rows } = one;
    const { records, produced, dropped, skipped, deadLettered } = proof?.counts ?? {};
    const read = [log?.fromOffset, log?.untilOffset, log?.records, rows?.rows];
    const history = [proof?.ranges, records, produced, dropped, skipped, deadLettered, proof?.gaps, proof?.gapOffsets];
    const figures = [...history, proof?.resets, ...(deep ? read : [])].map((figure) => String(figure ?? '-'));
    return [topic, String(partition), ...figures, verdictOf(one)];
  });
  return textTable(head, cells);
}

/** What is no finding, and has to be known to judge how much was proven. */
function notesOf(one: Verified): readonly string[] {
  const { proof, log, rows, findingsLeftOff } = one;
  const notes = [
    ...(findingsLeftOff === 0 ? [] : [`${findingsLeftOff} more findings`]),
    ...(proof === undefined || proof.first.kind === 'base'
      ? []
      : [`the history is kept from offset ${proof.first.fromOffset} on`]),
    ...(log?.reason === undefined ? [] : [`the log was not read to the end: ${log.reason}`]),
    ...(log === undefined || log.shrunkRanges === 0
      ? []
      : [`${log.shrunkRanges} ranges have fewer records than counted: compacted or expired since`]),
    ...(rows?.reason === undefined ? [] : [`rows of the target: ${rows.reason}`]),
  ];
  return notes.map((note) => `note: ${partitionName(one)}: ${note}`);
}
