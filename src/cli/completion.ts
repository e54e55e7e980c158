/** `completion`: scripts for shells, made from the table of commands, the schema and the options of groups. */
import type { Command, Option } from "commander";
import { hasFixedKeys, isOpenMap, knownKeys, schemaAt, wordsOf } from "../config/introspection.ts";
import { ConfigSchema } from "../config/schema.ts";
import { groupsOf, openSources, optionsOf } from "../config/sources.ts";
import type { Shell } from "./options.ts";

/** What a shell offers. */
interface Offers {
  commands: { name: string; description: string; options: OptionOffer[]; words: string[]; takesOverrides: boolean }[];
  /** `key=` of every key and group, in order. */
  keys: string[];
  /** The words that stand behind a `key=`. */
  values: Record<string, string[]>;
}

interface OptionOffer {
  flags: string[];
  description: string;
  takesValue: boolean;
  words: string[];
}

/** The script that teaches a shell the commands of `program`. */
export function completionScript(program: Command, shell: Shell): string {
  return WRITERS[shell](offersOf(program));
}

function offersOf(program: Command): Offers {
  const keys: string[] = [];
  const values: Record<string, string[]> = {};
  for (const key of knownKeys(ConfigSchema)) {
    const schema = schemaAt(ConfigSchema, key.split("."))!;
    if (hasFixedKeys(schema) || isOpenMap(schema)) continue;
    keys.push(key);
    const words = wordsOf(schema);
    if (words.length > 0) values[key] = words;
  }
  const sources = openSources();
  for (const group of groupsOf(sources)) {
    keys.push(group);
    values[group] = optionsOf(sources, group);
  }
  const commands = program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: [...command.options.map(optionOffer), HELP],
    words: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    takesOverrides: command.registeredArguments.some((argument) => argument.name() === "overrides"),
  }));
  const help = {
    name: "help",
    description: "the help of a command",
    options: [],
    words: commands.map(({ name }) => name),
    takesOverrides: false,
  };
  return { commands: [...commands, help], keys: keys.sort(), values };
}

const HELP: OptionOffer = { flags: ["--help"], description: "the help of the command", takesValue: false, words: [] };

const optionOffer = ({ short, long, description, required, argChoices }: Option): OptionOffer => ({
  flags: [long, short].filter((flag) => flag !== undefined && flag !== null),
  description,
  takesValue: required,
  words: argChoices ?? [],
});

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Branches of a shell's `case`. */
const branches = (rows: readonly [string, string][], indent: string): string =>
  rows.map(([pattern, body]) => `${indent}${pattern}) ${body} ;;`).join("\n");

/** What bash and zsh share: functions that print offers, a line each. */
function sharedFunctions({ commands, keys, values }: Offers): string {
  const print = (words: readonly string[]) => `printf '%s\\n' ${words.map(quoted).join(" ")}`;
  const flags = ({ options }: Offers["commands"][number]) => options.flatMap((option) => option.flags);
  const optionValues = commands.flatMap(({ name, options }) =>
    options.filter(({ words }) => words.length > 0).flatMap((option) =>
      option.flags.map((flag): [string, string] => [quoted(`${name} ${flag}`), print(option.words)])
    )
  );
  const taking = commands.flatMap(({ name, options }) =>
    options.filter(({ takesValue }) => takesValue).flatMap((option) => option.flags.map((flag) => `${name} ${flag}`))
  );
  return `_entail_commands() { ${print(commands.map(({ name }) => name))}; }
_entail_options() {
  case $1 in
${branches(commands.filter((command) => flags(command).length > 0).map((c) => [c.name, print(flags(c))]), "    ")}
  esac
}
_entail_words() {
  case $1 in
${branches(commands.filter(({ words }) => words.length > 0).map(({ name, words }) => [name, print(words)]), "    ")}
  esac
}
_entail_takes_overrides() {
  case $1 in
    ${commands.filter(({ takesOverrides }) => takesOverrides).map(({ name }) => name).join("|")}) return 0 ;;
  esac
  return 1
}
_entail_takes_value() {
  case $1 in
    ${taking.map(quoted).join("|")}) return 0 ;;
  esac
  return 1
}
_entail_option_values() {
  case $1 in
${branches(optionValues, "    ")}
  esac
}
_entail_keys() { ${print(keys.map((key) => `${key}=`))}; }
_entail_values() {
  case $1 in
${branches(Object.entries(values).map(([key, words]) => [key, print(words)]), "    ")}
  esac
}
# The offers for the word $3 behind the words $2 of the command $1, a line each; nothing: files.
_entail_offers() {
  local command=$1 before=$2 word=$3 sign key
  if [ -z "$command" ]; then _entail_commands; printf '%s\\n' --help --version; return; fi
  if _entail_takes_value "$command $before"; then _entail_option_values "$command $before"; return; fi
  case $word in
    -*) _entail_options "$command"; return ;;
  esac
  if ! _entail_takes_overrides "$command"; then _entail_words "$command"; return; fi
  sign=
  case $word in
    ++*) sign=++ ;;
    +*) sign=+ ;;
    '~'*) sign='~' ;;
  esac
  key=\${word#"$sign"}
  case $key in
    *=*) _entail_values "\${key%%=*}" | while IFS= read -r line; do printf '%s\\n' "$sign\${key%%=*}=$line"; done ;;
    *) _entail_words "$command"; _entail_keys | while IFS= read -r line; do printf '%s\\n' "$sign$line"; done ;;
  esac
}
`;
}

const WRITERS: Record<Shell, (offers: Offers) => string> = {
  bash: (offers) =>
    `# bash completion for entail: source this file, or put it in ~/.local/share/bash-completion/completions/entail
${sharedFunctions(offers)}
_entail() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} cut= command= i line
  # Bash has parted key=value at the "=".
  if [ "$word" = = ]; then cut=$before=; word=; before=\${COMP_WORDS[COMP_CWORD-2]}
  elif [ "$before" = = ]; then cut=\${COMP_WORDS[COMP_CWORD-2]}=; before=\${COMP_WORDS[COMP_CWORD-3]}
  fi
  if [ "$COMP_CWORD" -gt 1 ]; then command=\${COMP_WORDS[1]}; fi
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      "$cut$word"*) COMPREPLY+=("\${line#"$cut"}") ;;
    esac
  done < <(_entail_offers "$command" "$before" "$cut$word")
  case \${COMPREPLY[0]} in
    *=) compopt -o nospace 2>/dev/null ;;
  esac
  return 0
}
complete -o default -F _entail entail
`,
  zsh: (offers) =>
    `#compdef entail
# zsh completion for entail: source this file after compinit, or put it as _entail into a folder of $fpath
${sharedFunctions(offers)}
_entail() {
  local command= line
  local -a keys others
  (( CURRENT > 2 )) && command=$words[2]
  for line in \${(f)"$(_entail_offers "$command" "$words[CURRENT-1]" "$words[CURRENT]")"}; do
    if [[ $line == *= ]]; then keys+=("$line"); else others+=("$line"); fi
  done
  if (( $#keys + $#others == 0 )); then _files; return; fi
  compadd -S '' -a keys
  compadd -a others
}
if [ "$funcstack[1]" = _entail ]; then _entail "$@"; else compdef _entail entail; fi
`,
  fish({ commands, keys, values }) {
    const lines = [
      "# fish completion for entail: put this file as entail.fish into ~/.config/fish/completions",
      "function __entail_overrides",
      "  set -l word (commandline -ct)",
      "  set -l sign (string match -r '^(?:\\\\+\\\\+?|~)' -- $word)",
      "  count $sign >/dev/null; or set sign ''",
      "  set -l key (string replace -r '^(?:\\\\+\\\\+?|~)' '' -- $word)",
      "  switch $key",
      ...Object.entries(values).map(([key, words]) =>
        `    case '${key}=*'; printf '%s\\n' $sign"${key}="{${words.join(",")}}`
      ),
      `    case '*'; printf '%s\\n' $sign{${keys.map((key) => `${key}=`).join(",")}}`,
      "  end",
      "end",
      "complete -c entail -n __fish_use_subcommand -l version -d 'the version of this program'",
      "complete -c entail -n __fish_use_subcommand -l help -d 'the commands'",
    ];
    for (const { name, description, options, words, takesOverrides } of commands) {
      lines.push(`complete -c entail -f -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`);
      const there = `complete -c entail -n '__fish_seen_subcommand_from ${name}'`;
      for (const { flags, description, takesValue, words } of options) {
        const names = flags.map((flag) => flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`);
        const value = words.length > 0 ? ` -x -a ${quoted(words.join(" "))}` : takesValue ? " -r" : "";
        lines.push(`${there} ${names.join(" ")}${value} -d ${quoted(description)}`);
      }
      if (words.length > 0) lines.push(`${there} -f -a ${quoted(words.join(" "))}`);
      if (takesOverrides) lines.push(`${there} -a '(__entail_overrides)'`);
    }
    return lines.join("\n") + "\n";
  },
};
