# fish completion for socks4(1)

set -l commands connect bind run ident

complete -c socks4 -f
complete -c socks4 -n "not __fish_seen_subcommand_from $commands" -a "$commands"
complete -c socks4 -s p -l gateway -x -a '(__fish_print_hostnames)' -d 'gateway, or a chain with commas'
complete -c socks4 -s u -l userid -x -d 'who asks'
complete -c socks4 -s a -l socks4a -d 'let the gateway resolve names'
complete -c socks4 -s t -l timeout -x -d 'for the handshake'
complete -c socks4 -l lenient -d 'forgive replies that are not quite SOCKS 4'
complete -c socks4 -l json -d 'say how it ended as a JSON object'
complete -c socks4 -l exec -x -d 'give the connection to a command'
complete -c socks4 -l bypass -x -d 'go there directly'
complete -c socks4 -l loopback -d 'loopback, too'
complete -c socks4 -s v -l verbose -d 'say where each connection goes'
complete -c socks4 -s h -l help
complete -c socks4 -s V -l version
complete -c socks4 -n '__fish_seen_subcommand_from run' -a '(__fish_complete_command)'
complete -c socks4 -n '__fish_seen_subcommand_from connect bind ident' -a '(__fish_print_hostnames)'
