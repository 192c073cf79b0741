/** The environment a file may name variables of. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What became of a text with variables. */
export interface Expansion {
  readonly text: string;
  /** Variables that were put in, in order, with whether their default was taken. */
  readonly used: readonly { readonly name: string; readonly isDefault: boolean }[];
  /** Variables that are not set and have no default. */
  readonly missing: readonly string[];
  /** The first part that begins like a variable and is none. */
  readonly malformed: string | undefined;
}

const variable = /\$\$\{|\$\{([^}]*)(\}?)/g;
const inside = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/**
 * Puts environment variables into a text: `${NAME}`, and `${NAME:-default}` where NAME is not set or empty (as in a
 * POSIX shell). `$${` stands for `${` itself. A default is plain text: variables do not nest.
 */
export function expandVariables(text: string, environment: Environment): Expansion {
  const used: { name: string; isDefault: boolean }[] = [];
  const missing: string[] = [];
  let malformed: string | undefined;
  const expanded = text.replace(variable, (found, content: string | undefined, end: string | undefined) => {
    if (content === undefined) return '${';
    const match = inside.exec(content);
    if (end === '' || match === null || content.includes('${')) {
      malformed ??= found;
      return found;
    }
    const [, name = '', fallback] = match;
    const value = environment[name];
    const isDefault = fallback !== undefined && (value === undefined || value === '');
    if (value === undefined && !isDefault) missing.push(name);
    else used.push({ name, isDefault });
    return isDefault ? fallback : (value ?? '');
  });
  return { text: expanded, used, missing, malformed };
}
