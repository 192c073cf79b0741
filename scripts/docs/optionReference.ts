import { kindsText, type OptionNode, optionPath, walkOptions } from '../../src/pipeline/index.ts';

/** The table of all options: the generated part of docs/config.md. */
export function optionReference(): string {
  const rows = [...walkOptions()]
    .filter(({ keys, node }) => keys.at(-1) !== '[]' && (node.description !== undefined || keys.at(-1) !== '*'))
    .map(
      ({ keys, node }) => `| \`${pathText(keys)}\` | ${typeText(node)} | ${defaultText(node)} | ${meaningText(node)} |`,
    );
  return ['| option | type | default | meaning |', '|---|---|---|---|', ...rows].join('\n');
}

function pathText(keys: readonly string[]): string {
  return keys
    .map((key) => (key === '*' ? '<name>' : key === '[]' ? key : optionPath([key])))
    .join('.')
    .replaceAll('.[]', '[]');
}

function typeText(node: OptionNode): string {
  if (node.values.length > 0) return node.values.map((value) => `\`${value}\``).join(', ');
  if (node.kinds.length === 0) return 'text';
  if (node.items !== undefined) return `list of ${typeText(node.items)}`;
  return `${kindsText(node.kinds).replace(/\ba /g, '')}${boundsText(node)}`;
}

function boundsText({ minimum, maximum }: OptionNode): string {
  if (minimum === undefined) return '';
  return maximum === undefined || maximum === Number.MAX_SAFE_INTEGER
    ? `, from ${minimum} on`
    : `, ${minimum} to ${maximum}`;
}

function defaultText(node: OptionNode): string {
  if (node.required) return 'required';
  const isSection = node.properties.size > 0;
  if (node.default === undefined || (isSection && typeof node.default === 'object')) return '';
  return `\`${JSON.stringify(node.default)}\``;
}

function meaningText(node: OptionNode): string {
  const example = node.example === undefined ? '' : ` Example: \`${JSON.stringify(node.example)}\`.`;
  const secret = node.secret ? ' Secret: never shown.' : '';
  const mode = node.mode === undefined ? '' : ` Mode ${node.mode} only.`;
  return `${node.description ?? ''}${mode}${example}${secret}`.replaceAll('|', '\\|').trim();
}
