# bash completion for socks4-conform(1)

_socks4_conform()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    local IFS=$' \t\n'

    COMPREPLY=()
    case $before in
    --mode)
        mapfile -t COMPREPLY < <(compgen -W '4 4a 5' -- "$word")
        return
        ;;
    --json | --tap | --report | --cases | --password-file | --ca | --certificate | --key)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        return 0
        ;;
    --server)
        mapfile -t COMPREPLY < <(compgen -c -- "$word")
        return
        ;;
    --only | --user | --wait | --timers | --server-name) return ;;
    --serve-wrong)
        mapfile -t COMPREPLY < <(compgen -W "right list $("${COMP_WORDS[0]}" \
            --serve-wrong list 2>/dev/null | cut -f1)" -- "$word")
        return
        ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--mode --ident --user --password-file --only --wait
            --timers --serial --json --tap --report --cases --namespaces --server
            --serve-wrong --tls --ca --certificate --key --server-name --list -h --help -V --version' -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -A hostname -- "$word")
    fi
}
complete -F _socks4_conform socks4-conform
