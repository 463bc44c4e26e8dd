/* completion_shell.c: what bash and zsh have to load (completion.h). Neither knows any command or
 * option. */
#include "cli/completion.h"

/* bash takes "=" and ":" for ends of words: --name=value arrives in three, and only what stands
 * behind the last of them is replaced. */
static const char bash[] =
    "# bash completion for moil, printed by `moil --help=bash`.\n"
    "_moil() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} word='' whole line candidate i\n"
    "    local -a words=()\n"
    "    for ((i = 1; i <= COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if ((i > 1)) && [[ $word == [=:]* || ${COMP_WORDS[i - 1]} == *[=:] ]]; then\n"
    "            words[${#words[@]}-1]+=$word\n"
    "        else\n"
    "            words+=(\"$word\")\n"
    "        fi\n"
    "    done\n"
    "    [[ $cur != [=:]* ]] || cur=\n"
    "    whole=${words[${#words[@]}-1]}\n"
    "    [[ $whole != --*=* ]] || whole=${whole#*=}\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        candidate=${line%%$'\\t'*}\n"
    "        case $line in\n"
    "        :files | :dirs)\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            [[ $line == :files ]] && i=-f || i=-d\n"
    "            while IFS= read -r candidate; do\n"
    "                COMPREPLY+=(\"$candidate\")\n"
    "            done < <(compgen $i -- \"$cur\")\n"
    "            ;;\n"
    "        *) COMPREPLY+=(\"${candidate#\"${whole%\"$cur\"}\"}\") ;;\n"
    "        esac\n"
    "    done < <(\"${COMP_WORDS[0]/#\\~/$HOME}\" --help=complete \"${words[@]}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _moil moil\n";

static const char zsh[] =
    "#compdef moil\n"
    "# zsh completion for moil, printed by `moil --help=zsh`.\n"
    "_moil() {\n"
    "    local line files=\n"
    "    local -a shown lines\n"
    "    lines=(\"${(@f)$(${(e)~words[1]} --help=complete \"${(@Q)words[2,CURRENT]}\" "
    "2>/dev/null)}\")\n"
    "    compset -P '--*='\n"
    "    for line in $lines; do\n"
    "        case $line in\n"
    "        :*) files=$line ;;\n"
    "        *$'\\t') shown+=(\"${${line%$'\\t'}//:/\\\\:}\") ;;\n"
    "        ?*) shown+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
    "        esac\n"
    "    done\n"
    "    (( ! $#shown )) || _describe -t values moil shown\n"
    "    case $files in\n"
    "    :files) _files ;;\n"
    "    :dirs) _files -/ ;;\n"
    "    esac\n"
    "}\n"
    "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
    "    _moil \"$@\"\n"
    "else\n"
    "    compdef _moil moil\n"
    "fi\n";

void moil_completion_bash(struct buffer *out)
{
    moil_buffer_add_str(out, bash);
}

void moil_completion_zsh(struct buffer *out)
{
    moil_buffer_add_str(out, zsh);
}
