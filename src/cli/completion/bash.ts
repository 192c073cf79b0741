import type { CompletedCommand } from './commandTree.ts';
import { quoted, steps } from './paths.ts';

/**
 * For bash 3.2 and newer. Where there is no word to offer the function leaves the list empty, and bash offers names of files. Bash
 * takes a line apart at `=` too.
 */
export function bashScript(commands: readonly CompletedCommand[]): string {
  return `# bash completion of tidemark
_tidemark() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command=tidemark word words=
  if [[ $current == = ]]; then current=
  elif [[ $previous == = ]]; then previous=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    case "$command $word" in
      ${steps(commands, ' | ')}) command="$command $word" ;;
    esac
  done
  case "$command $previous" in
${valueCases(commands)}
    *)
      case "$command" in
${wordCases(commands)}
      esac
      ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o bashdefault -o default -F _tidemark tidemark
`;
}

/** Values of options that have words. */
function valueCases(commands: readonly CompletedCommand[]): string {
  return commands
    .flatMap(({ path, options }) =>
      options
        .filter(({ words }) => words.length > 0)
        .map(({ flags, words }) => {
          const patterns = flags.map((flag) => quoted(`${path} ${flag}`)).join(' | ');
          return `    ${patterns}) words=${quoted(words.join(' '))} ;;`;
        }),
    )
    .join('\n');
}

/** Subcommands, or words of the argument; options once a dash is typed. */
function wordCases(commands: readonly CompletedCommand[]): string {
  return commands
    .map(({ path, subcommands, options, words }) => {
      const plain = quoted([...subcommands.map(({ name }) => name), ...words].join(' '));
      const dashed = quoted(options.flatMap(({ flags }) => flags).join(' '));
      return `        ${quoted(path)}) words=${plain}; [[ $current != -* ]] || words=${dashed} ;;`;
    })
    .join('\n');
}
