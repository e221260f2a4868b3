# bash completion for socks4(1)

_socks4()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    local options='--gateway --userid --timeout --json --help --version'
    local at command=

    COMPREPLY=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        case ${COMP_WORDS[at]} in
        connect | bind | run | ident)
            command=${COMP_WORDS[at]}
            break
            ;;
        esac
    done
    case $command in
    connect | bind) options='--gateway --userid --socks4a --timeout --lenient
        --json --exec --help --version' ;;
    run) options='--gateway --userid --socks4a --timeout --lenient --bypass
        --loopback --verbose --help --version' ;;
    ident) options='--userid --timeout --json --help --version' ;;
    esac

    case $before in
    -t | --timeout | -u | --userid | --bypass) return ;;
    -p | --gateway)
        COMPREPLY=($(compgen -A hostname -- "$word"))
        return
        ;;
    --exec)
        COMPREPLY=($(compgen -c -- "$word"))
        return
        ;;
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$word"))
    elif [[ -z $command ]]; then
        COMPREPLY=($(compgen -W 'connect bind run ident' -- "$word"))
    elif [[ $command == run ]]; then
        COMPREPLY=($(compgen -c -- "$word"))
    else
        COMPREPLY=($(compgen -A hostname -- "$word"))
    fi
}
complete -F _socks4 socks4
