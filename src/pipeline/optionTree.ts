import { z } from 'zod';
import { pipelineSpec } from './optionsSpec.ts';

/** One option as declared, whatever zod calls it: what messages, `config explain` and the reference are made of. */
export interface OptionNode {
  readonly description: string | undefined;
  /** Kinds of value it takes; library-only ones (functions, bigint) are left out. */
  readonly kinds: readonly OptionKind[];
  /** The allowed values where they are a list. */
  readonly values: readonly string[];
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly default: unknown;
  readonly example: unknown;
  readonly secret: boolean;
  /** The `source.mode` it is for; undefined = any. */
  readonly mode: string | undefined;
  /** What the other mode has in its place. */
  readonly counterpart: string | undefined;
  readonly required: boolean;
  /** Options of a map with fixed names; those of all its variants. */
  readonly properties: ReadonlyMap<string, OptionNode>;
  /** Each entry of a map with free names. */
  readonly entries: OptionNode | undefined;
  /** Each item of a list. */
  readonly items: OptionNode | undefined;
}

export type OptionKind = 'text' | 'number' | 'whole number' | 'true or false' | 'list' | 'map';

/** The part of JSON schema that `toJSONSchema` writes for our specs. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly secret?: boolean;
  readonly mode?: string;
  readonly counterpart?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

/** JSON schema of what a user may write, as zod gives it. */
export function pipelineJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(pipelineSpec, { io: 'input', unrepresentable: 'any' }) as Record<string, unknown>;
}

let tree: OptionNode | undefined;

/** The root of all options. */
export function optionTree(): OptionNode {
  tree ??= nodeOf(pipelineJsonSchema() as Schema, true);
  return tree;
}

/** The option at a path of a user's value; undefined where none is declared. */
export function optionAt(keys: readonly PropertyKey[]): OptionNode | undefined {
  let node: OptionNode | undefined = optionTree();
  for (const key of keys) {
    if (node === undefined) return undefined;
    node = typeof key === 'number' ? node.items : (node.properties.get(String(key)) ?? node.entries);
  }
  return node;
}

/** Every named option below the root, depth first, with its path; entries and items as `*` and `[]`. */
export function* walkOptions(
  node: OptionNode = optionTree(),
  keys: readonly string[] = [],
): Generator<{ readonly keys: readonly string[]; readonly node: OptionNode }> {
  const children: [string, OptionNode][] = [...node.properties];
  if (node.entries !== undefined) children.push(['*', node.entries]);
  if (node.items !== undefined) children.push(['[]', node.items]);
  for (const [name, child] of children) {
    yield { keys: [...keys, name], node: child };
    yield* walkOptions(child, [...keys, name]);
  }
}

function nodeOf(schema: Schema, required: boolean): OptionNode {
  const variants = (schema.anyOf ?? []).map((variant) => nodeOf(variant, required));
  const properties = mergedProperties(variants);
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    properties.set(name, nodeOf(child, (schema.required ?? []).includes(name)));
  }
  const allowed = schema.enum ?? (schema.const === undefined ? [] : [schema.const]);
  const { additionalProperties: entries } = schema;
  return {
    description: schema.description,
    kinds: [...new Set([...kindsOf(schema), ...variants.flatMap(({ kinds }) => kinds)])],
    values: [...new Set([...allowed.map(String), ...variants.flatMap(({ values }) => values)])],
    minimum: schema.minimum ?? schema.exclusiveMinimum,
    maximum: schema.maximum,
    default: schema.default,
    example: schema.examples?.[0],
    secret: schema.secret === true || variants.some(({ secret }) => secret),
    mode: schema.mode,
    counterpart: schema.counterpart,
    required,
    properties,
    entries: typeof entries === 'object' ? nodeOf(entries, false) : firstOf(variants, 'entries'),
    items: schema.items === undefined ? firstOf(variants, 'items') : nodeOf(schema.items, false),
  };
}

/** An option that several variants have takes what any of them takes, and is required when all require it. */
function mergedProperties(variants: readonly OptionNode[]): Map<string, OptionNode> {
  const merged = new Map<string, OptionNode>();
  const maps = variants.filter(({ kinds }) => kinds.includes('map'));
  for (const [name, node] of maps.flatMap(({ properties }) => [...properties])) {
    const seen = merged.get(name);
    const values = [...new Set([...(seen?.values ?? []), ...node.values])];
    merged.set(name, { ...node, values, required: maps.every(({ properties }) => properties.get(name)?.required) });
  }
  return merged;
}

function firstOf(variants: readonly OptionNode[], key: 'entries' | 'items'): OptionNode | undefined {
  return variants.find((variant) => variant[key] !== undefined)?.[key];
}

function kindsOf(schema: Schema): readonly OptionKind[] {
  switch (schema.type) {
    case 'string':
      return ['text'];
    case 'number':
      return ['number'];
    case 'integer':
      return ['whole number'];
    case 'boolean':
      return ['true or false'];
    case 'array':
      return ['list'];
    case 'object':
      return ['map'];
    default:
      return [];
  }
}
