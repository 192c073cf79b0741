/**
 * Writes the figures of a run into docs/benchmarks.md, between its markers:
 * node --import jiti/register bench/report.ts FILE (the JSON of bench/run.ts)
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { machineFacts } from './machine.ts';
import { limitText } from './pipeline/resultTable.ts';
import type { Settings } from './pipeline/settings.ts';
import type { Results, Verdict } from './pipeline/thresholds.ts';

interface Report {
  readonly startedAt: string;
  readonly machine: ReturnType<typeof machineFacts>;
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: Settings;
  readonly workloads: Results;
  readonly verdicts: readonly Verdict[];
}

const begin = '<!-- figures: written by bench/report.ts -->';
const end = '<!-- end of figures -->';

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node --import jiti/register bench/report.ts FILE');
  process.exitCode = 2;
} else {
  const page = new URL('../docs/benchmarks.md', import.meta.url);
  const text = readFileSync(page, 'utf8');
  const from = text.indexOf(begin);
  const until = text.indexOf(end);
  if (from < 0 || until < from) throw new Error(`docs/benchmarks.md has no place for figures: ${begin} … ${end}`);
  const figures = figuresText(JSON.parse(readFileSync(file, 'utf8')) as Report);
  writeFileSync(page, `${text.slice(0, from + begin.length)}\n\n${figures}\n\n${text.slice(until)}`);
}

function figuresText(report: Report): string {
  return [placeText(report), verdictTable(report.verdicts), contestantTable(report.workloads)].join('\n\n');
}

function placeText({ startedAt, machine, versions, settings }: Report): string {
  const memoryGiB = Math.round(machine.memoryBytes / 1_073_741_824);
  const server = /^PostgreSQL \S+/.exec(versions.server ?? '')?.[0] ?? 'PostgreSQL';
  const kafka = /broker ([\d.]+)/.exec(versions.kafka ?? '')?.[1] ?? '';
  return `${startedAt.slice(0, 10)}: ${machine.cpu}, ${machine.cores} cores, ${memoryGiB} GiB, ${machine.system}; Node ${machine.node}, Kafka ${kafka}, ${server}, ${versions.psql}; ${settings.records} records, medians of ${settings.runs}, load ${machine.loadAverageAtStart} before it began.`;
}

function verdictTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map((verdict) => {
    const { name, to, value, spread, outcome } = verdict;
    const figure = value === undefined ? '' : `${value}${to === undefined ? '' : ' ×'}`;
    const range = spread === undefined ? '' : `${spread.min} to ${spread.max}`;
    return `| ${name} | ${figure} | ${range} | ${limitText(verdict)} | ${outcome} |`;
  });
  return ['| figure | median | over the rounds | must reach | |', '|---|---|---|---|---|', ...rows].join('\n');
}

function contestantTable(workloads: Results): string {
  const rows = Object.values(workloads).flatMap(({ title, contestants }) =>
    Object.values(contestants).map((contestant) => {
      const measures = Object.entries(contestant.measures).map(([name, { median }]) => `${name} ${median}`);
      return `| ${title} | ${contestant.title} | ${measures.join(', ')} |`;
    }),
  );
  return ['| workload | contestant | medians |', '|---|---|---|', ...rows].join('\n');
}
