import { isUtf8 } from 'node:buffer';

export const byteFormats = ['json', 'text', 'hex'] as const;
export type ByteFormat = (typeof byteFormats)[number];

/** Bytes as people read them, and how that was done. */
export interface ReadableBytes {
  readonly format: ByteFormat;
  readonly text: string;
}

/** JSON if it parses, else text if it is UTF-8, else hexadecimal digits; `wanted` says with which of them to begin. */
export function readableBytes(bytes: Buffer, wanted: ByteFormat): ReadableBytes {
  if (wanted === 'hex' || !isUtf8(bytes)) return { format: 'hex', text: bytes.toString('hex') };
  const text = bytes.toString('utf8');
  return wanted === 'json' && isJson(text) ? { format: 'json', text } : { format: 'text', text };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** One line that a terminal shows as it is: nothing in a record moves its cursor or turns its text around. */
export function oneLine({ format, text }: ReadableBytes): string {
  // Outside of its strings JSON may have line breaks, inside there are none.
  const flat = format === 'json' ? text.trim().replace(/\s*[\r\n]\s*/g, ' ') : text;
  return flat.replace(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not reach a terminal
const unprintable = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** At most `widthMax` characters, an ellipsis among them where some are left off. */
export function clipped(text: string, widthMax: number): string {
  if (text.length <= widthMax) return text;
  // Half of a surrogate pair is no character.
  return `${text.slice(0, widthMax - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
