# bash completion for socks4d(8)

_socks4d()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    local options='-c -l -t --strict -T --socks4a --to --socks5 --tls --ca
        --certificate --key --user --password-file --pid-file -h --help -V
        --version'
    local IFS=$' \t\n'

    COMPREPLY=()
    if [[ ${COMP_WORDS[1]} == explain && $COMP_CWORD -gt 1 ]]; then
        options='-c --from --to --port --command --user --certificate
            --auth --socks5 --listener --json -h --help -V --version'
    fi
    if [[ ${COMP_WORDS[1]} == passwd && $COMP_CWORD -gt 1 ]]; then
        if [[ $word == -* ]]; then
            mapfile -t COMPREPLY < <(
                compgen -W '-D -h --help -V --version' -- "$word")
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            compopt -o filenames 2>/dev/null
        fi
        return 0
    fi
    case $before in
    -c | --pid-file | --ca | --key | --password-file)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        return 0
        ;;
    --command)
        mapfile -t COMPREPLY < <(compgen -W 'connect bind udp' -- "$word")
        return
        ;;
    --auth)
        mapfile -t COMPREPLY < <(
            compgen -W 'none password certificate' -- "$word")
        return
        ;;
    -l | --from | --to | --port | --user | --certificate | \
        --listener) return ;;
    esac
    if [[ $COMP_CWORD -eq 1 && $word != -* ]]; then
        options="explain passwd $options"
    fi
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _socks4d socks4d
