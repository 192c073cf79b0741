import type { CompletedCommand, CompletedOption } from './commandTree.ts';
import { steps } from './paths.ts';

/** For fish 3 and newer. */
export function fishScript(commands: readonly CompletedCommand[]): string {
  return `# fish completion of tidemark
function __tidemark_is
    set -l command tidemark
    for word in (commandline -opc)[2..-1]
        switch "$command $word"
            case ${steps(commands, ' ')}
                set command "$command $word"
        end
    end
    test "$command" = "$argv[1]"
end
${commands.flatMap(linesOf).join('\n')}
`;
}

function linesOf({ path, subcommands, options, words }: CompletedCommand): readonly string[] {
  const start = `complete -c tidemark -n ${literal(`__tidemark_is '${path}'`)}`;
  return [
    ...subcommands.map(({ name, about }) => `${start} -f -a ${literal(name)} -d ${literal(about)}`),
    ...(words.length === 0 ? [] : [`${start} -f -a ${literal(words.join(' '))}`]),
    ...options.map((option) => `${start} ${optionText(option)}`),
  ];
}

function optionText({ flags, about, needsValue, words }: CompletedOption): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const kind = needsValue ? ' -r' : '';
  const values = words.length === 0 ? '' : ` -f -a ${literal(words.join(' '))}`;
  return `${names.join(' ')}${kind}${values} -d ${literal(about)}`;
}

/** Fish knows two escapes within single quotes. */
function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
