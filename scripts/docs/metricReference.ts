import { type MetricDefinition, metrics } from '../../src/daemon/index.ts';

/** The table of all metrics: the generated part of docs/metrics.md. */
export function metricReference(): string {
  const rows = Object.values<MetricDefinition>(metrics).map(({ name, kind, labels, help }) => {
    const names = labels.map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${kind} | ${names} | ${help} |`;
  });
  return ['| metric | kind | labels | meaning |', '|---|---|---|---|', ...rows].join('\n');
}
