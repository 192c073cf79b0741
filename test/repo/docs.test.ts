import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { documentedEvents } from '../../scripts/docs/eventReference.ts';
import { pages, readPage, withGeneratedParts } from '../../scripts/docs/pages.ts';
import { exitCodeOf } from '../../src/cli/exitCodes.ts';
import { metrics } from '../../src/daemon/index.ts';
import { type ErrorCode, errorCodes } from '../../src/errors.ts';
import { optionPath, validateOptions, walkOptions } from '../../src/pipeline/index.ts';
import { repoFiles } from './checks/project.ts';

/** Rows of Markdown tables: cells without their bars. */
function tableRows(text: string): readonly (readonly string[])[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

const blocks = (text: string, language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, block = '']) => block);

describe('generated parts of the documentation', () => {
  test.each(pages)('%s is as the code says (npm run docs)', (page) => {
    expect(readPage(page)).toBe(withGeneratedParts(readPage(page)));
  });

  test('a marker nobody knows, or without an end, is noticed', () => {
    expect(() => withGeneratedParts('<!-- generated: nonsense -->\n<!-- end -->')).toThrow(
      "nothing generates 'nonsense'",
    );
    expect(() => withGeneratedParts('<!-- generated: metrics -->\n')).toThrow('has no end');
    expect(withGeneratedParts('a\n<!-- generated: metrics -->\nold\n<!-- end -->\nb')).toMatch(
      /^a\n<!-- generated: metrics -->\n\| metric [\s\S]*\|\n<!-- end -->\nb$/,
    );
  });

  test('every page that has a marker is made by npm run docs', () => {
    const marked = repoFiles('docs').filter(({ text }) => text.includes('<!-- generated:'));
    expect(marked.map(({ path }) => path).sort()).toEqual([...pages].sort());
  });
});

describe('options', () => {
  test('every option has a description, and the reference has every option', () => {
    const rows = tableRows(readPage('docs/config.md')).map(([name]) => name);
    for (const { keys, node } of walkOptions()) {
      if (keys.at(-1) === '*' || keys.at(-1) === '[]') continue;
      expect(node.description, optionPath(keys)).toMatch(/^[A-Z0-9a-z].*[.)]$/);
      const written = keys.map((key) => (key === '*' ? '<name>' : key)).join('.');
      expect(rows).toContain(`\`${written.replaceAll('.[]', '[]')}\``);
    }
  });

  test('every complete example is one that works', () => {
    const texts = ['docs/config.md', 'docs/receivers.md', 'README.md'].map(
      (page) => repoFiles().find(({ path }) => path === page)?.text ?? '',
    );
    const complete = texts.flatMap((text) => blocks(text, 'yaml')).filter((block) => /^pipeline:/m.test(block));
    expect(complete.length).toBeGreaterThanOrEqual(2);
    for (const block of complete) {
      const options = parse(block.replaceAll(/\$\{KAFKA_BROKERS[^}]*\}/g, '[a:1]')) as unknown;
      expect(validateOptions(options, 'file')).toHaveProperty('spec');
    }
  });
});

describe('errors', () => {
  const rows = tableRows(readPage('docs/errors.md')).filter(([code]) => code?.startsWith('`'));

  test('every code is documented once, with its exit code, cause and way out, and nothing documented is gone', () => {
    expect(rows.map(([code]) => code?.replaceAll('`', '')).sort()).toEqual(Object.keys(errorCodes).sort());
    for (const [code = '', exit, cause = '', wayOut = ''] of rows) {
      const known = code.replaceAll('`', '') as ErrorCode;
      expect(Number(exit), code).toBe(exitCodeOf({ kind: 'failed', code: known }));
      expect(cause.length, code).toBeGreaterThan(10);
      expect(wayOut, code).not.toBe('');
    }
  });

  test('every code is one the program can give', () => {
    const sources = repoFiles('src').filter(({ path }) => !['src/errors.ts', 'src/cli/exitCodes.ts'].includes(path));
    const unused = Object.keys(errorCodes).filter((code) => !sources.some(({ text }) => text.includes(`'${code}'`)));
    expect(unused).toEqual([]);
  });
});

describe('events', () => {
  test('every event has a comment that says when it fires', () => {
    const events = documentedEvents();
    const declared = repoFiles('src').find(({ path }) => path === 'src/telemetry/events.ts')?.text ?? '';
    const names = [...declared.matchAll(/^ {2}(\w+): /gm)].map(([, name]) => name);
    expect(events.map(({ name }) => name)).toEqual(names);
    for (const { name, when } of events) expect(when, name).toMatch(/^[A-Z].*\.$/);
  });

  test('an event without a comment takes the one above it, and its fields are found', () => {
    const text = `export interface PipelineEvents {
  /** First. */
  one: TopicPartition & { readonly reason: string };
  two: TopicPartition;
  /** Third. */
  three: {
    readonly range: OffsetRange;
    readonly error: TidemarkError;
  };
}`;
    expect(documentedEvents(text)).toEqual([
      { name: 'one', when: 'First.', fields: ['topic', 'partition', 'reason'] },
      { name: 'two', when: 'First.', fields: ['topic', 'partition'] },
      { name: 'three', when: 'Third.', fields: ['range', 'error'] },
    ]);
  });
});

describe('what the documentation names', () => {
  const docs = repoFiles().filter(({ path }) => path.endsWith('.md'));

  test('metrics that are there', () => {
    const known: readonly string[] = Object.values(metrics).map(({ name }) => name);
    for (const { path, text } of docs) {
      for (const [name] of text.matchAll(/\btidemark_[a-z_]+/g)) expect(known, `${name} in ${path}`).toContain(name);
    }
  });

  test('error codes that are there', () => {
    const prefixes = [...new Set(Object.keys(errorCodes).map((code) => code.split('_')[0]))].join('|');
    for (const { path, text } of docs) {
      for (const [, code = ''] of text.matchAll(new RegExp(`\`((?:${prefixes})_[A-Z_]+)\``, 'g'))) {
        if (code.endsWith('_URL') || code.endsWith('_BROKERS')) continue;
        expect(Object.keys(errorCodes), `${code} in ${path}`).toContain(code);
      }
    }
  });

  test('files that are there', () => {
    const paths = new Set(repoFiles().map(({ path }) => path));
    for (const { path, text } of docs) {
      const folder = path.includes('/') ? `${path.slice(0, path.lastIndexOf('/'))}/` : '';
      for (const [, link = ''] of text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)) {
        const target = new URL(link, `file:///${folder}`).pathname.slice(1);
        expect(
          [...paths].some((known) => known === target || known.startsWith(`${target}/`)),
          `${link} in ${path}`,
        ).toBe(true);
      }
    }
  });
});
