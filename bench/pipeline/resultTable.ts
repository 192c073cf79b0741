import type { Spread } from './measures.ts';
import type { Results, Verdict } from './thresholds.ts';

/** For people: every contestant's figures, then every threshold with its verdict. */
export function resultTable(results: Results, verdicts: readonly Verdict[]): string {
  return [...Object.values(results).flatMap(workloadLines), '', ...verdictLines(verdicts)].join('\n');
}

function workloadLines({ title, missing, contestants }: Results[string]): string[] {
  const lines = Object.values(contestants).map(
    (contestant) =>
      `  ${contestant.title.padEnd(52)}${Object.entries(contestant.measures)
        .map(([name, spread]) => `${name} ${spreadText(spread)}`)
        .join('  ')}`,
  );
  return ['', title, ...lines, ...missing.map((what) => `  not measured: ${what}`)];
}

function verdictLines(verdicts: readonly Verdict[]): string[] {
  const width = Math.max(...verdicts.map(({ name }) => name.length)) + 2;
  return verdicts.map((verdict) => {
    const figure = verdict.value === undefined ? '' : `${verdict.value}${verdict.to === undefined ? '' : ' ×'}`;
    const range = verdict.spread === undefined ? '' : `(${verdict.spread.min} to ${verdict.spread.max})`;
    const outcome = verdict.outcome === 'pass' || verdict.outcome === 'miss' ? verdict.outcome.toUpperCase() : '';
    const limit = limitText(verdict);
    return `${(outcome === '' ? verdict.outcome : outcome).padEnd(13)}${verdict.name.padEnd(width)}${figure.padEnd(10)}${range.padEnd(20)}${limit}`;
  });
}

export function limitText({ atLeast, atMost }: Pick<Verdict, 'atLeast' | 'atMost'>): string {
  if (atLeast !== undefined) return `≥ ${atLeast}`;
  return atMost === undefined ? '' : `≤ ${atMost}`;
}

function spreadText({ median, min, max }: Spread): string {
  return `${median} (${min} to ${max})`;
}
