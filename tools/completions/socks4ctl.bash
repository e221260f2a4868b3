# bash completion for socks4ctl(1)

_socks4ctl()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    local options='--socket --json --follow --wait --by --for --help --version'
    local commands='status sessions kill top reload drain upgrade listeners
        limits parents migration config trace'
    local filters='client= dest= port= rule= userid= version= certificate=
        listener= state= older='
    local states='new proxy tls request auth resolve ident connect primary
        parent-name parent listen relay half-closed udp refuse'
    local at command=
    local IFS=$' \t\n'

    COMPREPLY=()
    case $before in
    -s | --socket)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        return 0
        ;;
    --by)
        mapfile -t COMPREPLY < <(
            compgen -W 'client dest rule userid certificate' -- "$word")
        return
        ;;
    --for) return ;;
    esac
    for ((at = 1; at < COMP_CWORD; at++)); do
        case ${COMP_WORDS[at]} in
        -s | --socket) ((at++)) ;;
        -*) ;;
        *)
            command=${COMP_WORDS[at]}
            break
            ;;
        esac
    done
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    elif [[ -z $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
    elif [[ $command == migration ]]; then
        if [[ $before != = && $word != = ]]; then
            mapfile -t COMPREPLY < <(
                compgen -W 'client= userid= rule= version=' -- "$word")
            compopt -o nospace 2>/dev/null
        fi
    elif [[ $command == sessions || $command == kill || $command == trace ]]; then
        if [[ $before == = && ${COMP_WORDS[COMP_CWORD-2]} == state ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$states" -- "$word")
        elif [[ $before != = && $word != = ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$filters" -- "$word")
            compopt -o nospace 2>/dev/null
        fi
    fi
    return 0
}
complete -F _socks4ctl socks4ctl
