/**
 * Why one value cannot be stored, as the end of a sentence about it: "… is not UTF-8". Whoever knows record and column
 * makes a TidemarkError of it; it never leaves the sink.
 */
export class Refusal extends Error {
  /** The value is not what the mapping expects at all, e.g. not JSON. */
  readonly isUnparsable: boolean;

  constructor(reason: string, isUnparsable = false) {
    super(reason);
    this.isUnparsable = isUnparsable;
  }
}

/** A value as it appears in an error: short, on one line. */
export function shown(value: unknown): string {
  let text: string;
  if (typeof value === 'string') text = JSON.stringify(value);
  else if (typeof value === 'bigint') text = `${value}n`;
  else if (Buffer.isBuffer(value)) text = `${value.length} bytes`;
  else if (value instanceof Date) text = Number.isNaN(value.getTime()) ? 'an invalid Date' : value.toISOString();
  else if (Array.isArray(value)) text = 'an array';
  else if (typeof value === 'object' && value !== null) text = 'an object';
  else if (typeof value === 'function' || typeof value === 'symbol') text = `a ${typeof value}`;
  else text = String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

export function shownBytes(bytes: Buffer, start: number, end: number): string {
  return shown(bytes.toString('utf8', start, Math.min(end, start + 120)));
}
