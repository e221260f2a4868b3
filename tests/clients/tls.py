"""TLS for tests: what servers present, and connections whose every end shows:
close_notify, a FIN without it, a reset."""
import contextlib
import select
import socket
import ssl
import threading

import certificates
import lab
from servers import start_thread
from socks4 import reset


class Authority(certificates.Authority):
    def server(self, *names, clients=False, expired=False, most=None):
        """What a server presents; `clients`: it asks for a certificate."""
        pair = self.issue("-".join(names).replace(":", "-"),
                          names=",".join(names),
                          end="20200102000000Z" if expired else None)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        if most:
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = most
            context.set_ciphers("ALL:@SECLEVEL=0")
        if clients:
            context.load_verify_locations(self.certificate)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class Secured:
    """TLS over a socket, with the functions of one. `recv` raises
    ConnectionAbortedError at an end without close_notify; `shutdown` sends
    close_notify and nothing else."""

    def __init__(self, sock, context, name=None):
        self.sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.coming, self.going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.coming, self.going,
                                    server_side=name is None,
                                    server_hostname=name)
        self.lock, self.sending = threading.Lock(), threading.Lock()
        self.early = b""  # what was read to make room for close_notify
        self.finished = False
        self._until_done(self.tls.do_handshake)

    def _flush(self):
        with self.sending:
            if octets := self.going.read():
                self.sock.sendall(octets)

    def _feed(self):
        await_octets(self.sock)
        if octets := self.sock.recv(65536):
            self.coming.write(octets)
        else:
            self.coming.write_eof()

    def _until_done(self, function):
        while True:
            try:
                with self.lock:
                    return function()
            except ssl.SSLWantReadError:
                pass
            finally:
                with contextlib.suppress(OSError):
                    self._flush()
            self._feed()

    def recv(self, count):
        if self.early:
            octets, self.early = self.early[:count], self.early[count:]
            return octets
        try:
            return self._until_done(lambda: self.tls.read(count))
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as fault:
            if isinstance(fault, ssl.SSLEOFError) or \
                    fault.reason == "UNEXPECTED_EOF_WHILE_READING":
                raise ConnectionAbortedError("no close_notify") from fault
            raise

    def sendall(self, octets):
        with self.lock:
            self.tls.write(octets)
        self._flush()

    def shutdown(self, _how=socket.SHUT_WR):
        """OpenSSL drops a record that it meets at this moment."""
        with self.lock:
            with contextlib.suppress(ssl.SSLError):
                while octets := self.tls.read(65536):
                    self.early += octets
            with contextlib.suppress(ssl.SSLError):
                self.tls.unwrap()
        self.finished = True
        self._flush()

    def cut(self, octets=b"", keep=7):
        """The first octets of a record, then a FIN: the rest never comes."""
        with self.lock:
            if octets:
                self.tls.write(octets)
            record = self.going.read()
        self.sock.sendall(record[:keep])
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        if not self.finished:
            with contextlib.suppress(OSError):
                self.shutdown()
        self.sock.close()

    def abandon(self):
        """A FIN without close_notify."""
        self.sock.close()

    def __getattr__(self, name):
        return getattr(self.sock, name)


def await_octets(sock):
    """A wait that does not keep a socket open which another thread closes."""
    while not select.select([sock], [], [], 0.1)[0]:
        pass


def pump(source, sink):
    """Octets, and how they end."""
    try:
        while octets := source.recv(65536):
            sink.sendall(octets)
        sink.shutdown(socket.SHUT_WR)
    except (OSError, ValueError):  # the other pump was first
        for one in (source, sink):
            with contextlib.suppress(OSError):
                reset(one.sock)


class Plain:
    """A socket whose recv does not keep it open."""

    def __init__(self, sock):
        self.sock = sock

    def recv(self, count):
        await_octets(self.sock)
        return self.sock.recv(count)

    def __getattr__(self, name):
        return getattr(self.sock, name)


class Front:
    """Takes TLS off connections to a plain server of the same host."""

    def __init__(self, host, context, to, address=lab.INSIDE, port=0):
        self.host, self.context, self.to = host, context, to
        self.listener = host.listen(address, port)
        self.listener.settimeout(None)
        self.address = "%s:%d" % self.listener.getsockname()
        self.versions, self.names = [], []
        start_thread(self._accept)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                start_thread(self._serve, self.host.accept(self.listener)[0])

    def _serve(self, outer):
        try:
            secured = Secured(outer, self.context)
        except OSError:
            outer.close()
            return
        self.versions.append(secured.tls.version())
        self.names.append(secured.tls.getpeercert())
        inner = Plain(self.host.connect(self.to))
        back = threading.Thread(target=pump, args=(inner, secured),
                                daemon=True)
        back.start()
        pump(secured, inner)
        back.join()
        secured.close()
        inner.close()


def over_tls(context, *steps):
    """The steps of a Script, within TLS."""
    def step(sock):
        secured = Secured(sock, context)
        for one in steps:
            if isinstance(one, bytes):
                secured.sendall(one)
            elif isinstance(one, int):
                got = b""
                while len(got) < one and (octets := secured.recv(one - len(got))):
                    got += octets
            else:
                one(secured.sock if one is reset else secured)
        if secured.fileno() >= 0:
            secured.close()
    return step
