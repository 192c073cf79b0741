import { TidemarkError } from '../errors.ts';
import { crossChecks } from './crossChecks.ts';
import { problemsOf } from './issueProblems.ts';
import { type OptionProblem, optionPath, problemText } from './optionProblem.ts';
import { type PipelineSpec, pipelineSpec } from './optionsSpec.ts';

export type ValidationOutcome = { readonly spec: PipelineSpec } | { readonly problems: readonly OptionProblem[] };

/** Where options come from: in a file the transform is a path, in code it is the function. */
export type OptionsOrigin = 'file' | 'code';

/** Checks everything that can be checked without asking anyone, and reports every problem at once. Defaults are filled in. */
export function validateOptions(raw: unknown, origin: OptionsOrigin = 'code'): ValidationOutcome {
  const parsed = pipelineSpec.safeParse(raw);
  const own = parsed.success ? [] : problemsOf(parsed.error.issues, raw);
  const taken = new Set(own.map(({ keys }) => optionPath(keys)));
  const crossed = [...crossChecks(raw), ...transformCheck(raw, origin)];
  const problems = [...own, ...crossed.filter(({ keys }) => !taken.has(optionPath(keys)))];
  if (parsed.success && problems.length === 0) return { spec: parsed.data };
  return { problems };
}

/** The options with every default filled in. Throws CONFIG_INVALID that names every problem, one a line. */
export function parseOptions(raw: unknown): PipelineSpec {
  const outcome = validateOptions(raw);
  if ('spec' in outcome) return outcome.spec;
  const lines = outcome.problems.map(problemText);
  throw invalidOptions(lines, optionPath(outcome.problems[0]?.keys ?? []));
}

/** CONFIG_INVALID from problems already worded. */
export function invalidOptions(lines: readonly string[], path: string): TidemarkError {
  const count = lines.length === 1 ? 'one problem' : `${lines.length} problems`;
  return new TidemarkError(
    'CONFIG_INVALID',
    `The options have ${count}:\n${lines.map((line) => `  ${line}`).join('\n')}`,
    {
      ...(path === '' ? {} : { path }),
    },
  );
}

function transformCheck(raw: unknown, origin: OptionsOrigin): readonly OptionProblem[] {
  if (typeof raw !== 'object' || raw === null || !('transform' in raw) || raw.transform === undefined) return [];
  const isPath = typeof raw.transform === 'string';
  if (origin === 'code' && isPath) {
    const hint = 'import the function and give it here; paths belong to configuration files';
    return [{ keys: ['transform'], message: 'expected a function, found a path', hint }];
  }
  if (origin === 'file' && !isPath) return [{ keys: ['transform'], message: 'expected the path of a file' }];
  return [];
}
