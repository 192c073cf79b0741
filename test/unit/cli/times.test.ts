import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration, parseTimestamp } from '../../../src/cli/times.ts';

const iso = (ms: number) => new Date(ms).toISOString();

describe('parseTimestamp', () => {
  const good: readonly (readonly [string, string])[] = [
    ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31T12:00:00.5Z', '2026-01-31T12:00:00.500Z'],
    ['2026-01-31T12:00:00.123456789Z', '2026-01-31T12:00:00.123Z'],
    ['2026-01-31T12:00Z', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31T12:00:00.000', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31T12:00', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31', '2026-01-31T00:00:00.000Z'],
    ['2026-01-31T00:30:00+01:00', '2026-01-30T23:30:00.000Z'],
    ['2026-01-31T00:30:00.250-0530', '2026-01-31T06:00:00.250Z'],
    ['2026-01-31T00:30:00+02', '2026-01-30T22:30:00.000Z'],
    ['2026-01-31T00:30:00+18:00', '2026-01-30T06:30:00.000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
    ['2000-02-29', '2000-02-29T00:00:00.000Z'],
    ['1970-01-01', '1970-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
    ['1769860800000', '2026-01-31T12:00:00.000Z'],
    ['000000000000', '1970-01-01T00:00:00.000Z'],
    ['253402300799999', '9999-12-31T23:59:59.999Z'],
  ];
  it.each(good)('takes %s for %s', (text, expected) => {
    expect(iso(parseTimestamp('--since', text))).toBe(expected);
  });

  const wrong: readonly (readonly [string, string])[] = [
    ['', 'not a time'],
    [' ', 'not a time'],
    ['NaN', 'not a time'],
    ['Infinity', 'not a time'],
    ['yesterday', 'not a time'],
    ['now', 'not a time'],
    ['-1', 'not a time'],
    ['1e12', 'not a time'],
    ['1769860800000.5', 'not a time'],
    ['2026-1-31', 'not a time'],
    ['31.01.2026', 'not a time'],
    ['2026/01/31', 'not a time'],
    ['2026-01', 'not a time'],
    ['2026-W05-1', 'not a time'],
    ['2026-031', 'not a time'],
    ['2026-01-31T', 'not a time'],
    ['2026-01-31T12', 'not a time'],
    ['2026-01-31T12:00:00.', 'not a time'],
    ['2026-01-31T12:00:00,5', 'not a time'],
    ['2026-01-31T12:00:00 Z', 'not a time'],
    ['2026-01-31 12:00:00', 'not a time'],
    ['2026-01-31Z', 'not a time'],
    ['2026-01-31T12:00:00Europe/Berlin', 'not a time'],
    ['2026-01-31T12:00:00Z\n', 'not a time'],
    ['12026-01-31', 'not a time'],
    ['+012026-01-31T00:00:00Z', 'not a time'],
    ['-000001-01-01', 'not a time'],
    ['２０２６-01-31', 'not a time'],
    ['2026-00-31', 'there is no month 0'],
    ['2026-13-01', 'there is no month 13'],
    ['2026-01-00', 'that month has 31 days, not a day 0'],
    ['2026-02-31', 'that month has 28 days, not a day 31'],
    ['2026-02-29', 'that month has 28 days, not a day 29'],
    ['2100-02-29', 'that month has 28 days, not a day 29'],
    ['2024-02-30', 'that month has 29 days, not a day 30'],
    ['2026-04-31', 'that month has 30 days, not a day 31'],
    ['2026-01-31T24:00', 'there is no hour 24'],
    ['2026-01-31T24:61', 'there is no hour 24'],
    ['2026-01-31T23:60', 'there is no minute 60'],
    ['2026-01-31T23:59:60', 'there is no second 60'],
    ['2026-01-31T12:00:00+18:01', '+18:01 is no offset from UTC'],
    ['2026-01-31T12:00:00+01:60', '+01:60 is no offset from UTC'],
    ['2026-01-31T12:00:00-99', '-99 is no offset from UTC'],
    ['1969-12-31T23:59:59.999Z', 'before 1970'],
    ['1970-01-01T00:00:00+00:01', 'before 1970'],
    ['0050-01-01', 'before 1970'],
    ['0000-01-01', 'before 1970'],
    ['9999-12-31T23:59:59-00:01', 'after the year 9999'],
    ['253402300800000', 'after the year 9999'],
    ['99999999999999999999999', 'after the year 9999'],
    // Seconds, a year, a date without dashes.
    ['1769860800', 'too few digits'],
    ['2026', 'too few digits'],
    ['20260131', 'too few digits'],
    ['0', 'too few digits'],
  ];
  it.each(wrong)('refuses %j and says what is allowed', (text, what) => {
    expect(() => parseTimestamp('--since', text)).toThrowError(
      expect.objectContaining({ code: 'USAGE_INVALID', message: expect.stringMatching(/^--since: .*allowed: /s) }),
    );
    expect(() => parseTimestamp('--since', text)).toThrowError(what);
    expect(() => parseTimestamp('--since', text)).toThrowError(`(${text})`);
  });

  it('finds any moment again, in every zone and without one', () => {
    const moment = fc.integer({ min: 64_800_000, max: 253_402_200_000_000 });
    const zone = fc.option(fc.integer({ min: -1080, max: 1080 }), { nil: undefined });
    fc.assert(
      fc.property(moment, zone, (ms, minutes) => {
        expect(parseTimestamp('--since', written(ms, minutes))).toBe(ms);
        expect(parseTimestamp('--since', String(ms).padStart(12, '0'))).toBe(ms);
      }),
    );
  });

  it('takes no text for a time that is none in the calendar', () => {
    const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9]{${length}}$`));
    fc.assert(
      fc.property(digits(4), digits(2), digits(2), digits(2), digits(2), (year, month, day, hour, minute) => {
        const text = `${year}-${month}-${day}T${hour}:${minute}`;
        // The engine rolls a day over that the month does not have: such a text does not come back.
        const known = Date.parse(`${text}:00.000Z`);
        const isTime = known >= 0 && new Date(known).toISOString().startsWith(text);
        if (isTime) expect(parseTimestamp('--since', text)).toBe(known);
        else expect(() => parseTimestamp('--since', text)).toThrowError(/^--since: /);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('parseDuration', () => {
  const good: readonly (readonly [string, number])[] = [
    ['P1DT2H3M4.5S', 93_784_500],
    ['P2W', 1_209_600_000],
    ['P1W2D', 777_600_000],
    ['P7D', 604_800_000],
    ['PT36H', 129_600_000],
    ['PT15M', 900_000],
    ['PT90S', 90_000],
    ['PT0.001S', 1],
    ['PT0,25S', 250],
    ['PT0.9999999S', 999],
    ['PT0S', 0],
    ['P0D', 0],
    ['PT1H30S', 3_630_000],
    ['P01D', 86_400_000],
    ['90s', 90_000],
    ['15m', 900_000],
    ['36h', 129_600_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    ['0s', 0],
  ];
  it.each(good)('takes %s for %d ms', (text, expected) => {
    expect(parseDuration('--by-duration', text)).toBe(expected);
  });

  const wrong = [
    ...[
      '',
      ' ',
      'P',
      'PT',
      'P1DT',
      'T1H',
      '1',
      '1000',
      'NaN',
      'NaNs',
      'Infinityd',
      's',
      '-1s',
      '-7d',
      '-P1D',
      'P-1D',
      'PT-1S',
    ],
    ...[
      '+1h',
      '1.5h',
      '1e3s',
      '1 h',
      '15M',
      '7D',
      '1y',
      '1h30m',
      '500ms',
      'P1Y',
      'P1M',
      'P1M2D',
      'PT1D',
      'P1H',
      'PT1.5H',
      'PT1S2M',
    ],
    ...[
      'PT1.S',
      'PT.5S',
      'PT0.1234567890S',
      'P1D ',
      'P1D\n',
      'p1d',
      'pt1h',
      'P1DT2H3M4.5',
      '٣d',
      '999999999999999999d',
      'P3000000D',
    ],
  ];
  it.each(wrong)('refuses %j and says what is allowed', (text) => {
    expect(() => parseDuration('--by-duration', text)).toThrowError(
      expect.objectContaining({
        code: 'USAGE_INVALID',
        message: expect.stringMatching(/^--by-duration: .*allowed: P7D/s),
      }),
    );
  });

  it('adds up what is given, in any of its forms', () => {
    const part = fc.option(fc.nat(9999), { nil: undefined });
    fc.assert(
      fc.property(part, part, part, part, part, fc.nat(999), (weeks, days, hours, minutes, seconds, ms) => {
        fc.pre([weeks, days, hours, minutes, seconds].some((one) => one !== undefined));
        const one = (count: number | undefined, unit: string) => (count === undefined ? '' : `${count}${unit}`);
        const fraction = seconds === undefined ? '' : `.${String(ms).padStart(3, '0')}`;
        const clock = `${one(hours, 'H')}${one(minutes, 'M')}${seconds === undefined ? '' : `${seconds}${fraction}S`}`;
        const text = `P${one(weeks, 'W')}${one(days, 'D')}${clock === '' ? '' : `T${clock}`}`;
        const total =
          ((((weeks ?? 0) * 7 + (days ?? 0)) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0);
        expect(parseDuration('--by-duration', text)).toBe(total * 1000 + (seconds === undefined ? 0 : ms));
      }),
    );
    fc.assert(
      fc.property(fc.nat(99_999), fc.constantFrom('s', 'm', 'h', 'd'), (count, unit) => {
        const [short, long] = [`${count}${unit}`, unit === 'd' ? `P${count}D` : `PT${count}${unit.toUpperCase()}`];
        expect(parseDuration('--by-duration', short)).toBe(parseDuration('--by-duration', long));
      }),
    );
  });
});

/** The moment as a clock in that zone shows it; undefined = the text has no zone. */
function written(ms: number, zoneMinutes: number | undefined): string {
  const local = iso(ms + (zoneMinutes ?? 0) * 60_000).slice(0, -1);
  if (zoneMinutes === undefined) return local;
  const [hours, minutes] = [Math.trunc(Math.abs(zoneMinutes) / 60), Math.abs(zoneMinutes) % 60];
  return `${local}${zoneMinutes < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;
}
