"""Servers on the lab's server, and what counts the octets before them."""
import collections
import contextlib
import hashlib
import http.server
import socket
import socketserver
import ssl
import subprocess
import threading

import lab
from socks4 import ending, receive_exactly, reset
from streams import MB, beside, piece, push

Upload = collections.namedtuple("Upload", "path count digest")


def start_thread(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()


class Tap:
    """Stands before a server of the same host. `up` and `down` are the octets
    that came from the gateway and that it was sent, on all connections: counted
    first, so that whoever has got them finds them counted."""

    def __init__(self, host, to):
        self.host, self.to = host, to
        self.up = self.down = self.count = 0
        self.lock = threading.Lock()
        self.listener = host.listen(lab.SERVER)
        self.listener.settimeout(None)
        self.address = self.listener.getsockname()
        start_thread(self._accept)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                outer, _ = self.host.accept(self.listener)
                self.count += 1
                inner = self.host.connect(self.to)
                start_thread(self._serve, outer, inner)

    def _serve(self, outer, inner):
        """Both ways; closed in order only where both ended in order."""
        back = threading.Thread(target=self._pump, daemon=True,
                                args=(inner, outer, "down"))
        back.start()
        self._pump(outer, inner, "up")
        back.join()
        outer.close()
        inner.close()

    def _pump(self, source, sink, way):
        try:
            while got := source.recv(65536):
                with self.lock:
                    setattr(self, way, getattr(self, way) + len(got))
                sink.sendall(got)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for sock in (sink, source):
                with contextlib.suppress(OSError):  # the other pump was first
                    reset(sock)


class Echo:
    """Sends back what it gets, until the end."""

    def __init__(self, host, address=lab.SERVER, port=0):
        self.host = host
        self.listener = host.listen(address, port)
        self.listener.settimeout(None)
        self.address = self.listener.getsockname()
        start_thread(self._accept)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                start_thread(self._serve, self.host.accept(self.listener)[0])

    def _serve(self, sock):
        with contextlib.suppress(OSError):
            while got := sock.recv(65536):
                sock.sendall(got)
        sock.close()


def come_as_peer(host, listener):
    """Reads from a connection where the client listens (PORT of FTP, so to say),
    and comes there."""
    control, _ = host.accept(listener)
    address, port = control.recv(64).split()
    assert address == lab.OUTSIDE.encode()
    there = host.connect((address.decode(), int(port)), (lab.SERVER, 0))
    there.sendall(b"it is me\n")
    there.close()
    control.close()


def relays_as_peer(host, client):
    """Comes where a `socks4 bind' says; a megabyte passes each way, and each
    direction ends by itself."""
    address, _, port = client.stdout.readline().decode().rpartition(":")
    peer = host.connect((address, int(port)), (lab.SERVER, 0))
    sent = beside(lambda: (peer.sendall(piece(0, MB)), peer.shutdown(1)))
    assert client.stdout.read() == piece(0, MB)
    sent.result(lab.TIMEOUT)
    client.stdin.write(piece(0, MB))
    client.stdin.close()
    assert receive_exactly(peer, MB) == piece(0, MB)
    assert ending(peer) == ("fin", b"")
    peer.close()
    assert client.wait(lab.TIMEOUT) == 0


class Octets(http.server.BaseHTTPRequestHandler):
    """GET /COUNT/OFFSET is that piece of the stream; PUT is kept in mind."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        count, offset = map(int, self.path[1:].split("/"))
        self.answer(200, count)
        push(self.connection, count, MB, offset)

    def do_PUT(self):
        count = left = int(self.headers["Content-Length"])
        made = hashlib.sha256()
        while left and (got := self.rfile.read(min(left, MB))):
            made.update(got)
            left -= len(got)
        self.server.uploads.append(
            Upload(self.path, count - left, made.hexdigest()))
        self.answer(201, 0)

    def answer(self, status, length):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Web(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A web server in threads; speaks TLS where it is given a context."""
    daemon_threads = True

    def __init__(self, host, handler=Octets, tls=None, address="127.0.0.1"):
        super().__init__((address, 0), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = host.listen(address)
        self.socket.settimeout(None)
        self.address = self.socket.getsockname()
        self.tls = tls
        self.uploads = []
        start_thread(self._accept)

    def _accept(self):
        with contextlib.suppress(OSError, ValueError):
            while True:
                self.process_request(*self.socket.accept())

    def finish_request(self, request, client_address):
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)
        request.close()

    def handle_error(self, request, client_address):
        """A client that broke off; the tests look at what came through."""


class Certificate:
    """Its own authority, for the server's address and for `server.test`."""

    def __init__(self, folder):
        self.path, key = folder / "certificate.pem", folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-days", "2",
             "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-subj", "/CN=server.test", "-addext",
             f"subjectAltName=DNS:server.test,IP:{lab.SERVER}",
             "-keyout", key, "-out", self.path],
            check=True, capture_output=True, timeout=lab.TIMEOUT)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.path, key)
