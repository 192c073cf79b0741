/** Days and microseconds as PostgreSQL counts them: from 2000-01-01, in the proleptic Gregorian calendar. */
export const microsPerDay = 86_400_000_000;
const microsPerMs = 1000;
const msPerDay = 86_400_000;
/** 1970-01-01 → 2000-01-01. */
const epochDays = 10_957;
/** 4714-11-24 BC, the first day of all of PostgreSQL's types, and the days behind their last. */
export const dayMin = -2_451_545;
export const timestampDayUntil = 106_751_983;
export const dateDayUntil = 2_145_031_949;

/** A moment, split so that both parts are exact as numbers. */
export interface Moment {
  readonly day: number;
  /** 0 to 86 400 000 000. */
  readonly microOfDay: number;
}

/** Days since 2000-01-01 (the civil-from-days arithmetic of Howard Hinnant's "chrono-compatible algorithms"). */
export function dayOf(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468 - epochDays;
}

function civilOf(dayNumber: number): { readonly year: number; readonly month: number; readonly day: number } {
  const shifted = dayNumber + epochDays + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
  };
}

export function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** From milliseconds since 1970; fractions are kept to the microsecond. */
export function momentOfMs(ms: number): Moment {
  const unixDay = Math.floor(ms / msPerDay);
  return { day: unixDay - epochDays, microOfDay: Math.round((ms - unixDay * msPerDay) * microsPerMs) };
}

/** `2024-05-01`; years beyond 9999 as they are, before Christ with BC, as PostgreSQL reads them. */
export function dateText(dayNumber: number): string {
  const { year, month, day } = civilOf(dayNumber);
  const shownYear = String(year > 0 ? year : 1 - year).padStart(4, '0');
  return `${shownYear}-${two(month)}-${two(day)}${year > 0 ? '' : ' BC'}`;
}

/** `2024-05-01 12:00:00.5`, then `suffix`, then BC where it is. */
export function timestampText({ day, microOfDay }: Moment, suffix: string): string {
  const seconds = Math.floor(microOfDay / 1e6);
  const fraction = String(microOfDay - seconds * 1e6).padStart(6, '0');
  const time = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  const [date, era = ''] = dateText(day).split(' ');
  return `${date} ${time}.${fraction}${suffix}${era === '' ? '' : ` ${era}`}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
