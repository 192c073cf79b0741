import { usageError } from './usage.ts';

/** 9999-12-31T23:59:59.999Z: what comes later has no ISO form of four digits. */
const latestMs = 253_402_300_799_999;
const timestampForms =
  'allowed: 2026-01-31, 2026-01-31T12:00:00Z, 2026-01-31T12:00:00.000+01:00, without a zone UTC, or milliseconds since 1970';
const durationForms = 'allowed: P7D, PT36H, P1DT2H3M4.5S, P2W, or 90s, 15m, 36h, 7d, 2w';

/**
 * A point in time, in milliseconds since 1970: ISO 8601 with `Z` or an offset; without either it is UTC, as Kafka's own tool
 * takes it; a date alone is its midnight in UTC; or milliseconds since 1970, of 12 digits or more, so that seconds and bare years are
 * found out. Parts of a millisecond are cut off. Throws USAGE_INVALID for anything else, and for what is before 1970 or
 * after 9999.
 */
export function parseTimestamp(flag: string, text: string): number {
  if (/^\d+$/.test(text)) return epochMs(flag, text);
  const parts =
    /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/.exec(text);
  if (parts === null) throw usageError(flag, `not a time (${text})`, timestampForms);
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map((digits) => Number(digits ?? '0'));
  const [fraction, zone] = parts.slice(7);
  const fields = [year, month, day, hour, minute, second] as Fields;
  const wrong = wrongField(fields);
  if (wrong !== undefined) throw usageError(flag, `${wrong} (${text})`, timestampForms);
  const offsetMinutes = zoneMinutes(zone);
  if (offsetMinutes === undefined) {
    throw usageError(flag, `${zone} is no offset from UTC (${text})`, 'allowed: -18:00 to +18:00');
  }
  return inReach(flag, text, utcMs(fields) + milliseconds(fraction) - offsetMinutes * 60_000);
}

/**
 * A length of time in milliseconds: an ISO 8601 duration of weeks, days, hours, minutes and seconds, as Kafka's own tool wants it, or a
 * number with `s`, `m`, `h`, `d` or `w`. Years and months are refused: they differ in length. Throws USAGE_INVALID
 * for anything else.
 */
export function parseDuration(flag: string, text: string): number {
  const [, count, unit] = /^(\d+)([smhdw])$/.exec(text) ?? [];
  const [weeks, days, hours, minutes, seconds, fraction] =
    /^P(?=[\dT])(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d{1,9}))?S)?)?$/
      .exec(text)
      ?.slice(1) ?? [];
  const amounts = {
    w: weeks,
    d: days,
    h: hours,
    m: minutes,
    s: seconds,
    ...(unit === undefined ? {} : { [unit]: count }),
  };
  const given = Object.entries(amounts).filter(([, digits]) => digits !== undefined);
  if (given.length === 0) throw usageError(flag, `not a duration (${text})`, durationForms);
  const total = given.reduce((sum, [name, digits]) => sum + Number(digits) * unitMs(name), milliseconds(fraction));
  if (total > latestMs) throw usageError(flag, `longer than 8000 years (${text})`, durationForms);
  return total;
}

type Fields = [year: number, month: number, day: number, hour: number, minute: number, second: number];

function epochMs(flag: string, text: string): number {
  if (text.length < 12) {
    throw usageError(flag, `too few digits for milliseconds since 1970 (${text})`, timestampForms);
  }
  return inReach(flag, text, Number(text));
}

/** Kafka gives times below 0 a meaning of their own: they ask for the ends of the log. */
function inReach(flag: string, text: string, ms: number): number {
  if (ms < 0) throw usageError(flag, `before 1970 (${text})`, timestampForms);
  if (ms > latestMs) throw usageError(flag, `after the year 9999 (${text})`, timestampForms);
  return ms;
}

function wrongField([year, month, day, hour, minute, second]: Fields): string | undefined {
  if (month < 1 || month > 12) return `there is no month ${month}`;
  const days = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
  if (day < 1 || day > days) return `that month has ${days} days, not a day ${day}`;
  if (hour > 23) return `there is no hour ${hour}`;
  if (minute > 59) return `there is no minute ${minute}`;
  return second > 59 ? `there is no second ${second}` : undefined;
}

/** `Date.UTC` takes a year below 100 for one of the last century. */
function utcMs([year, month, day, hour, minute, second]: Fields): number {
  const date = new Date(Date.UTC(2000, month - 1, 1, hour, minute, second));
  return date.setUTCFullYear(year, month - 1, day);
}

function milliseconds(fraction: string | undefined): number {
  return Number((fraction ?? '').padEnd(3, '0').slice(0, 3));
}

/** Undefined for what no place on earth has; the limit is that of Java, and so of Kafka's tool. */
function zoneMinutes(zone: string | undefined): number | undefined {
  if (zone === undefined || zone === 'Z') return 0;
  const minutes = Number(zone.slice(-2));
  const isWhole = zone.length === 3;
  const total = isWhole ? minutes * 60 : Number(zone.slice(1, 3)) * 60 + minutes;
  if (total > 18 * 60 || (!isWhole && minutes > 59)) return undefined;
  return zone.startsWith('-') ? -total : total;
}

function unitMs(unit: string): number {
  const seconds = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }[unit] ?? Number.NaN;
  return seconds * 1000;
}
