import { pipelineJsonSchema } from '../pipeline/index.ts';

type Schema = Readonly<Record<string, unknown>>;

/** A value an environment variable will give. */
const variable: Schema = { type: 'string', pattern: '\\$\\{[^}]*\\}' };

/**
 * JSON schema (draft 7, which editors know best) of a configuration file: what only code can give is left out, and
 * variables are allowed where the option is not a text.
 */
export function editorSchema(): Schema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'A tidemark pipeline',
    ...forFile(pipelineJsonSchema() as Schema, []),
  };
}

const subschemas = (value: unknown) => Object.entries((value ?? {}) as Record<string, Schema>);

function forFile(schema: Schema, keys: readonly string[]): Schema {
  const { $schema: _, properties, additionalProperties, items, anyOf, secret, default: preset, ...others } = schema;
  const { mode: _mode, counterpart: _counterpart, ...rest } = others;
  const result: Record<string, unknown> = { ...rest };
  if (rest.maximum === Number.MAX_SAFE_INTEGER) delete result.maximum;
  if (secret === true) result.writeOnly = true;
  // An empty map as the default only says that the section may be left out.
  if (preset !== undefined && JSON.stringify(preset) !== '{}') result.default = preset;
  if (properties !== undefined) {
    result.properties = Object.fromEntries(
      subschemas(properties).map(([name, below]) => [name, forFile(below, [...keys, name])]),
    );
  }
  if (typeof additionalProperties === 'object')
    result.additionalProperties = forFile(additionalProperties as Schema, keys);
  else if (additionalProperties !== undefined) result.additionalProperties = additionalProperties;
  if (items !== undefined) result.items = forFile(items as Schema, keys);
  if (keys.length === 1 && keys[0] === 'transform') result.type = 'string';
  if (anyOf === undefined) return takesVariables(result, (items as Schema | undefined)?.type === 'string');
  const variants = (anyOf as readonly Schema[]).filter((variant) => Object.keys(variant).length > 0);
  result.anyOf = [...variants.map((variant) => forFile(variant, keys))];
  return result;
}

/** Lets a variable stand for a number, a switch, a list of texts, or one of several values. */
function takesVariables(schema: Record<string, unknown>, isTextList: boolean): Schema {
  const { description, default: preset, examples, writeOnly, ...value } = schema;
  const isConstrainedText =
    value.type === 'string' && (value.enum !== undefined || value.const !== undefined || value.pattern !== undefined);
  if (!['number', 'integer', 'boolean'].includes(String(value.type)) && !isTextList && !isConstrainedText)
    return schema;
  const notes = { description, default: preset, examples, writeOnly };
  const given = Object.fromEntries(Object.entries(notes).filter(([, note]) => note !== undefined));
  return { ...given, anyOf: [value, variable] };
}
