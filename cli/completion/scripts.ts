/** What makes a shell ask us, by `completion <shell> -- <words>`, whenever the key is pressed: so it is never stale. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** Where we know nothing, shells go on with files. */
export const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: `_crucible() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" completion bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _crucible crucible
`,
  zsh: `#compdef crucible
_crucible() {
  local -a found
  found=(\${(f)"$("$words[1]" completion zsh -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( $#found )); then compadd -a found; else _files; fi
}
compdef _crucible crucible
`,
  fish: `function __crucible_words
  set -l words (commandline -opc) (commandline -ct)
  $words[1] completion fish -- $words[2..] 2>/dev/null
end
complete -c crucible -a '(__crucible_words)'
`,
};
