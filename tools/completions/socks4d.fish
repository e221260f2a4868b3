# fish completion for socks4d(8)

set -l asks '__fish_seen_subcommand_from explain'

complete -c socks4d -f
complete -c socks4d -n "not $asks" -a explain -d 'what would be answered'
complete -c socks4d -s c -r -F -d 'configuration'
complete -c socks4d -n "not $asks" -s l -x -d 'listen there'
complete -c socks4d -n "not $asks" -s t -d 'check the configuration'
complete -c socks4d -n "not $asks" -l strict -d 'with -t: a warning is an error'
complete -c socks4d -n "not $asks" -s T -d 'print the effective configuration'
complete -c socks4d -n "not $asks" -l socks4a -d 'serve SOCKS 4A, too'
complete -c socks4d -n "not $asks" -l to -x -d 'everything through this gateway'
complete -c socks4d -n "not $asks" -l pid-file -r -F -d 'write the process id there'
complete -c socks4d -n $asks -l from -x -d 'client'
complete -c socks4d -n $asks -l to -x -a '(__fish_print_hostnames)' -d 'destination'
complete -c socks4d -n $asks -l port -x -d 'of the destination'
complete -c socks4d -n $asks -l command -x -a 'connect bind' -d 'CONNECT or BIND'
complete -c socks4d -n $asks -l user -x -d 'USERID'
complete -c socks4d -n $asks -l certificate -x -d 'name of the certificate'
complete -c socks4d -n $asks -l listener -x -d 'listener'
complete -c socks4d -n $asks -l json -d 'as a JSON object'
complete -c socks4d -s h -l help -d 'print a summary'
complete -c socks4d -s V -l version -d 'print the version'
