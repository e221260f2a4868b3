# bash completion for socks4(1)

_socks4()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    local options='--gateway --userid --timeout --json --help --version'
    local at command= program=0
    local IFS=$' \t\n'

    COMPREPLY=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        case ${COMP_WORDS[at]} in
        -p | -u | -t | --gateway | --userid | --timeout | --exec | --bypass | \
            --ca | --certificate | --key | --server-name | --user | \
            --password-file)
            ((at++))
            ;;
        --)
            [[ $command != run ]] || program=$((at + 1))
            ;;
        connect | bind | run | ident | probe)
            if [[ -z $command ]]; then
                command=${COMP_WORDS[at]}
            elif [[ $command == run ]]; then
                program=$at
            fi
            ;;
        -* | = | :) ;;
        *)
            [[ $command != run ]] || program=$at
            ;;
        esac
        ((program == 0)) || break
    done
    case $command in
    connect | bind) options='--gateway --userid --socks4a --socks5 --user --password-file --tls --ca
        --certificate --key --server-name --timeout --lenient --json --no-shutdown --exec --verbose --help --version' ;;
    run) options='--gateway --userid --socks4a --socks5 --user --password-file
        --tls --ca --certificate --key
        --server-name --timeout --lenient --bypass
        --loopback --force --verbose --help --version' ;;
    ident) options='--userid --timeout --json --help --version' ;;
    probe) options='--tls --ca --certificate --key --server-name --timeout
        --verbose --help --version' ;;
    esac

    if ((program > 0 && program < COMP_CWORD)); then
        # The program's own words: its completion, or files.
        if declare -F _command_offset >/dev/null; then
            _command_offset "$program"
        else
            _socks4_reply -f -- "$word"
        fi
        return
    fi
    if ((program == 0)); then
        case $before in
        -t | --timeout | -u | --userid | --user | --bypass | --server-name) return ;;
        --ca | --certificate | --key | --password-file)
            _socks4_reply -f -- "$word"
            return
            ;;
        -p | --gateway)
            _socks4_reply -A hostname -W 'socks4:// socks4a:// socks5:// socks5h://' -- "$word"
            return
            ;;
        --exec)
            _socks4_reply -c -- "$word"
            return
            ;;
        esac
        if [[ $word == -* ]]; then
            _socks4_reply -W "$options" -- "$word"
            return
        fi
    fi
    if [[ -z $command ]]; then
        _socks4_reply -W 'connect bind run ident probe' -- "$word"
    elif [[ $command == run ]]; then
        _socks4_reply -c -f -- "$word"
    else
        _socks4_reply -A hostname -- "$word"
    fi
}

# COMPREPLY is what compgen prints, a line each; files as files.
_socks4_reply()
{
    local IFS=$' \t\n'
    mapfile -t COMPREPLY < <(compgen "$@" | sort -u)
    [[ " $* " != *' -f '* ]] || compopt -o filenames 2>/dev/null
    return 0
}
complete -F _socks4 socks4
