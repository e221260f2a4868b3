# bash completion for socks4-import(1)

_socks4_import()
{
    local word=${COMP_WORDS[COMP_CWORD]}
    local options='--dante --3proxy --passwords --help --version'
    local IFS=$' \t\n'

    COMPREPLY=()
    if [[ ${COMP_WORDS[COMP_CWORD-1]} == --passwords ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        compopt -o filenames 2>/dev/null
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
    fi
    return 0
}
complete -F _socks4_import socks4-import
