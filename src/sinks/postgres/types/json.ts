import type { ByteWriter } from '../byteWriter.ts';
import type { SliceKind } from '../json/jsonKinds.ts';
import { JsonSyntaxError } from '../json/jsonLexer.ts';
import { pathTree } from '../json/jsonPath.ts';
import { JsonScanner } from '../json/jsonScanner.ts';
import { Refusal, shown } from '../refusal.ts';
import { printEscaped } from '../textFormat.ts';
import type { ColumnType } from './columnType.ts';

/** Version of jsonb's binary form (jsonb_recv). */
const jsonbVersion = 1;
const unstorableEscape = 'has an escape for NUL or for half a surrogate pair, which jsonb cannot store';

/**
 * jsonb and json: the bytes as they came, once they are known to be JSON; from rows any value JSON.stringify knows, where
 * a string is a JSON string, and Buffers of JSON text.
 */
export class JsonType implements ColumnType {
  readonly name: string;
  readonly #isBinary: boolean;
  readonly #scanner = new JsonScanner(pathTree([]));

  constructor(name: 'json' | 'jsonb') {
    this.name = name;
    this.#isBinary = name === 'jsonb';
  }

  writeSlice(out: ByteWriter, _kind: SliceKind, bytes: Buffer, start: number, end: number): void {
    this.#check(bytes, start, end);
    this.writeChecked(out, bytes, start, end, false);
  }

  /** A slice of a document the scanner has passed, which said whether any escape in all of it is unstorable. */
  writeChecked(out: ByteWriter, bytes: Buffer, start: number, end: number, mayBeUnstorable: boolean): void {
    if (mayBeUnstorable && this.#isBinary) this.#check(bytes, start, end);
    const length = end - start;
    if (!this.#isBinary) {
      out.textField(bytes, start, end);
      return;
    }
    // The version byte goes where the length of a text field would begin, and the length is put in front of both.
    out.ensure(5 + length);
    const before = out.position;
    out.position += 1;
    out.textField(bytes, start, end);
    out.view.setInt32(before, length + 1);
    out.bytes[before + 4] = jsonbVersion;
  }

  writeValue(out: ByteWriter, value: unknown): void {
    const bytes = value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(jsonText(value));
    this.writeSlice(out, 0, bytes, 0, bytes.length);
  }

  printText(out: ByteWriter, bytes: Buffer, start: number, end: number): void {
    printEscaped(out, bytes, this.#isBinary ? start + 1 : start, end);
  }

  #check(bytes: Buffer, start: number, end: number): void {
    try {
      this.#scanner.scan(bytes, start, end);
    } catch (error) {
      if (error instanceof JsonSyntaxError) throw new Refusal(`is not JSON: ${error.message}`, true);
      throw error;
    }
    if (this.#isBinary && this.#scanner.hasUnstorableEscape) throw new Refusal(unstorableEscape);
  }
}

/** Throws Refusal for what JSON cannot say. */
export function jsonText(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new Refusal(`is not a JSON value: ${(error as Error).message.split('\n')[0]}`);
  }
  if (text === undefined) throw new Refusal(`is not a JSON value: ${shown(value)}`);
  return text;
}
