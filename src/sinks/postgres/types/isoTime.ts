import { dayOf, daysInMonth, type Moment, microsPerDay } from './calendar.ts';

/** What a text of ISO 8601 says. */
export interface IsoTime extends Moment {
  /** Whether a time of day was given. */
  readonly hasTime: boolean;
  /** Offset east of UTC in minutes; undefined where none was given. */
  readonly offsetMinutes: number | undefined;
}

const colon = 0x3a;
const minus = 0x2d;
const plus = 0x2b;
const fractionDigitsMax = 18;
/** What the last digit of a fraction of so many is worth. */
const microsByDigits = [0, 100_000, 10_000, 1000, 100, 10, 1];

/**
 * Reads `2024-05-01`, `2024-05-01T12:00:00.123456Z`, also with a space for the T, without seconds, and with offsets
 * `+02:00`, `+0200` or `+02`; years as JavaScript writes large ones (`+012345-…`). Undefined for anything else.
 * Fractions beyond microseconds are rounded as PostgreSQL does it. `day` and `microOfDay` are as written, not shifted to UTC.
 */
export function parseIsoTime(bytes: Buffer, start: number, end: number): IsoTime | undefined {
  const reader = new Reader(bytes, start, end);
  const day = reader.date();
  if (day === undefined) return undefined;
  if (reader.at === end) return { day, microOfDay: 0, hasTime: false, offsetMinutes: undefined };
  const separator = bytes[reader.at];
  if (separator !== 0x54 && separator !== 0x74 && separator !== 0x20) return undefined;
  reader.at += 1;
  const microOfDay = reader.time();
  if (microOfDay === undefined) return undefined;
  const offsetMinutes = reader.offset();
  return reader.at === end ? { day, microOfDay, hasTime: true, offsetMinutes } : undefined;
}

/** The moment in UTC. */
export function utcOf(time: IsoTime): Moment {
  const micro = time.microOfDay - (time.offsetMinutes ?? 0) * 60_000_000;
  const shift = Math.floor(micro / microsPerDay);
  return { day: time.day + shift, microOfDay: micro - shift * microsPerDay };
}

class Reader {
  at: number;
  readonly #bytes: Buffer;
  readonly #end: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.at = start;
    this.#end = end;
  }

  date(): number | undefined {
    const sign = this.#peek();
    const isLong = sign === plus || sign === minus;
    if (isLong) this.at += 1;
    const digits = this.#digits(isLong ? 6 : 4);
    const year = sign === minus ? -digits : digits;
    if (!this.#take(minus)) return undefined;
    const month = this.#digits(2);
    if (!this.#take(minus)) return undefined;
    const day = this.#digits(2);
    // A number that was not there is NaN, and no comparison with it holds.
    if (!(month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month))) return undefined;
    const result = dayOf(year, month, day);
    return Number.isNaN(result) ? undefined : result;
  }

  time(): number | undefined {
    const hour = this.#digits(2);
    if (!this.#take(colon)) return undefined;
    const minute = this.#digits(2);
    let second = 0;
    let micro = 0;
    if (this.#take(colon)) {
      second = this.#digits(2);
      // ISO 8601 allows both; PostgreSQL reads only the dot for certain.
      if (this.#take(0x2e) || this.#take(0x2c)) micro = this.#fraction();
    }
    // 60 is a leap second, 24:00 the end of the day: PostgreSQL takes both.
    const total = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micro;
    return minute <= 59 && second <= 60 && hour <= 24 && total <= microsPerDay ? total : undefined;
  }

  /** Undefined also where what is there is no offset: the caller sees that not all was read. */
  offset(): number | undefined {
    if (this.#take(0x5a) || this.#take(0x7a)) return 0;
    const sign = this.#peek();
    if (sign !== plus && sign !== minus) return undefined;
    const back = this.at;
    this.at += 1;
    const hours = this.#digits(2);
    const hasMinutes = this.#take(colon) || this.at < this.#end;
    const minutes = hasMinutes ? this.#digits(2) : 0;
    if (hours <= 15 && minutes <= 59) return (sign === minus ? -1 : 1) * (hours * 60 + minutes);
    this.at = back;
    return undefined;
  }

  /**
   * Microseconds; NaN without digits. More than six digits are rounded half to even from the double, as PostgreSQL's
   * ParseFractionalSecond does it.
   */
  #fraction(): number {
    const start = this.at;
    let micros = 0;
    while (this.at < this.#end && this.at - start < fractionDigitsMax && isDigit(this.#bytes[this.at])) {
      micros = micros * 10 + (this.#bytes[this.at] as number) - 0x30;
      this.at += 1;
    }
    const digits = this.at - start;
    if (digits === 0) return Number.NaN;
    if (digits <= 6) return micros * (microsByDigits[digits] as number);
    const exact = Number(`0.${this.#bytes.toString('latin1', start, this.at)}`) * 1e6;
    const floor = Math.floor(exact);
    if (exact - floor === 0.5) return floor % 2 === 0 ? floor : floor + 1;
    return Math.round(exact);
  }

  /** Exactly `count` digits, else NaN. */
  #digits(count: number): number {
    let value = 0;
    for (let index = 0; index < count; index++) {
      const byte = this.#peek();
      if (!isDigit(byte)) return Number.NaN;
      value = value * 10 + (byte as number) - 0x30;
      this.at += 1;
    }
    return value;
  }

  #take(byte: number): boolean {
    if (this.#peek() !== byte) return false;
    this.at += 1;
    return true;
  }

  #peek(): number | undefined {
    return this.at < this.#end ? this.#bytes[this.at] : undefined;
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}
