import { nearestName } from '../../../platform/index.ts';
import type { JsonPath } from '../json/jsonPath.ts';

/** Parts of a record that a column can take as they are. */
export const recordParts = ['key', 'value', 'headers', 'topic', 'partition', 'offset', 'timestamp'] as const;
export type RecordPart = (typeof recordParts)[number];

/** Where a column's value comes from. */
export type ColumnSource =
  | { readonly kind: 'part'; readonly part: RecordPart }
  /** A place in the value, which is JSON. */
  | { readonly kind: 'path'; readonly path: JsonPath }
  /** A field of the row a transform returned. */
  | { readonly kind: 'field'; readonly name: string };

/** Written as in the options: `$offset`, `$value.a["b c"][0]`, or the name of a field. A string is what is wrong with it. */
export function parseColumnSource(text: string): ColumnSource | string {
  if (!text.startsWith('$')) return { kind: 'field', name: text };
  const name = /^\$([A-Za-z]*)/.exec(text)?.[1] ?? '';
  const part = recordParts.find((candidate) => candidate === name);
  if (part === undefined) {
    const near = nearestName(
      `$${name}`,
      recordParts.map((known) => `$${known}`),
    );
    const hint = near === undefined ? `one of ${recordParts.map((known) => `$${known}`).join(' ')}` : near;
    return `'${text}' is no part of a record, did you mean ${hint}?`;
  }
  const rest = text.slice(name.length + 1);
  if (rest === '') return { kind: 'part', part };
  if (part !== 'value') return `'${text}' looks into $${part}, but only $value is read as JSON`;
  const path = parsePath(rest);
  return path === undefined
    ? `'${text}' is no path: write $value.name, $value["any name"] or $value.list[0]`
    : { kind: 'path', path };
}

const step = /^(?:\.([^.[\]"'\s]+)|\[(\d{1,9})\]|\[("(?:[^"\\]|\\.)*")\]|\['([^']*)'\])/;

function parsePath(text: string): JsonPath | undefined {
  const path: (string | number)[] = [];
  for (let rest = text; rest !== ''; ) {
    const match = step.exec(rest);
    if (match === null) return undefined;
    const [all, name, index, quoted, single] = match;
    if (index !== undefined) {
      path.push(Number(index));
    } else if (quoted === undefined) {
      path.push(name ?? single ?? '');
    } else {
      try {
        path.push(JSON.parse(quoted) as string);
      } catch {
        return undefined;
      }
    }
    rest = rest.slice(all.length);
  }
  return path;
}
