# fish completion for socks4ctl(1)

set -l commands status sessions kill top reload drain upgrade listeners limits parents migration config trace
set -l chosen "__fish_seen_subcommand_from $commands"
set -l filters 'client= dest= port= rule= userid= version= certificate= listener= state= older='

complete -c socks4ctl -f
complete -c socks4ctl -n "not $chosen" -a "$commands"
complete -c socks4ctl -n '__fish_seen_subcommand_from sessions kill trace' -a "$filters" -d filter
complete -c socks4ctl -n '__fish_seen_subcommand_from migration' -a 'client= userid= rule= version=' -d filter
complete -c socks4ctl -s s -l socket -r -F -d 'control socket of the gateway'
complete -c socks4ctl -l json -d 'print JSON'
complete -c socks4ctl -n '__fish_seen_subcommand_from sessions' -l follow -d 'those that begin and end'
complete -c socks4ctl -n '__fish_seen_subcommand_from reload upgrade' -l wait -d 'until it is done'
complete -c socks4ctl -n '__fish_seen_subcommand_from top' -l by -x -a 'client dest rule userid certificate' -d 'add up by'
complete -c socks4ctl -n '__fish_seen_subcommand_from trace' -l for -x -d 'how long'
complete -c socks4ctl -s h -l help -d 'print a summary'
complete -c socks4ctl -s V -l version -d 'print the version'
