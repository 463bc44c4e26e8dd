# complete.zsh SHELL FUNCTION [KEYS]...: types KEYS and a tab into an interactive SHELL (bash or zsh) that has loaded
# FUNCTION, the file of moil's completion, and prints the line that came of it; for each KEYS. The shell runs on a
# pseudo terminal in the current folder, with `moil` in its PATH. Driven by completion_spec.lua.
zmodload zsh/zpty
shell=$1 function=$2
shift 2

# expect PATTERN: waits for it in what the shell prints; what came since the last time is in $seen.
expect() {
  local piece deadline=$((SECONDS + 30))
  seen=
  until [[ $seen == $~1 ]]; do
    if zpty -r -t shell piece; then seen+=$piece; else zselect -t 1; fi
    (( SECONDS < deadline )) || { print -r -- "no answer; there is: ${(V)seen}"; exit 1 }
  done
}
zmodload zsh/zselect

export PS1='' TERM=dumb HISTFILE=
if [[ $shell == bash ]]; then
  zpty shell bash --noprofile --norc -i
  zpty -w shell "PS1=; bind 'set enable-bracketed-paste off'; bind 'set bell-style none'; source $function"
else
  zpty shell zsh -f -i
  zpty -w shell "PS1=; unsetopt zle_bracketed_paste prompt_cr prompt_sp beep; unset zle_bracketed_paste"
  zpty -w shell "fpath=(${function:h} \$fpath); autoload -U compinit; compinit -u -D"
fi
zpty -w shell 'echo rea''dy'
expect $'*ready\r\n*'

# The line becomes the argument of `echo`; what the shell itself shows of it does not look like what echo prints.
for keys; do
  zpty -w -n shell $keys$'\t'
  zpty -w -n shell $'\001echo "li""ne:\005"\n'
  expect $'*line:*\r\n*'
  line=${seen##*line:}
  print -r -- ${${line%%$'\r'*}%% #}
done
zpty -d shell
