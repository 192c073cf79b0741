import { dirname, resolve } from 'node:path';
import { isTidemarkError, TidemarkError } from '../errors.ts';
import {
  type OptionProblem,
  optionPath,
  type PipelineOptions,
  type PipelineSpec,
  problemText,
  validateOptions,
} from '../pipeline/index.ts';
import { loadTransform } from './loadTransform.ts';
import { type Materialised, materialise, type Origin } from './materialise.ts';
import { redactor, secretsOf } from './redact.ts';
import type { Environment } from './variables.ts';
import { type Place, readYamlFile, type YamlFile } from './yamlFile.ts';

/** A configuration file that is right as far as the file itself tells. */
export interface PipelineFile {
  /** As the user named it. */
  readonly file: string;
  /** What stands in the file, variables put in, defaults left out. */
  readonly written: Readonly<Record<string, unknown>>;
  /** With every default; the transform is still a path, and paths are as they stand in the file. */
  readonly spec: PipelineSpec;
  /** Where an option was written; undefined for defaults. */
  originOf(keys: readonly PropertyKey[]): Origin | undefined;
  /** What must not be shown; see `redactor`. */
  readonly secrets: readonly string[];
}

/** A configuration file with its transform loaded and its paths resolved: what `definePipeline` takes. */
export interface LoadedPipeline extends PipelineFile {
  readonly options: PipelineOptions;
}

/**
 * Reads a configuration file, puts environment variables in and validates. Runs no user code. Throws CONFIG_UNREADABLE, or
 * CONFIG_VARIABLE_MISSING and CONFIG_INVALID with one line for each problem: `orders.yaml:12:5 source.reset: …`.
 */
export async function readPipelineFile(file: string, environment: Environment): Promise<PipelineFile> {
  const yaml = await readYamlFile(file);
  const found = materialise(yaml, environment);
  const secrets = secretsOf(found.value, variablesOf(found, environment));
  const outcome = validateOptions(found.value, 'file');
  const invalid = 'problems' in outcome ? outcome.problems : [];
  if ('problems' in outcome || found.problems.length > 0 || found.missing.length > 0) {
    throw fileProblems(yaml, found, invalid, redactor(secrets));
  }
  return {
    file,
    written: found.value as Record<string, unknown>,
    spec: outcome.spec,
    originOf: (keys) => found.origins.get(optionPath(keys)),
    secrets,
  };
}

/** The same, and loads the transform: TRANSFORM_UNLOADABLE. */
export async function loadPipelineFile(file: string, environment: Environment): Promise<LoadedPipeline> {
  const read = await readPipelineFile(file, environment);
  const { transform: path, ...written } = read.written;
  const { wal, store } = read.spec;
  const beside = (dir: string) => resolve(dirname(file), dir);
  const rest = {
    ...written,
    ...(wal === undefined ? {} : { wal: { ...wal, dir: beside(wal.dir) } }),
    ...(store?.type === 'file' ? { store: { ...store, dir: beside(store.dir) } } : {}),
  };
  if (typeof path !== 'string') return { ...read, options: rest as unknown as PipelineOptions };
  try {
    const transform = await loadTransform(file, path);
    return { ...read, options: { ...rest, transform } as unknown as PipelineOptions };
  } catch (error) {
    throw atPlace(error, `${file}:${placeText(read.originOf(['transform'])?.place)}`);
  }
}

function variablesOf(found: Materialised, environment: Environment): readonly (readonly [string, string])[] {
  const names = new Set([...found.origins.values()].flatMap(({ variables }) => variables.map(({ name }) => name)));
  return [...names].map((name) => [name, environment[name] ?? ''] as const);
}

function fileProblems(
  yaml: YamlFile,
  found: Materialised,
  invalid: readonly OptionProblem[],
  redact: (text: string) => string,
): TidemarkError {
  // An option that waits for a variable is neither right nor wrong yet.
  const waiting = new Set(found.missing.map(({ keys }) => optionPath(keys)));
  const missing = found.missing.map(({ keys, name }) => ({
    keys,
    message: `the environment variable ${name} is not set`,
    hint: `set it, or give a default: \${${name}:-…}`,
  }));
  const others = [...found.problems, ...invalid].filter(({ keys }) => !waiting.has(optionPath(keys)));
  const placed = [...missing, ...others]
    .map((problem) => ({ problem, place: placeOf(problem.keys, found.origins) }))
    .sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
  const lines = placed.map(({ problem, place }) =>
    redact(`${yaml.file}:${placeText(place)} ${problemText(withOrigin(problem, found.origins))}`),
  );
  return new TidemarkError(missing.length > 0 ? 'CONFIG_VARIABLE_MISSING' : 'CONFIG_INVALID', lines.join('\n'), {
    path: optionPath(placed[0]?.problem.keys ?? []),
  });
}

/** Says which variable a wrong value came from. */
function withOrigin(problem: OptionProblem, origins: ReadonlyMap<string, Origin>): OptionProblem {
  const names = origins.get(optionPath(problem.keys))?.variables.map(({ name }) => `\${${name}}`) ?? [];
  return names.length === 0 ? problem : { ...problem, message: `${problem.message} (from ${names.join(' and ')})` };
}

/** The place of an option, or of the nearest thing around it that stands in the file. */
function placeOf(keys: readonly PropertyKey[], origins: ReadonlyMap<string, Origin>): Place {
  for (let length = keys.length; length >= 0; length -= 1) {
    const origin = origins.get(optionPath(keys.slice(0, length)));
    if (origin !== undefined) return origin.place;
  }
  return { line: 1, column: 1 };
}

function placeText(place: Place = { line: 1, column: 1 }): string {
  return `${place.line}:${place.column}`;
}

function atPlace(error: unknown, place: string): unknown {
  if (!isTidemarkError(error)) return error;
  const { code, message, path, hint, cause } = error;
  return new TidemarkError(code, `${place} transform: ${message}`, {
    ...(path === undefined ? {} : { path }),
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}
