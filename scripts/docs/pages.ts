import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { commandReference, exitCodeReference } from './commandReference.ts';
import { eventReference } from './eventReference.ts';
import { metricReference } from './metricReference.ts';
import { optionReference } from './optionReference.ts';

/** Parts of pages that are made of the code, by the name in their markers. */
const generated: Readonly<Record<string, () => string>> = {
  options: optionReference,
  commands: commandReference,
  'exit codes': exitCodeReference,
  metrics: metricReference,
  events: eventReference,
};

/** Pages with generated parts. */
export const pages = ['docs/config.md', 'docs/cli.md', 'docs/metrics.md', 'docs/events.md'];

export function readPage(page: string): string {
  return readFileSync(fileURLToPath(new URL(`../../${page}`, import.meta.url)), 'utf8');
}

/**
 * The text with everything between `<!-- generated: NAME -->` and `<!-- end -->` made anew. Throws for a name nobody
 * generates and for a marker without its end.
 */
export function withGeneratedParts(text: string): string {
  const parts = text.split(/(<!-- generated: [^>]*? -->)/);
  return parts
    .map((part, index) => {
      const name = /^<!-- generated: (.*) -->$/.exec(parts[index - 1] ?? '')?.[1];
      if (name === undefined) return part;
      const end = part.indexOf('<!-- end -->');
      const generate = generated[name];
      if (generate === undefined) throw new Error(`nothing generates '${name}'`);
      if (end < 0) throw new Error(`'${name}' has no end`);
      return `\n${generate()}\n${part.slice(end)}`;
    })
    .join('');
}
