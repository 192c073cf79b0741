import type { Finding } from './project.ts';

/** The part of package-lock.json that is looked at. */
export interface LockFile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly resolved?: string;
  readonly dev?: boolean;
  readonly engines?: { readonly node?: string } | readonly string[];
}

/** No place to download from is written down: whoever installs has a registry of their own. */
export function resolvedFindings(lock: LockFile): readonly Finding[] {
  return Object.entries(lock.packages)
    .filter(([, { resolved }]) => resolved !== undefined && /^https?:/.test(resolved))
    .map(([path, { resolved }]) => ({ path, what: `is resolved to ${resolved}` }));
}

/** Packages a user of ours installs must accept the oldest Node we accept. */
export function engineFindings(lock: LockFile, node: string): readonly Finding[] {
  return Object.entries(lock.packages).flatMap(([path, { dev, engines }]) => {
    const range = engines === undefined || !('node' in engines) ? undefined : engines.node;
    if (dev === true || range === undefined || satisfies(node, range)) return [];
    return [{ path, what: `wants Node ${range}, we promise ${node}` }];
  });
}

type Version = readonly [number, number, number];

/** Whether a version lies in a range as package.json writes them: comparators, `^`, `~`, `x`, `-`, `||`. */
export function satisfies(version: string, range: string): boolean {
  const wanted = parse(version).version;
  return range.split('||').some((alternative) => comparators(alternative).every((test) => test(wanted)));
}

function comparators(alternative: string): readonly ((version: Version) => boolean)[] {
  const text = alternative.trim().replace(/^(\S+)\s+-\s+(\S+)$/, '>=$1 <=$2');
  const parts = text.match(/(?:[<>]=?|=|\^|~)?\s*[\dvxX*][\w.*-]*/g) ?? [];
  return parts.map((part) => {
    const [, operator = '', operand = ''] = /^([<>]=?|=|\^|~)?\s*(.*)$/.exec(part) ?? [];
    const { version, given } = parse(operand);
    const next = (position: number): Version => {
      const raised = version.map((number, index) => (index < position ? number : index === position ? number + 1 : 0));
      return [raised[0] ?? 0, raised[1] ?? 0, raised[2] ?? 0];
    };
    switch (operator) {
      case '>=':
        return (other) => compare(other, version) >= 0;
      case '>':
        return (other) => (given === 3 ? compare(other, version) > 0 : compare(other, next(given - 1)) >= 0);
      case '<':
        return (other) => compare(other, version) < 0;
      case '<=':
        return (other) => (given === 3 ? compare(other, version) <= 0 : compare(other, next(given - 1)) < 0);
      case '^':
        return between(
          version,
          next(
            Math.max(
              0,
              version.findIndex((number) => number > 0),
            ),
          ),
        );
      case '~':
        return between(version, next(given === 1 ? 0 : 1));
      default:
        if (given === 0) return () => true;
        return given === 3 ? (other) => compare(other, version) === 0 : between(version, next(given - 1));
    }
  });
}

const between = (low: Version, high: Version) => (other: Version) =>
  compare(other, low) >= 0 && compare(other, high) < 0;

function parse(text: string): { readonly version: Version; readonly given: number } {
  const numbers = text
    .replace(/^v/, '')
    .split('.')
    .map((part) => Number.parseInt(part, 10))
    .filter((number) => !Number.isNaN(number));
  return { version: [numbers[0] ?? 0, numbers[1] ?? 0, numbers[2] ?? 0], given: numbers.length };
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
