# fish completion for socks4(1)

set -l commands connect bind run ident probe

complete -c socks4 -f
complete -c socks4 -n "not __fish_seen_subcommand_from $commands" -a "$commands"
complete -c socks4 -s p -l gateway -x -a '(__fish_print_hostnames)' -d 'gateway, or a chain with commas'
complete -c socks4 -s u -l userid -x -d 'your name for the gateway'
complete -c socks4 -s a -l socks4a -d 'let the gateways resolve names'
complete -c socks4 -l socks5 -d 'speak SOCKS5 with gateways that are no URLs'
complete -c socks4 -l user -x -d 'your user name for SOCKS5'
complete -c socks4 -l password-file -r -F -d 'the file with your password'
complete -c socks4 -l tls -d 'speak TLS with the gateway'
complete -c socks4 -l ca -r -F -d 'the authorities of its certificate'
complete -c socks4 -l certificate -r -F -d 'your own certificate'
complete -c socks4 -l key -r -F -d 'its key'
complete -c socks4 -l server-name -x -d 'the name in the gateway\'s certificate'
complete -c socks4 -s t -l timeout -x -d 'of the handshake'
complete -c socks4 -l lenient -d 'accept replies that deviate from SOCKS 4'
complete -c socks4 -l json -d 'print the outcome as a JSON object'
complete -c socks4 -l no-shutdown -d 'keep the sending side open when input ends'
complete -c socks4 -l exec -x -d 'run a shell command with the connection'
complete -c socks4 -l bypass -x -d 'connect there directly'
complete -c socks4 -l loopback -d 'loopback goes through the gateway, too'
complete -c socks4 -l force -d 'run a program that will connect directly'
complete -c socks4 -s v -l verbose -d 'print what was granted or failed'
complete -c socks4 -s h -l help -d 'print a summary'
complete -c socks4 -s V -l version -d 'print the version'
complete -c socks4 -n '__fish_seen_subcommand_from run' -F -a '(__fish_complete_subcommand --fcs-skip=2)'
complete -c socks4 -n '__fish_seen_subcommand_from connect bind ident probe' -a '(__fish_print_hostnames)'
