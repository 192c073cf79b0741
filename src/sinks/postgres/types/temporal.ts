import type { ByteWriter } from '../byteWriter.ts';
import { kindDecimal, kindInteger, kindString, kindText, type SliceKind } from '../json/jsonKinds.ts';
import { Refusal, shown, shownBytes } from '../refusal.ts';
import { printAscii } from '../textFormat.ts';
import {
  dateDayUntil,
  dateText,
  dayMin,
  type Moment,
  microsPerDay,
  momentOfMs,
  timestampDayUntil,
  timestampText,
} from './calendar.ts';
import { type ColumnType, refuseSlice, refuseValue } from './columnType.ts';
import { parseIsoTime, utcOf } from './isoTime.ts';

/** So many days from 2000 on either side are exact as microseconds in a number. */
const exactDays = 104_000;

/**
 * timestamptz and timestamp: ISO 8601 texts, numbers of milliseconds since 1970, from rows also Date.
 * timestamptz wants an offset in the text; timestamp takes none, or Z, and stores UTC for numbers and dates.
 */
export class TimestampType implements ColumnType {
  readonly name: string;
  readonly #hasZone: boolean;

  constructor(name: string, hasZone: boolean) {
    this.name = name;
    this.#hasZone = hasZone;
  }

  writeSlice(out: ByteWriter, kind: SliceKind, bytes: Buffer, start: number, end: number): void {
    if (kind === kindInteger || kind === kindDecimal) {
      this.writeMs(out, Number(bytes.toString('latin1', start, end)));
      return;
    }
    const time = kind === kindString || kind === kindText ? parseIsoTime(bytes, start, end) : undefined;
    if (time === undefined) throw refuseSlice('a time of ISO 8601', kind, bytes, start, end);
    if (this.#hasZone && time.offsetMinutes === undefined) {
      throw new Refusal(`has no offset from UTC, such as Z or +02:00: ${shownBytes(bytes, start, end)}`);
    }
    if (!this.#hasZone && time.offsetMinutes !== undefined && time.offsetMinutes !== 0) {
      throw new Refusal(
        `has an offset from UTC, which ${this.name} cannot store: ${shownBytes(bytes, start, end)} (timestamptz can)`,
      );
    }
    this.#write(out, utcOf(time));
  }

  writeValue(out: ByteWriter, value: unknown): void {
    if (typeof value === 'number') {
      this.writeMs(out, value);
    } else if (value instanceof Date) {
      this.writeMs(out, value.getTime());
    } else if (typeof value === 'string') {
      const bytes = Buffer.from(value);
      this.writeSlice(out, kindString, bytes, 0, bytes.length);
    } else {
      throw refuseValue('a time', value);
    }
  }

  /** Milliseconds since 1970. */
  writeMs(out: ByteWriter, ms: number): void {
    if (!Number.isFinite(ms)) throw refuseValue('a time', ms);
    this.#write(out, momentOfMs(ms));
  }

  printText(out: ByteWriter, bytes: Buffer, start: number): void {
    const micros = bytes.readBigInt64BE(start);
    const perDay = BigInt(microsPerDay);
    const remainder = ((micros % perDay) + perDay) % perDay;
    const moment = { day: Number((micros - remainder) / perDay), microOfDay: Number(remainder) };
    printAscii(out, timestampText(moment, this.#hasZone ? '+00' : ''));
  }

  #write(out: ByteWriter, { day, microOfDay }: Moment): void {
    if (day < dayMin || day >= timestampDayUntil) {
      throw new Refusal(`is out of the range of ${this.name}`);
    }
    out.ensure(12);
    out.int32(8);
    if (day > -exactDays && day < exactDays) out.int64(day * microsPerDay + microOfDay);
    else out.bigInt64(BigInt(day) * BigInt(microsPerDay) + BigInt(microOfDay));
  }
}

/** date: `YYYY-MM-DD`; from rows also a Date, whose day in UTC it is. */
export const dateType: ColumnType = {
  name: 'date',
  writeSlice(out: ByteWriter, kind: SliceKind, bytes: Buffer, start: number, end: number): void {
    const time = kind === kindString || kind === kindText ? parseIsoTime(bytes, start, end) : undefined;
    if (time === undefined) throw refuseSlice('a date (YYYY-MM-DD)', kind, bytes, start, end);
    if (time.hasTime) {
      throw new Refusal(`has a time of day, which date cannot store: ${shownBytes(bytes, start, end)}`);
    }
    writeDay(out, time.day);
  },
  writeValue(out: ByteWriter, value: unknown): void {
    if (value instanceof Date && !Number.isNaN(value.getTime())) {
      writeDay(out, momentOfMs(value.getTime()).day);
    } else if (typeof value === 'string') {
      const bytes = Buffer.from(value);
      dateType.writeSlice(out, kindString, bytes, 0, bytes.length);
    } else {
      throw refuseValue('a date', value);
    }
  },
  printText(out: ByteWriter, bytes: Buffer, start: number): void {
    printAscii(out, dateText(bytes.readInt32BE(start)));
  },
};

function writeDay(out: ByteWriter, day: number): void {
  if (day < dayMin || day >= dateDayUntil) throw new Refusal(`is out of the range of date: ${shown(day)}`);
  out.ensure(8);
  out.int32(4);
  out.int32(day);
}
