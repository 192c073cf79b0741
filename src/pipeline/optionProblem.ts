/** One thing wrong with the options, in words a person can act on. */
export interface OptionProblem {
  /** Where, as keys from the root. */
  readonly keys: readonly PropertyKey[];
  /** What is wrong; quotes the value unless it is secret. */
  readonly message: string;
  /** What would be right. */
  readonly allowed?: string;
  /** The way out. */
  readonly hint?: string;
}

/** `kafka.brokers[0]`, `source.partitions["my.topic"]`; the root is the empty text. */
export function optionPath(keys: readonly PropertyKey[]): string {
  let path = '';
  for (const key of keys) {
    if (typeof key === 'number') path += `[${key}]`;
    else if (/^[\w-]+$/.test(String(key))) path += path === '' ? String(key) : `.${String(key)}`;
    else path += `[${JSON.stringify(String(key))}]`;
  }
  return path;
}

/** One line: place, what is wrong, what is allowed, the way out. */
export function problemText({ keys, message, allowed, hint }: OptionProblem): string {
  const path = optionPath(keys);
  const parts = [message];
  if (allowed !== undefined) parts.push(`allowed: ${allowed}`);
  if (hint !== undefined) parts.push(hint);
  return `${path === '' ? '' : `${path}: `}${parts.join('; ')}`;
}

const shownCharactersMax = 60;

/** A value for a message, cut short. */
export function shown(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'string') return String(value);
  const text = JSON.stringify(value);
  return text.length <= shownCharactersMax ? text : `${text.slice(0, shownCharactersMax)}…`;
}

/** What a path leads to in a user's value. */
export function valueAt(value: unknown, keys: readonly PropertyKey[]): unknown {
  let current = value;
  for (const key of keys) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined;
    current = (current as Record<PropertyKey, unknown>)[key];
  }
  return current;
}
