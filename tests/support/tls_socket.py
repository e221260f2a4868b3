"""TLS for the tests: a private CA, and a client's connection over a raw
socket, so that each direction ends when the test says so."""
import atexit
import ctypes
import ctypes.util
import functools
import pathlib
import shutil
import socket
import ssl
import tempfile
import threading

from certificates import Authority, Pair


class Truncated(Exception):
    """The stream ended without close_notify."""


@functools.cache
def authority():
    """One for all tests of this process, with a pair for the gateway (`gw`)
    and one for a client (`ann`): keys take time."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="socks4-tls-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = Authority(folder)
    made.issue("gw")
    made.issue("ann", names="DNS:ann.example,email:ann@lab.example")
    return made


def issued(name):
    """A pair that the authority has issued already."""
    folder = authority().folder
    return Pair(folder / f"{name}.pem", folder / f"{name}.key")


def listener(at, name="inside", **options):
    """A TLS listener of the configuration: its `tls`, with the gateway's own
    certificate unless `options` say otherwise."""
    own = issued("gw")
    options = {"certificate": own.certificate, "key": own.key, **options}
    terms = ", ".join(f"{key}: {value}" for key, value in options.items())
    return '{address: "%s:%d", name: %s, tls: {%s}}' % (*at, name, terms)


def client_context(pair=None):
    """Trusts the authority; the client's own certificate is `pair`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority().certificate)
    if pair:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


class TlsSocket:
    """What a test does with a socket, over TLS. shutdown(SHUT_WR) sends
    close_notify and FIN; close sends both unless SO_LINGER makes it a
    reset. Two threads may read and write."""

    def __init__(self, sock, context=None, name="gw.example", session=None):
        self.raw = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or client_context()).wrap_bio(
            self.incoming, self.outgoing, server_hostname=name,
            session=session)
        self.lock = threading.RLock()  # of `tls` and the two beside it
        self.sending = threading.RLock()  # records leave in order
        self.reading = threading.RLock()
        self.ready = b""
        self.resets = self.shut = self.saw_end = False
        self._handshake()

    def _handshake(self):
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            except ssl.SSLError:
                self._flush()
                raise
            else:
                break
        self._flush()

    def _flush(self):
        with self.sending:
            with self.lock:
                octets = self.outgoing.read()
            if octets:
                self.raw.sendall(octets)

    def _feed(self, room=262144):
        octets = self.raw.recv(room)
        with self.lock:
            if octets:
                self.incoming.write(octets)
            else:
                self.incoming.write_eof()

    def send(self, octets):
        self.sendall(octets)
        return len(octets)

    def sendall(self, octets):
        view = memoryview(octets)
        with self.sending:
            for at in range(0, len(view), 65536):
                with self.lock:
                    self.tls.write(view[at:at + 65536])
                self._flush()

    def recv(self, room, flags=0):
        if flags:  # a look at what lies unread in the kernel
            return self.raw.recv(room, flags)
        with self.reading:
            while True:
                with self.lock:
                    if self.ready:
                        octets, self.ready = (self.ready[:room],
                                              self.ready[room:])
                        return octets
                    if self.saw_end:
                        return b""
                    try:
                        octets = self.tls.read(room)
                        self.saw_end = not octets
                        return octets
                    except ssl.SSLWantReadError:
                        pass
                    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
                        if isinstance(error, ssl.SSLZeroReturnError):
                            self.saw_end = True
                            return b""
                        raise Truncated from error
                self._feed()

    def shutdown(self, how):
        assert how == socket.SHUT_WR
        self.close_notify()
        self.raw.shutdown(how)

    def close_notify(self):
        """Without FIN."""
        if self.shut:
            return
        self.shut = True
        with self.sending:
            with self.lock:
                self._drain()
                try:
                    self.tls.unwrap()
                except ssl.SSLError:
                    pass
            self._flush()

    def _drain(self):
        """OpenSSL would drop it: unwrap() reads, too."""
        try:
            while octets := self.tls.read(65536):
                self.ready += octets
            self.saw_end = True
        except ssl.SSLError:
            pass

    def close(self):
        if self.raw.fileno() >= 0 and not self.resets:
            try:
                self.close_notify()
            except OSError:
                pass
        self.raw.close()

    def setsockopt(self, level, option, value):
        if option == socket.SO_LINGER:
            self.resets = True
        self.raw.setsockopt(level, option, value)

    def __getattr__(self, name):
        return getattr(self.raw, name)


def _library():
    library = ctypes.CDLL(ctypes.util.find_library("ssl"))
    for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
        getattr(library, name).restype = ctypes.c_void_p
    return library


def renew(sock, octets, count, size):
    """Sends the octets; then, when it is asked for the next, asks so often for
    new keys before it reads; then what it read, `size` octets or up to the
    end. Python's ssl cannot do that."""
    library = _library()
    sock.setblocking(True)
    context = ctypes.c_void_p(library.SSL_CTX_new(
        ctypes.c_void_p(library.TLS_client_method())))
    made = ctypes.c_void_p(library.SSL_new(context))
    assert library.SSL_set_fd(made, sock.fileno()) == 1
    assert library.SSL_connect(made) == 1
    assert library.SSL_write(made, octets, len(octets)) == len(octets)
    yield
    for _ in range(count):
        assert library.SSL_key_update(made, 1) == 1
        assert library.SSL_do_handshake(made) == 1
    yield
    room = ctypes.create_string_buffer(65536)
    got = bytearray()
    while len(got) < size and (
            read := library.SSL_read(made, room, len(room))) > 0:
        got += room.raw[:read]
    library.SSL_free(made)
    library.SSL_CTX_free(context)
    sock.close()
    yield bytes(got)


def storm(sock, octets, count=5000):
    """Sends the octets, and then nothing but KeyUpdate records; how many went
    out."""
    library = _library()
    sock.setblocking(True)
    context = ctypes.c_void_p(library.SSL_CTX_new(
        ctypes.c_void_p(library.TLS_client_method())))
    made = ctypes.c_void_p(library.SSL_new(context))
    assert library.SSL_set_fd(made, sock.fileno()) == 1
    assert library.SSL_connect(made) == 1
    assert library.SSL_write(made, octets, len(octets)) == len(octets)
    sent = 0
    while (sent < count and library.SSL_key_update(made, 0) == 1
           and library.SSL_do_handshake(made) == 1):
        sent += 1
    library.SSL_free(made)
    library.SSL_CTX_free(context)
    sock.close()
    return sent
