"""pysocks.py PROXY PORT HOST PORT USERID [VERSION]: PySocks; a name goes as it
is."""
import socket
import sys

import socks

proxy, proxy_port, host, port, user = sys.argv[1:6]
version = socks.SOCKS5 if sys.argv[6:] == ["5"] else socks.SOCKS4
made = socks.socksocket()
made.set_proxy(version, proxy, int(proxy_port), rdns=True,
               username=user or None)
try:
    made.connect((host, int(port)))
except socks.ProxyError as error:
    sys.exit(str(error))
made.sendall(sys.stdin.buffer.read())
made.shutdown(socket.SHUT_WR)
while octets := made.recv(65536):
    sys.stdout.buffer.write(octets)
