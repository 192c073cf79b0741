import { isUtf8 } from 'node:buffer';
import { type Document, LineCounter, parseAllDocuments, type YAMLError } from 'yaml';
import { messageOf, TidemarkError } from '../errors.ts';
import { readFileBytes } from '../platform/index.ts';

/** A place in a file, both counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A file that is YAML: one document, whatever it holds. */
export interface YamlFile {
  /** As the user named it. */
  readonly file: string;
  readonly document: Document.Parsed;
  /** Place of a position in the text. */
  placeOf(position: number): Place;
}

/** Reads and parses. Throws CONFIG_UNREADABLE with every syntax error and its place. */
export async function readYamlFile(file: string): Promise<YamlFile> {
  return parseYaml(file, await readText(file));
}

export function parseYaml(file: string, text: string): YamlFile {
  const lineCounter = new LineCounter();
  // Whole numbers as bigint: an offset beyond 2^53 must not be rounded.
  const parsed = parseAllDocuments(text, { lineCounter, intAsBigInt: true });
  const documents: readonly Document.Parsed[] = Array.isArray(parsed) ? parsed : [];
  const [document, second] = documents;
  if (document === undefined) throw unreadable(file, 'the file is empty', 'Write the options of a pipeline into it.');
  const errors = documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]);
  if (errors.length > 0) throw syntaxErrors(file, text, errors);
  if (second !== undefined) {
    const { line } = lineCounter.linePos(second.range[0]);
    const what = `${file}:${line}:1: a second document begins here`;
    throw new TidemarkError('CONFIG_UNREADABLE', what, {
      path: file,
      hint: 'Write one pipeline into a file, and run several files with tidemark run FILE FILE.',
    });
  }
  return {
    file,
    document,
    placeOf: (position) => {
      const { line, col } = lineCounter.linePos(position);
      return { line, column: col };
    },
  };
}

async function readText(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFileBytes(file);
  } catch (error) {
    throw unreadable(file, readFailure(error), 'Check the path and its permissions.', error);
  }
  if (!isUtf8(bytes)) throw unreadable(file, 'the file is not UTF-8', 'Save it as UTF-8.');
  return bytes.toString('utf8');
}

function readFailure(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EISDIR':
      return 'it is a directory';
    case 'EACCES':
      return 'reading it is not permitted';
    default:
      return messageOf(error);
  }
}

function syntaxErrors(
  file: string,
  text: string,
  errors: readonly (YAMLError & { linePos?: unknown })[],
): TidemarkError {
  const lines = text.split('\n');
  const described = errors.map((error) => {
    const place = error.linePos?.[0] ?? { line: 1, col: 1 };
    const what = error.message.replace(/ at line \d+, column \d+:[\s\S]*$/, '');
    return { at: `${file}:${place.line}:${place.col}`, what, ...syntaxHint(error.code, lines[place.line - 1] ?? '') };
  });
  // One slip often gives several errors on its line: the first one tells.
  const perLine = described.filter(({ at }, index) => {
    const line = at.slice(0, at.lastIndexOf(':'));
    return described.findIndex((other) => other.at.slice(0, other.at.lastIndexOf(':')) === line) === index;
  });
  const message = perLine.map(({ at, what, hint }) => `${at}: ${what}${hint === undefined ? '' : `; ${hint}`}`);
  return new TidemarkError('CONFIG_UNREADABLE', message.join('\n'), { path: file });
}

function syntaxHint(code: string, line: string): { readonly hint?: string } {
  if (code === 'TAB_AS_INDENT') return { hint: 'indent with spaces' };
  if (code === 'DUPLICATE_KEY') return { hint: `remove one of the two ${line.split(':')[0]?.trim()}` };
  if (code === 'TAG_RESOLVE_FAILED') return { hint: 'write plain values, without a tag' };
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it quotes our own variables
  if (/[[{,].*\$\{/.test(line)) return { hint: "inside [ ] and { } a variable needs quotes: '${NAME}'" };
  if (code === 'BAD_SCALAR_START' || code === 'BLOCK_AS_IMPLICIT_KEY') return { hint: 'put the value into quotes' };
  return {};
}

function unreadable(file: string, what: string, hint: string, cause?: unknown): TidemarkError {
  return new TidemarkError('CONFIG_UNREADABLE', `${file}: ${what}`, { path: file, hint, cause });
}
