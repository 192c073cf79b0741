import { dirname, resolve } from 'node:path';
import { messageOf, TidemarkError } from '../errors.ts';
import type { Transform } from '../pipeline/index.ts';
import { systemClock } from '../platform/index.ts';

/** A module whose top level never ends would otherwise hang the start without a word. */
const loadTimeoutMs = 30_000;

/**
 * Loads the user's transform, JavaScript or TypeScript, relative to the configuration file: the default export is called
 * for each record, an export named `batch` for each range. Rejects with TRANSFORM_UNLOADABLE.
 */
export async function loadTransform(configFile: string, transform: string): Promise<Transform> {
  const path = resolve(dirname(configFile), transform);
  const { createJiti } = await import('jiti');
  const jiti = createJiti(path, { fsCache: false, interopDefault: false });
  const waiting = new AbortController();
  const timeout = systemClock.sleep(loadTimeoutMs, waiting.signal).then(() => {
    throw unloadable(transform, path, `its top level did not end within ${loadTimeoutMs} ms`);
  });
  try {
    const loaded = await Promise.race([jiti.import<unknown>(path), timeout]);
    return exportedTransform(loaded, transform, path);
  } catch (error) {
    throw asUnloadable(error, transform, path);
  } finally {
    waiting.abort();
    timeout.catch(() => {});
  }
}

function exportedTransform(loaded: unknown, transform: string, path: string): Transform {
  const exports = loaded as { readonly default?: unknown; readonly batch?: unknown };
  // CommonJS: module.exports = { batch } arrives as the default export.
  const batch = exports.batch ?? (exports.default as { readonly batch?: unknown } | undefined)?.batch;
  const hasDefault = typeof exports.default === 'function';
  if (hasDefault && typeof batch === 'function') {
    throw unloadable(transform, path, 'it exports a default function and a function named batch; keep one of them');
  }
  if (hasDefault && /^class\b/.test(Function.prototype.toString.call(exports.default))) {
    throw unloadable(transform, path, 'its default export is a class; export a function');
  }
  if (hasDefault) return exports.default as Transform;
  if (typeof batch === 'function') return { batch } as Transform;
  const names = Object.keys(exports);
  const found = names.length === 0 ? 'nothing' : names.join(', ');
  throw unloadable(transform, path, `it exports no default function and no function named batch (found: ${found})`);
}

function asUnloadable(error: unknown, transform: string, path: string): TidemarkError {
  if (error instanceof TidemarkError) return error;
  const isMissing = (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
  if (isMissing && messageOf(error).includes(`'${path}'`))
    return unloadable(transform, path, 'there is no such file', error);
  // jiti puts the place of a syntax error on a line of its own.
  const [what = '', ...rest] = messageOf(error)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('Require stack') && !line.startsWith('- '));
  const at = rest.find((line) => /:\d+:\d+$/.test(line)) ?? firstFrame(error, dirname(path));
  return unloadable(transform, path, at === undefined ? what : `${what} at ${at}`, error);
}

/** Where user code threw. */
function firstFrame(error: unknown, folder: string): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const frame = stack.split('\n').find((line) => line.trimStart().startsWith('at ') && line.includes(folder));
  return frame === undefined ? undefined : /\(?([^()\s]+:\d+):\d+\)?$/.exec(frame)?.[1];
}

function unloadable(transform: string, path: string, what: string, cause?: unknown): TidemarkError {
  return new TidemarkError('TRANSFORM_UNLOADABLE', `The transform ${transform} cannot be loaded: ${what}`, {
    path,
    hint: 'Export a function as default (one record) or as batch (all records of a range).',
    cause,
  });
}
