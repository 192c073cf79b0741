import { isAlias, isMap, isScalar, isSeq, type Node, type Scalar } from 'yaml';
import { isSecret, type OptionNode, type OptionProblem, optionAt, optionPath } from '../pipeline/index.ts';
import { type Environment, expandVariables } from './variables.ts';
import type { Place, YamlFile } from './yamlFile.ts';

/** Where a value of the file stands and which variables made it. */
export interface Origin {
  readonly place: Place;
  readonly variables: readonly { readonly name: string; readonly isDefault: boolean }[];
}

export interface Materialised {
  readonly value: unknown;
  /** By option path. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** What is wrong with the file before any option is looked at. */
  readonly problems: readonly OptionProblem[];
  /** Variables that are not set, with the option that names them. */
  readonly missing: readonly { readonly keys: readonly PropertyKey[]; readonly name: string }[];
}

/** A file is small; more nodes than this come from aliases that multiply. */
const nodesMax = 10_000;
const plainTags = new Set(['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((t) => `tag:yaml.org,2002:${t}`));

/** The document as plain values, variables put in. Texts from variables are never read as YAML again. */
export function materialise(yaml: YamlFile, environment: Environment): Materialised {
  const walk = new Walk(yaml, environment);
  const value = walk.visit(yaml.document.contents, [], undefined);
  return { value, origins: walk.origins, problems: walk.problems, missing: walk.missing };
}

class Walk {
  readonly origins = new Map<string, Origin>();
  readonly problems: OptionProblem[] = [];
  readonly missing: { keys: readonly PropertyKey[]; name: string }[] = [];
  readonly #yaml: YamlFile;
  readonly #environment: Environment;
  /** Maps and lists the walk is inside of. */
  readonly #around = new Set<Node>();
  #nodes = 0;

  constructor(yaml: YamlFile, environment: Environment) {
    this.#yaml = yaml;
    this.#environment = environment;
  }

  /** `at` is where the key stands, for values that have no place of their own. */
  visit(node: Node | null, keys: readonly PropertyKey[], at: Place | undefined): unknown {
    this.#nodes += 1;
    const place = this.#placeOf(node) ?? at ?? { line: 1, column: 1 };
    this.#note(keys, isScalar(node) || isAlias(node) ? place : (at ?? place));
    if (this.#nodes > nodesMax) {
      if (this.#nodes === nodesMax + 1) this.#problem([], `the file has more than ${nodesMax} values`);
      return undefined;
    }
    const tag = node === null || isAlias(node) ? undefined : node.tag;
    if (tag !== undefined && !plainTags.has(tag)) this.#problem(keys, `the tag ${tag} is not understood`);
    if (isAlias(node)) return this.#visitAlias(node.source, node.resolve(this.#yaml.document), keys, place);
    if (isScalar(node)) return this.#visitScalar(node, keys, place);
    if (node === null) return null;
    this.#around.add(node);
    const value = isMap(node) ? this.#visitMap(node.items, keys) : this.#visitList(node, keys);
    this.#around.delete(node);
    return value;
  }

  #visitAlias(name: string, target: Node | undefined, keys: readonly PropertyKey[], place: Place): unknown {
    if (target === undefined) this.#problem(keys, `nothing above is anchored as &${name}`);
    else if (this.#around.has(target)) this.#problem(keys, `*${name} stands inside what it refers to`);
    else return this.visit(target, keys, place);
    return undefined;
  }

  #visitList(node: Node, keys: readonly PropertyKey[]): readonly unknown[] {
    const items = isSeq(node) ? node.items : [];
    return items.map((item, index) => this.visit(item as Node, [...keys, index], undefined));
  }

  #visitMap(items: readonly { key: unknown; value: unknown }[], keys: readonly PropertyKey[]): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    for (const { key, value } of items) {
      if (!isScalar(key)) {
        this.#problem(keys, 'a key is a list or a map');
        continue;
      }
      const name = key.value === null ? '' : String(key.value);
      const below = [...keys, name];
      if (Object.hasOwn(map, name)) this.#problem(below, 'is given twice');
      const visited = this.visit((value ?? null) as Node | null, below, this.#placeOf(key));
      Object.defineProperty(map, name, { value: visited, enumerable: true, configurable: true, writable: true });
    }
    return map;
  }

  #visitScalar(scalar: Scalar, keys: readonly PropertyKey[], place: Place): unknown {
    const { value } = scalar;
    if (typeof value === 'bigint') {
      const isSafe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
      return isSafe ? Number(value) : value;
    }
    if (typeof value !== 'string') return value;
    const { text, used, missing, malformed } = expandVariables(value, this.#environment);
    for (const name of missing) this.missing.push({ keys, name });
    if (malformed !== undefined) {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it quotes our own variables
      const hint = 'write ${NAME}, ${NAME:-default}, or $${ for the characters themselves';
      const what = isSecret(keys) ? 'a part of the value (not shown)' : JSON.stringify(malformed);
      this.problems.push({ keys, message: `${what} is not a variable`, hint });
    }
    if (used.length === 0) return text;
    this.origins.set(optionPath(keys), { place, variables: used });
    return asKind(text, optionAt(keys));
  }

  #placeOf(node: unknown): Place | undefined {
    const range = (node as Node | null)?.range;
    return range === undefined || range === null ? undefined : this.#yaml.placeOf(range[0]);
  }

  #note(keys: readonly PropertyKey[], place: Place): void {
    this.origins.set(optionPath(keys), { place, variables: [] });
  }

  #problem(keys: readonly PropertyKey[], message: string): void {
    this.problems.push({ keys, message });
  }
}

/**
 * A text that came from a variable, as the option wants it: a number or true/false where it is one and text is not
 * allowed, a list split at commas where the option is a list of texts. Anything else stays text, to be refused by name.
 */
function asKind(text: string, option: OptionNode | undefined): unknown {
  if (option === undefined || option.kinds.includes('text')) return text;
  if (option.kinds.includes('true or false') && (text === 'true' || text === 'false')) return text === 'true';
  const wantsNumber = option.kinds.includes('number') || option.kinds.includes('whole number');
  if (wantsNumber && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (option.kinds.includes('list') && option.items?.kinds.includes('text')) {
    return text.split(',').map((item) => item.trim());
  }
  return text;
}
