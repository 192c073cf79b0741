import { TidemarkError } from '../../../errors.ts';

/** The server cuts longer names off without a word, and two schemas would become one (NAMEDATALEN). */
const identifierBytesMax = 63;

/**
 * A string as a literal of PostgreSQL, whatever `standard_conforming_strings` says: the E form is used as soon as there is a
 * backslash. A NUL cannot be in any text of PostgreSQL, a lone surrogate would arrive as U+FFFD: both are refused, `storable`
 * is for texts that may hold them.
 */
export function quoteLiteral(text: string): string {
  requireStorable(text);
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
  return text.includes('\\') ? ` E${quoted}` : quoted;
}

/** A name, exactly as it is written: case and odd characters included. */
export function quoteIdentifier(name: string): string {
  requireStorable(name);
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > identifierBytesMax) {
    throw new TidemarkError(
      'CONFIG_INVALID',
      `A name in PostgreSQL has 1 to ${identifierBytesMax} bytes; "${name}" has ${bytes}`,
      { hint: 'Choose a shorter name.' },
    );
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** The text with everything replaced that no column takes. For reasons and messages, which quote what others wrote. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\uFFFD').replaceAll(/\p{Surrogate}/gu, '\uFFFD');
}

function requireStorable(text: string): void {
  if (!text.includes('\0') && !/\p{Surrogate}/u.test(text)) return;
  throw new TidemarkError(
    'CONFIG_INVALID',
    `PostgreSQL cannot hold the text ${JSON.stringify(text)}: it has a NUL or half of a surrogate pair`,
    { hint: 'Choose another name.' },
  );
}
