import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../../src/telemetry/events.ts', import.meta.url));

/** An event with the comment that stands over it, which holds for the events below it as well. */
export interface DocumentedEvent {
  readonly name: string;
  readonly when: string;
  readonly fields: readonly string[];
}

/** Reads the event map. There is no other declaration of what an event means than its comment. */
export function documentedEvents(text: string = readFileSync(source, 'utf8')): readonly DocumentedEvent[] {
  const body = /export interface PipelineEvents \{\n([\s\S]*?)\n\}/.exec(text)?.[1] ?? '';
  let when = '';
  return [...body.matchAll(/^ {2}\/\*\*\s([\s\S]*?)\s\*\/$|^ {2}(\w+): ([\s\S]*?);$(?=\n {2}\S|(?![\s\S]))/gm)].flatMap(
    ([, comment, name, type = '']) => {
      if (comment !== undefined) when = comment.replaceAll(/\s*\n?\s*\* /g, ' ').trim();
      if (name === undefined) return [];
      const own = [...type.matchAll(type.includes('\n') ? /^ {4}readonly (\w+):/gm : /readonly (\w+):/g)].map(
        ([, field = '']) => field,
      );
      return [{ name, when, fields: type.startsWith('TopicPartition') ? ['topic', 'partition', ...own] : own }];
    },
  );
}

/** The table of all events: the generated part of docs/events.md. */
export function eventReference(): string {
  const rows = documentedEvents().map(
    ({ name, when, fields }) => `| \`${name}\` | ${fields.map((field) => `\`${field}\``).join(', ')} | ${when} |`,
  );
  return ['| event | fields | when |', '|---|---|---|', ...rows].join('\n');
}
