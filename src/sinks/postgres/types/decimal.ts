/** A decimal number, exactly: `digits` × 10^-`scale`. */
export interface Decimal {
  readonly negative: boolean;
  /** No leading zeros; `0` for zero. */
  readonly digits: string;
  /** May be negative: 1e3 is 1 × 10^3. */
  readonly scale: number;
}

const grammar = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,7}))?$/;

/** JSON's grammar of numbers; undefined for anything else. Exponents have at most seven digits: beyond, no type has room. */
export function parseDecimal(text: string): Decimal | undefined {
  const match = grammar.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const digits = (whole + fraction).replace(/^0+(?=\d)/, '');
  return { negative: sign === '-', digits, scale: fraction.length - Number(exponent) };
}

/** The number where it is whole and has at most `digitsMax` digits. */
export function wholeNumberOf(decimal: Decimal, digitsMax: number): bigint | 'fraction' | 'too large' {
  const { digits, scale } = decimal;
  if (digits === '0') return 0n;
  if (scale > 0) {
    const cut = digits.length - scale;
    if (cut <= 0 || !/^0*$/.test(digits.slice(cut))) return 'fraction';
    return cut > digitsMax ? 'too large' : signed(decimal, digits.slice(0, cut));
  }
  if (digits.length - scale > digitsMax) return 'too large';
  return signed(decimal, digits + '0'.repeat(-scale));
}

function signed(decimal: Decimal, digits: string): bigint {
  const value = BigInt(digits);
  return decimal.negative ? -value : value;
}
