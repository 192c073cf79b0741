import { isUtf8 } from 'node:buffer';
import { messageOf } from '../../errors.ts';
import { turnEventLoop } from '../../platform/index.ts';
import type { ReceivedRecord } from '../receiver.ts';
import type { BodyDescription } from './admission.ts';
import { Refusal } from './refusal.ts';

const newline = 0x0a;
const carriageReturn = 0x0d;

/** A body of tiny lines would otherwise take many times its size in memory. */
const recordsMax = 500_000;

/** So many are looked at before everything else in the process has its turn: some milliseconds' worth. */
const recordsPerTurn = 1000;

/** The records of a body, their values its own bytes; or why none of it is taken. */
export async function recordsOf(
  body: Buffer,
  format: BodyDescription['format'],
): Promise<readonly ReceivedRecord[] | Refusal> {
  if (body.length === 0) return new Refusal('BODY_EMPTY', 'the body is empty');
  return format === 'document' ? recordOfDocument(body) : recordsOfLines(body);
}

function recordOfDocument(body: Buffer): readonly ReceivedRecord[] | Refusal {
  const reason = whyNotJson(body);
  return reason === undefined ? [{ value: body }] : new Refusal('BODY_INVALID', `the body is not JSON: ${reason}`);
}

async function recordsOfLines(body: Buffer): Promise<readonly ReceivedRecord[] | Refusal> {
  const records: ReceivedRecord[] = [];
  for (let from = 0, line = 1, end: number; from < body.length; from = end + 1, line += 1) {
    const at = body.indexOf(newline, from);
    end = at < 0 ? body.length : at;
    const value = body.subarray(from, end > from && body[end - 1] === carriageReturn ? end - 1 : end);
    if (value.length === 0) continue;
    const reason = whyNotJson(value);
    if (reason !== undefined) return new Refusal('BODY_INVALID', `line ${line} is not JSON: ${reason}`);
    if (records.push({ value }) > recordsMax) {
      return new Refusal('BODY_TOO_LARGE', `the body has more than ${recordsMax} records: send it in parts`);
    }
    if (records.length % recordsPerTurn === 0) await turnEventLoop();
  }
  return records.length > 0 ? records : new Refusal('BODY_EMPTY', 'the body holds empty lines only');
}

function whyNotJson(bytes: Buffer): string | undefined {
  if (!isUtf8(bytes)) return 'it is not UTF-8';
  try {
    JSON.parse(bytes.toString());
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
