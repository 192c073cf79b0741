import { isUtf8 } from 'node:buffer';
import {
  kindArray,
  kindDecimal,
  kindEscapedString,
  kindFalse,
  kindInteger,
  kindMissing,
  kindNull,
  kindObject,
  kindString,
  kindTrue,
  type SliceKind,
} from './jsonKinds.ts';
import { JsonLexer, JsonSyntaxError, quote } from './jsonLexer.ts';
import type { PathMember, PathNode } from './jsonPath.ts';

/** Deeper documents are refused: a limit of ours instead of whatever stack happens to be left. */
export const jsonDepthMax = 512;

const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/**
 * Walks the bytes of a JSON document once: checks all of it, strictly as JSON.parse does, and notes where the wanted
 * values lie. Nothing is decoded, so that digits beyond 2^53 are still there for whoever reads the slice.
 *
 * As in JSON.parse the last of several equal keys wins. Bytes must be UTF-8 without a byte order mark.
 * One scanner serves one mapping; its results stand until the next scan.
 */
export class JsonScanner extends JsonLexer {
  /** By slot: what was found, and where its bytes are (strings without their quotes). */
  readonly kinds: SliceKind[];
  readonly starts: number[];
  readonly ends: number[];
  readonly #root: PathNode;
  readonly #slotCount: number;

  constructor(root: PathNode) {
    super();
    this.#root = root;
    this.#slotCount = root.slotsBelow.length;
    this.kinds = new Array<number>(this.#slotCount).fill(kindMissing);
    this.starts = new Array<number>(this.#slotCount).fill(0);
    this.ends = new Array<number>(this.#slotCount).fill(0);
  }

  /** As after a document that has none of the wanted places. */
  clear(): void {
    for (let slot = 0; slot < this.#slotCount; slot++) this.kinds[slot] = kindMissing;
    this.hasUnstorableEscape = false;
  }

  /** Throws JsonSyntaxError. */
  scan(bytes: Buffer, start: number, end: number): void {
    this.clear();
    this.open(bytes, start, end);
    let at = this.#value(this.space(start), this.#root, 0);
    at = this.space(at);
    if (at !== end) throw this.unexpected(at);
    if (this.union >= 0x80 && !isUtf8(bytes.subarray(start, end))) throw new JsonSyntaxError('invalid UTF-8', 0);
  }

  /** Every `#…` below takes the position of the first byte to read and answers the one after the last. */
  #value(at: number, node: PathNode | undefined, depth: number): number {
    const first = at < this.end ? this.bytes[at] : -1;
    if (first === quote) {
      const close = this.string(at + 1);
      if (node !== undefined) this.#note(node, this.escaped ? kindEscapedString : kindString, at + 1, close);
      return close + 1;
    }
    if (first === openBrace) {
      const after = this.#object(at + 1, node, depth + 1);
      if (node !== undefined) this.#note(node, kindObject, at, after);
      return after;
    }
    if (first === openBracket) {
      const after = this.#array(at + 1, node, depth + 1);
      if (node !== undefined) this.#note(node, kindArray, at, after);
      return after;
    }
    if (first === 0x74) return this.#word(at, 'true', kindTrue, node);
    if (first === 0x66) return this.#word(at, 'false', kindFalse, node);
    if (first === 0x6e) return this.#word(at, 'null', kindNull, node);
    return this.#number(at, node);
  }

  #object(start: number, node: PathNode | undefined, depth: number): number {
    if (depth > jsonDepthMax) throw new JsonSyntaxError(`nested deeper than ${jsonDepthMax}`, start - this.start);
    const members = node?.members;
    // Records of a topic mostly have their members in the same order: the next one wanted is tried before any search.
    let expected = 0;
    let at = this.space(start);
    if (this.byte(at) === closeBrace) return at + 1;
    for (;;) {
      if (this.byte(at) !== quote) throw this.unexpected(at);
      const nameStart = at + 1;
      let wanted: PathNode | undefined;
      const guess = members?.[expected];
      if (guess !== undefined && this.#isNamed(nameStart, guess)) {
        at = nameStart + guess.nameBytes.length + 1;
        wanted = guess.node;
        expected += 1;
      } else {
        const nameEnd = this.string(nameStart);
        at = nameEnd + 1;
        if (members !== undefined) {
          const index = this.#search(members, nameStart, nameEnd);
          wanted = members[index]?.node;
          if (wanted !== undefined) expected = index + 1;
        }
      }
      if (wanted !== undefined) this.#forget(wanted);
      at = this.space(at);
      if (this.byte(at) !== colon) throw this.unexpected(at);
      at = this.space(this.#value(this.space(at + 1), wanted, depth));
      const next = this.byte(at);
      if (next === closeBrace) return at + 1;
      if (next !== comma) throw this.unexpected(at);
      at = this.space(at + 1);
    }
  }

  #array(start: number, node: PathNode | undefined, depth: number): number {
    if (depth > jsonDepthMax) throw new JsonSyntaxError(`nested deeper than ${jsonDepthMax}`, start - this.start);
    let at = this.space(start);
    if (this.byte(at) === closeBracket) return at + 1;
    const elements = node?.elements;
    for (let index = 0; ; index++) {
      at = this.space(this.#value(at, elements?.get(index), depth));
      const next = this.byte(at);
      if (next === closeBracket) return at + 1;
      if (next !== comma) throw this.unexpected(at);
      at = this.space(at + 1);
    }
  }

  /** Whether the string that begins at `start` is the member's name, to the letter. */
  #isNamed(start: number, member: PathMember): boolean {
    const bytes = this.bytes;
    const name = member.nameBytes;
    const { length } = name;
    if (!member.isPlain || start + length >= this.end || bytes[start + length] !== quote) return false;
    for (let index = 0; index < length; index++) if (bytes[start + index] !== name[index]) return false;
    return true;
  }

  /** Index of the member whose name is the string read last; -1 for none. */
  #search(members: readonly PathMember[], start: number, end: number): number {
    if (this.escaped) {
      const name = this.#decoded(start, end);
      return members.findIndex((member) => member.name === name);
    }
    const length = end - start;
    for (let index = 0; index < members.length; index++) {
      const member = members[index] as PathMember;
      if (member.nameBytes.length === length && this.#isNamed(start, member)) return index;
    }
    return -1;
  }

  /** What an earlier equal key gave does not count. */
  #forget({ slotsBelow }: PathNode): void {
    for (let index = 0; index < slotsBelow.length; index++) this.kinds[slotsBelow[index] as number] = kindMissing;
  }

  #decoded(start: number, end: number): string {
    return JSON.parse(this.bytes.toString('utf8', start - 1, end + 1)) as string;
  }

  #note(node: PathNode, kind: SliceKind, start: number, end: number): void {
    const { slots } = node;
    for (let index = 0; index < slots.length; index++) {
      const slot = slots[index] as number;
      this.kinds[slot] = kind;
      this.starts[slot] = start;
      this.ends[slot] = end;
    }
  }

  #number(start: number, node: PathNode | undefined): number {
    const end = this.number(start);
    if (node !== undefined) this.#note(node, this.isDecimal ? kindDecimal : kindInteger, start, end);
    return end;
  }

  #word(start: number, word: string, kind: SliceKind, node: PathNode | undefined): number {
    for (let index = 1; index < word.length; index++) {
      if (this.byte(start + index) !== word.charCodeAt(index)) throw this.unexpected(start + index);
    }
    const end = start + word.length;
    if (node !== undefined) this.#note(node, kind, start, end);
    return end;
  }
}
