import { Document, isMap, isPair, isScalar, isSeq, type Node } from 'yaml';
import { isSecret, optionAt, optionPath } from '../pipeline/index.ts';
import type { Origin } from './materialise.ts';
import type { PipelineFile } from './pipelineFile.ts';
import { redactor } from './redact.ts';

/** Where the value of an option comes from. */
export type OptionOrigin =
  | { readonly from: 'default' }
  | {
      readonly from: 'file' | 'variable';
      readonly line: number;
      readonly column: number;
      /** Variables that were put in; `isDefault` where the file's own `:-default` was taken. */
      readonly variables: readonly { readonly name: string; readonly isDefault: boolean }[];
    };

export interface Explanation {
  readonly file: string;
  /** Every option in effect, defaults filled in, secrets as `***`; offsets as decimal text. */
  readonly options: Readonly<Record<string, unknown>>;
  /** By option path, e.g. `kafka.brokers`. */
  readonly origins: Readonly<Record<string, OptionOrigin>>;
}

/** What a file comes to: every option in effect and where it comes from. */
export function explainPipeline(read: PipelineFile): Explanation {
  const redact = redactor(read.secrets);
  const origins: Record<string, OptionOrigin> = {};
  // Defaults of the other mode are in no effect.
  const isOfMode = (keys: readonly PropertyKey[]) =>
    (optionAt(keys)?.mode ?? read.spec.source.mode) === read.spec.source.mode;
  const show = (value: unknown, keys: readonly PropertyKey[]): unknown => {
    if (isPlainMap(value)) {
      const entries = Object.entries(value).filter(([key, item]) => item !== undefined && isOfMode([...keys, key]));
      return Object.fromEntries(entries.map(([key, item]) => [key, show(item, [...keys, key])]));
    }
    if (isListOfMaps(value)) return value.map((item, index) => show(item, [...keys, index]));
    origins[optionPath(keys)] = originOf(read.originOf(keys));
    if (Array.isArray(value)) return value.map((item) => showLeaf(item, keys, redact));
    return showLeaf(value, keys, redact);
  };
  const options = show(read.spec, []) as Record<string, unknown>;
  return { file: read.file, options, origins };
}

/** The explanation as YAML that says behind each option where it comes from. */
export function explanationText({ file, options, origins }: Explanation): string {
  const document = new Document(options);
  const comment = (node: Node | null, keys: readonly PropertyKey[]): void => {
    if (isMap(node)) {
      for (const pair of node.items) {
        if (isPair(pair) && isScalar(pair.key)) comment(pair.value as Node | null, [...keys, String(pair.key.value)]);
      }
      return;
    }
    if (isSeq(node) && node.items.some(isMap)) {
      for (const [index, item] of node.items.entries()) comment(item as Node, [...keys, index]);
      return;
    }
    const origin = origins[optionPath(keys)];
    if (node === null || origin === undefined) return;
    if (isSeq(node)) node.flow = true;
    node.comment = ` ${originText(file, origin)}`;
  };
  comment(document.contents as Node | null, []);
  return document.toString({ lineWidth: 0 });
}

function isPlainMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOfMaps(value: unknown): value is readonly Record<string, unknown>[] {
  return Array.isArray(value) && value.some(isPlainMap);
}

function showLeaf(value: unknown, keys: readonly PropertyKey[], redact: (text: string) => string): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'string') return value;
  return isSecret(keys) && !/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? '***' : redact(value);
}

function originOf(origin: Origin | undefined): OptionOrigin {
  if (origin === undefined) return { from: 'default' };
  const { place, variables } = origin;
  return { from: variables.length === 0 ? 'file' : 'variable', ...place, variables };
}

function originText(file: string, origin: OptionOrigin): string {
  if (origin.from === 'default') return 'default';
  const place = `${file}:${origin.line}:${origin.column}`;
  if (origin.variables.length === 0) return place;
  const names = origin.variables.map(({ name, isDefault }) => (isDefault ? `default of \${${name}}` : `\${${name}}`));
  return `${place} from ${names.join(', ')}`;
}
