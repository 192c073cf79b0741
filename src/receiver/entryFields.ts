import { isUtf8 } from 'node:buffer';

/** What is wrong with an entry; whoever knows where it lies makes an error of it. */
export class EntryProblem extends Error {
  readonly code: 'WAL_CORRUPT' | 'WAL_VERSION_UNSUPPORTED';

  constructor(message: string, code: EntryProblem['code'] = 'WAL_CORRUPT') {
    super(message);
    this.code = code;
  }
}

/** Entries of the log from `fromIndex` included to `untilIndex` excluded. */
export interface EntryRange {
  readonly fromIndex: bigint;
  readonly untilIndex: bigint;
}

/** Reads the fields of an entry's header one by one: every value is what it must be, or `EntryProblem` is thrown. */
export class EntryFields {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: unknown) {
    if (typeof values !== 'object' || values === null || Array.isArray(values)) throw new EntryProblem('no object');
    this.#values = values as Record<string, unknown>;
  }

  /** `bytes` are one JSON object and nothing else. */
  static parse(bytes: Buffer): EntryFields {
    const text = isUtf8(bytes) ? bytes.toString() : '';
    if (text.startsWith('{') && text.endsWith('}')) {
      try {
        return new EntryFields(JSON.parse(text));
      } catch {
        // Its message quotes a text of any length.
      }
    }
    throw new EntryProblem('the header is not a JSON object');
  }

  text(name: string): string {
    const value = this.#values[name];
    if (typeof value !== 'string') throw wrong(name, 'text');
    return value;
  }

  integer(name: string, min = 0): number {
    const value = this.#values[name];
    if (!Number.isSafeInteger(value) || (value as number) < min) throw wrong(name, `an integer of at least ${min}`);
    return value as number;
  }

  optionalInteger(name: string): number | undefined {
    return this.#values[name] === undefined ? undefined : this.integer(name);
  }

  bigint(name: string): bigint {
    return bigintOf(this.#values[name], name);
  }

  integers(name: string): readonly number[] {
    const values = this.#list(name);
    if (!values.every((value) => Number.isSafeInteger(value))) throw wrong(name, 'a list of integers');
    return values as number[];
  }

  /** Ranges that rise and do not touch each other's entries. */
  ranges(name: string): readonly EntryRange[] {
    let end = 0n;
    return this.#list(name).map((pair) => {
      if (!Array.isArray(pair) || pair.length !== 2) throw wrong(name, 'a list of pairs');
      const range = { fromIndex: bigintOf(pair[0], name), untilIndex: bigintOf(pair[1], name) };
      if (range.fromIndex < end || range.fromIndex >= range.untilIndex) throw wrong(name, 'a list of rising ranges');
      end = range.untilIndex;
      return range;
    });
  }

  objects<T>(name: string, read: (fields: EntryFields) => T): readonly T[] {
    return this.#list(name).map((values) => read(new EntryFields(values)));
  }

  #list(name: string): readonly unknown[] {
    const value = this.#values[name];
    if (!Array.isArray(value)) throw wrong(name, 'a list');
    return value;
  }
}

function bigintOf(value: unknown, name: string): bigint {
  if (typeof value !== 'string' || !/^\d{1,19}$/.test(value)) throw wrong(name, 'a decimal number');
  return BigInt(value);
}

function wrong(name: string, wanted: string): EntryProblem {
  return new EntryProblem(`${name} is not ${wanted}`);
}
