import type { z } from 'zod';
import { nearestName } from '../platform/index.ts';
import { type OptionProblem, optionPath, shown, valueAt } from './optionProblem.ts';
import { type OptionNode, optionAt, walkOptions } from './optionTree.ts';

type Issue = z.core.$ZodIssue;

/** Zod's issues in our words, one problem for each option. `raw` is what was validated. */
export function problemsOf(issues: readonly Issue[], raw: unknown, base: readonly PropertyKey[] = []): OptionProblem[] {
  return issues.flatMap((issue) => {
    const keys = [...base, ...issue.path];
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownOption([...keys, key], raw));
    if (issue.code === 'invalid_union' && isDefaultMessage(issue)) return unionProblems(issue.errors, keys, raw);
    return [problemOf(issue, keys, raw)];
  });
}

function problemOf(issue: Issue, keys: readonly PropertyKey[], raw: unknown): OptionProblem {
  const value = valueAt(raw, keys);
  const node = optionAt(keys);
  if (value === undefined && keys.length > 0) return missingOption(keys);
  const found = isSecret(keys) ? 'the value given (not shown)' : shown(value);
  switch (issue.code) {
    case 'invalid_type':
      return wrongKind(keys, node, issue.expected, found, value);
    case 'invalid_value':
      return unknownValue(keys, node?.values ?? issue.values.map(String), found, value);
    case 'too_small':
    case 'too_big':
      if (issue.origin === 'string' || issue.origin === 'array') return { keys, message: 'is empty' };
      return { keys, message: `${found} is out of bounds`, allowed: boundsText(issue, node) };
    case 'invalid_key':
      return {
        keys,
        message: `${shown(String(keys.at(-1)))} cannot stand here`,
        allowed: issue.issues[0]?.message ?? issue.message,
      };
    default:
      return { keys, message: `${found} is not valid`, allowed: issue.message };
  }
}

/**
 * What is wrong with a value that fits no variant. Variants only code can give are left aside; then the one that is meant
 * counts: the one of the right kind, whose `type` or `mechanism` fits best.
 */
function unionProblems(
  variants: readonly (readonly Issue[])[],
  keys: readonly PropertyKey[],
  raw: unknown,
): OptionProblem[] {
  const writable = variants.filter(
    (issues) => !issues.every(({ code, path }) => code === 'custom' && path.length === 0),
  );
  const candidates = writable.filter((issues) => !issues.some(isRootKind));
  const [first] = candidates;
  if (first === undefined) {
    const issue = writable.flat().find(isRootKind) ?? variants.flat()[0];
    return issue === undefined ? [] : [problemOf(issue, keys, raw)];
  }
  const meant = candidates.filter((issues) => !issues.some(isDiscriminator));
  if (candidates.length === 1 || meant.length > 0) return problemsOf(meant[0] ?? first, raw, keys);
  const discriminator = first.find(isDiscriminator);
  const nearest = nearestName(String(valueAt(raw, [...keys, ...(discriminator?.path ?? [])])), valuesOf(candidates));
  const near = candidates.find((issues) => valuesOf([issues]).includes(nearest ?? ''));
  return problemsOf(near ?? (discriminator === undefined ? first : [discriminator]), raw, keys);
}

const isRootKind = ({ code, path }: Issue) => code === 'invalid_type' && path.length === 0;
const isDiscriminator = ({ code, path }: Issue) => code === 'invalid_value' && path.length === 1;

function valuesOf(variants: readonly (readonly Issue[])[]): readonly string[] {
  return variants.flat().flatMap((issue) => (issue.code === 'invalid_value' ? issue.values.map(String) : []));
}

/** Zod's own texts, as opposed to those of our specs. */
function isDefaultMessage({ message }: Issue): boolean {
  return message === 'Invalid input';
}

function unknownOption(keys: readonly PropertyKey[], raw: unknown): OptionProblem {
  const name = String(keys.at(-1));
  const around = keys.slice(0, -1);
  const siblings: OptionNode['properties'] = optionAt(around)?.properties ?? new Map();
  if (siblings.has(name)) return ofAnotherVariant(keys, ['type', 'mechanism'], raw);
  const near = nearestName(name, siblings.keys());
  if (near !== undefined) return { keys, message: 'unknown option', hint: `did you mean ${near}?` };
  const elsewhere = homesOf(name);
  return {
    keys,
    message: 'unknown option',
    allowed: [...siblings.keys()].join(', '),
    ...(elsewhere.length === 0 ? {} : { hint: `${name} belongs to ${elsewhere.join(' or ')}` }),
  };
}

/** The option is there, but not with the `type` or `mechanism` that is given beside it. */
function ofAnotherVariant(keys: readonly PropertyKey[], choosers: readonly string[], raw: unknown): OptionProblem {
  const around = keys.slice(0, -1);
  const chosen = choosers.flatMap((chooser) => {
    const value = valueAt(raw, [...around, chooser]);
    return value === undefined ? [] : [`${chooser}: ${String(value)}`];
  });
  return { keys, message: `unknown option with ${chosen.join(' and ')}`, hint: 'remove it' };
}

/** Where an option of this very name is declared. */
function homesOf(name: string): readonly string[] {
  const homes: string[] = [];
  for (const { keys } of walkOptions()) {
    if (keys.at(-1) !== name || keys.includes('*')) continue;
    const around = keys.slice(0, -1).filter((key) => key !== '[]');
    homes.push(around.length === 0 ? 'the top level' : optionPath(around));
  }
  return homes;
}

/** An option that must be given and is not. */
export function missingOption(keys: readonly PropertyKey[]): OptionProblem {
  const node = optionAt(keys);
  const example = node?.example === undefined ? '' : `, for example ${JSON.stringify(node.example)}`;
  const allowed =
    node === undefined ? undefined : node.values.length > 0 ? node.values.join(', ') : kindsText(node.kinds);
  return {
    keys,
    message: 'is missing',
    ...(allowed === undefined ? {} : { allowed }),
    ...(node?.description === undefined ? {} : { hint: `${node.description.replace(/\.$/, '')}${example}` }),
  };
}

function wrongKind(
  keys: readonly PropertyKey[],
  node: OptionNode | undefined,
  expected: string,
  found: string,
  value: unknown,
): OptionProblem {
  const kinds = node === undefined || node.kinds.length === 0 ? expected : kindsText(node.kinds);
  const problem = { keys, message: `expected ${kinds}, found ${found}` };
  if (value === null) return { ...problem, hint: 'give it a value or leave the key out' };
  const isBare = typeof value === 'number' || typeof value === 'boolean';
  return isBare && node?.kinds.every((kind) => kind === 'text') ? { ...problem, hint: 'put it into quotes' } : problem;
}

function unknownValue(
  keys: readonly PropertyKey[],
  values: readonly string[],
  found: string,
  value: unknown,
): OptionProblem {
  const near = nearestName(String(value), values);
  return {
    keys,
    message: `unknown value ${found}`,
    allowed: values.join(', '),
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  };
}

function boundsText(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>, node: OptionNode | undefined): string {
  if (issue.code === 'too_small' && issue.inclusive === false) return `more than ${issue.minimum}`;
  // Variants may have bounds of their own: the one that was broken counts.
  const lower = issue.code === 'too_small' ? Number(issue.minimum) : node?.minimum;
  const upper = issue.code === 'too_big' ? Number(issue.maximum) : node?.maximum;
  const from = lower === undefined ? '' : `from ${lower} `;
  return upper === undefined || upper === Number.MAX_SAFE_INTEGER ? `${from}on` : `${from}to ${upper}`;
}

export function kindsText(kinds: OptionNode['kinds']): string {
  return kinds.map((kind) => (kind === 'text' || kind === 'true or false' ? kind : `a ${kind}`)).join(' or ');
}

/** Whether an option or what it belongs to is declared secret. */
export function isSecret(keys: readonly PropertyKey[]): boolean {
  return keys.some((_, index) => optionAt(keys.slice(0, index + 1))?.secret === true);
}
