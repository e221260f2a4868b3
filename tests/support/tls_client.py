"""TLS clients of a gateway."""
import socket
import ssl

import lab
from socks4 import Client

AT = (lab.INSIDE, 1443)
NAME = "gw.example"


def listener(more="", at=AT):
    """A TLS listener named `tls`, of gw.pem and gw.key beside the
    configuration."""
    return (f'{{address: "{at[0]}:{at[1]}", name: tls, tls: '
            f'{{certificate: gw.pem, key: gw.key{more}}}}}')


def context(ca=None, pair=None, version=None):
    """Of a client that trusts `ca` (a file; None: anybody), with the
    certificate of `pair`."""
    made = ssl.create_default_context(cafile=ca)
    if ca is None:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if version:
        made.maximum_version = version
    if pair:
        made.load_cert_chain(pair.certificate, pair.key)
    return made


def wrap(sock, with_context, name=NAME):
    return with_context.wrap_socket(sock, server_hostname=name)


def connect(gateway, with_context, at=AT, host=None):
    """A TLS connection, after its handshake."""
    sock = (host or gateway.lab.client).connect(at)
    try:
        return wrap(sock, with_context)
    except Exception:
        sock.close()
        raise


def client(gateway, with_context, **options):
    """The same, in the books of the laws."""
    made = Client(connect(gateway, with_context, **options))
    gateway.clients.append(made)
    return made


def session(gateway, with_context, listener=None):
    """A session that stands: (client, the server's socket)."""
    listener = listener or gateway.lab.server.listen(lab.SERVER)
    made = client(gateway, with_context)
    made.ask(listener.getsockname())
    server, _ = gateway.lab.server.accept(listener)
    assert made.reply().cd == 90
    return made, server


def echoes(made, server):
    """Whether octets pass, both ways."""
    made.sock.sendall(b"ping")
    assert server.recv(4) == b"ping"
    server.sendall(b"pong")
    assert made.sock.recv(4) == b"pong"


def end(made, server):
    """The client ends its stream, then the server."""
    with_notify = made.sock
    with_notify.settimeout(60)
    server.close()
    try:
        assert with_notify.recv(1) == b""
        with_notify.unwrap()
    except (ssl.SSLError, OSError):
        pass
    with_notify.close()


def handshakes(gateway, with_context):
    """Whether a handshake comes to its end: the server's certificate, or the
    error."""
    try:
        sock = connect(gateway, with_context)
    except (ssl.SSLError, ConnectionError, socket.timeout, OSError) as error:
        return error
    with sock:
        return sock.getpeercert(binary_form=True)
