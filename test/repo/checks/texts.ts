import type { Finding, RepoFile } from './project.ts';

/** Calls that only the outside of the program may make, with what to use instead. */
export const bannedCalls: readonly { readonly call: RegExp; readonly instead: string }[] = [
  { call: /\bDate\.now\b/, instead: 'Clock.now() of the platform' },
  { call: /\bnew Date\(\)/, instead: 'Clock.now() of the platform' },
  { call: /\bperformance\.now\b/, instead: 'Clock.monotonic() of the platform' },
  { call: /\bset(?:Timeout|Interval|Immediate)\b/, instead: 'Clock.sleep() or Clock.after() of the platform' },
  { call: /\bMath\.random\b/, instead: 'backoffMs() of the platform, or a parameter' },
  { call: /['"](?:node:)?fs(?:\/promises)?['"]/, instead: 'files of the platform' },
  { call: /(?<![\w.])process\./, instead: 'the platform, or a parameter from daemon or cli' },
  { call: /\bexport \*/, instead: 'exports by name' },
];

/** Who may make them, save `export *`, which nobody may: the outside of the program, and what only tests load. */
const outside = /^src\/(platform|daemon|cli|testkit)\//;

export function bannedCallFindings(files: readonly RepoFile[]): readonly Finding[] {
  return files.flatMap(({ path, text }) => {
    const lines = withoutComments(text).split('\n');
    return lines.flatMap((line, index) =>
      bannedCalls
        .filter(({ call }) => call.test(line) && (!outside.test(path) || call.source.includes('export')))
        .map(({ instead }) => ({ path, what: `line ${index + 1}: ${line.trim()} (use ${instead})` })),
    );
  });
}

/** Comments become blanks, lines stay where they are. Good enough for code a formatter wrote. */
export function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|[\s;,{}()])\/\/[^\n]*/g, '$1');
}

// Written apart, so that this file does not find itself.
const leftovers = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`);

export function leftoverFindings(files: readonly RepoFile[]): readonly Finding[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const found = leftovers.exec(line)?.[1];
      return found === undefined ? [] : [{ path, what: `line ${index + 1}: ${found}` }];
    }),
  );
}

export function longFileFindings(files: readonly RepoFile[], linesMax: number): readonly Finding[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.trimEnd().split('\n').length;
    return lines > linesMax ? [{ path, what: `${lines} lines, more than ${linesMax}: split it` }] : [];
  });
}

const registryHost =
  /\b(?:[\w-]+\.)*(?:registry|npm|artifactory|nexus|verdaccio|jfrog|codeartifact)\.[\w.-]*\.(?:org|com|net|io|dev|local|internal)\b/i;

/** Names of package registries: whoever installs has a registry of their own. */
export function registryFindings(files: readonly RepoFile[]): readonly Finding[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const found = registryHost.exec(line)?.[0];
      return found === undefined ? [] : [{ path, what: `line ${index + 1}: ${found}` }];
    }),
  );
}
