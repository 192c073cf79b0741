import { TidemarkError } from '../errors.ts';
import { nearestName } from '../platform/index.ts';

/** `--flag: what is wrong (value), what is allowed`. */
export function usageError(flag: string, what: string, allowed?: string): TidemarkError {
  return new TidemarkError('USAGE_INVALID', `${flag}: ${what}${allowed === undefined ? '' : `, ${allowed}`}`, {
    path: flag,
    hint: 'See tidemark --help.',
  });
}

/** One of the allowed words. */
export function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === value);
  if (found !== undefined) return found;
  const near = nearestName(value, allowed);
  const meant = near === undefined ? '' : ` (did you mean ${near}?)`;
  throw usageError(flag, `unknown value (${value})`, `allowed: ${allowed.join(', ')}${meant}`);
}

/** A whole number from 0 on. */
export function wholeNumber(flag: string, value: string): bigint {
  if (!/^\d{1,19}$/.test(value)) throw usageError(flag, `not a whole number (${value})`, 'allowed: 0 or more');
  return BigInt(value);
}

/** A number of things that are held in memory. */
export function countUpTo(flag: string, value: string, max: number): number {
  const count = wholeNumber(flag, value);
  if (count > BigInt(max)) throw usageError(flag, `too many (${value})`, `allowed: 0 to ${max}`);
  return Number(count);
}

/** A whole number with or without a sign. */
export function signedNumber(flag: string, value: string): bigint {
  if (!/^[+-]?\d{1,19}$/.test(value))
    throw usageError(flag, `not a whole number (${value})`, 'allowed: 100, +100 or -100');
  return BigInt(value.replace(/^\+/, ''));
}

/** How a command that shows something writes it. */
export type OutputForm = 'text' | 'json' | 'csv';

export function outputForm({ json, csv }: { readonly json?: true; readonly csv?: true }): OutputForm {
  if (json && csv) throw usageError('--csv', 'excludes --json', 'allowed: one of them');
  if (json) return 'json';
  return csv ? 'csv' : 'text';
}
