# fish completion for socks4-import(1)

complete -c socks4-import -F
complete -c socks4-import -l dante -d 'the file is of Dante'
complete -c socks4-import -l 3proxy -d 'the file is of 3proxy'
complete -c socks4-import -l passwords -x -a '(__fish_complete_directories)' -d 'write passwords of parents into this folder'
complete -c socks4-import -s h -l help -d 'print a summary'
complete -c socks4-import -s V -l version -d 'print the version'
