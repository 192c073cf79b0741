import type { CompletedCommand } from './commandTree.ts';
import { quoted, steps } from './paths.ts';

/** For zsh; `path` is a variable of zsh's own, hence `command`. */
export function zshScript(commands: readonly CompletedCommand[]): string {
  return `#compdef tidemark
# zsh completion of tidemark
_tidemark() {
  local command=tidemark word
  local -a found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$command $word" in
      ${steps(commands, '|')}) command="$command $word" ;;
    esac
  done
  case "$command \${words[CURRENT-1]}" in
${valueCases(commands)}
  esac
  case "$command" in
${commandCases(commands)}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe -o option found
  elif (( $#found )); then
    _describe word found
  else
    _files
  fi
}
if [[ $funcstack[1] == _tidemark ]]; then _tidemark "$@"; else compdef _tidemark tidemark; fi
`;
}

/** Values of options that have words. */
function valueCases(commands: readonly CompletedCommand[]): string {
  return commands
    .flatMap(({ path, options }) =>
      options
        .filter(({ words }) => words.length > 0)
        .map(({ flags, words }) => {
          const patterns = flags.map((flag) => quoted(`${path} ${flag}`)).join('|');
          return `    ${patterns}) found=(${words.map(quoted).join(' ')}); _describe value found; return ;;`;
        }),
    )
    .join('\n');
}

/** Subcommands, or words of the argument; options once a dash is typed. */
function commandCases(commands: readonly CompletedCommand[]): string {
  return commands
    .map(({ path, subcommands, options, words }) => {
      const plain = [...subcommands.map(({ name, about }) => item(name, about)), ...words.map(quoted)].join(' ');
      const dashed = options.flatMap(({ flags, about }) => flags.map((flag) => item(flag, about))).join(' ');
      return `    ${quoted(path)}) found=(${plain}); [[ \${words[CURRENT]} != -* ]] || found=(${dashed}) ;;`;
    })
    .join('\n');
}

/** `_describe` parts word and explanation at the first colon. */
function item(word: string, about: string): string {
  return quoted(`${word.replaceAll(':', '\\:')}:${about}`);
}
