"""An identd of the tests' own: it answers as it is told, or worse, and keeps
every question.

What it does with a connection is a manner: a function of the socket and of
`ask`, which reads the question, keeps it and returns it. When the manner is
done, what it returned is kept in `done` and the connection is closed."""
import collections
import contextlib
import threading

import lab as places
from gateway import wait_for
from socks4 import ending, reset

PORT = 113
LINE_MAX = 1000  # octets of an answer, without LF

# The ports it is about, who asked, and where.
Question = collections.namedtuple("Question", "octets client server peer at")


class Identd:
    def __init__(self, host, manner, at="0.0.0.0", backlog=128):
        self.manner = manner
        self.questions = []
        self.done = []
        self.listener = host.listen(at, PORT, backlog)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                sock, peer = self.listener.accept()
                threading.Thread(target=self._meet, args=(sock, peer[0]),
                                 daemon=True).start()

    def _meet(self, sock, peer):
        result = None
        sock.settimeout(places.TIMEOUT)
        with sock, contextlib.suppress(OSError):
            result = self.manner(sock, lambda: self._ask(sock, peer))
        self.done.append(result)

    def _ask(self, sock, peer):
        octets = b""
        while not octets.endswith(b"\n"):
            piece = sock.recv(1)
            if not piece:
                raise ConnectionError("the question has no end")
            octets += piece
        client, _, server = octets.partition(b",")
        question = Question(octets, int(client), int(server),
                            peer, sock.getsockname()[0])
        self.questions.append(question)
        return question

    def asked(self, count=1):
        """Waits until it has been asked that often; the last question."""
        wait_for("identd to be asked", lambda: len(self.questions) >= count)
        assert len(self.questions) == count, self.questions
        return self.questions[-1]

    def close(self):
        """Nobody listens at its port any more. The lab closes the socket: here
        its thread could find another one that has its number by then."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(2)  # wakes who accepts


def line(text):
    """That line, with %d, %d for the ports, and no more of an end than it
    has."""
    def manner(sock, ask):
        question = ask()
        sock.sendall(text.replace(b"%d, %d", b"%d, %d" % (question.client,
                                                          question.server)))
    return manner


def user(name):
    return line(b"%d, %d : USERID : UNIX : " + name + b"\r\n")


def error(word):
    return line(b"%d, %d : ERROR : " + word + b"\r\n")


def after(event, manner):
    """Waits for the event, then goes on in that manner."""
    def wait(sock, ask):
        question = ask()
        assert event.wait(places.TIMEOUT)
        manner(sock, lambda: question)
    return wait


def hangs(sock, ask):
    """Says nothing, until the other side ends it: how."""
    ask()
    return ending(sock)[0]


def other_ports(sock, ask):
    question = ask()
    sock.sendall(b"%d, %d : USERID : UNIX : me\r\n"
                 % (question.server, question.client))


def drips(sock, ask):
    """A right answer, an octet at a time; the deadline passes meanwhile."""
    question = ask()
    answer = b"%d, %d : USERID : UNIX : me" % (question.client,
                                               question.server)
    pause = threading.Event()
    for octet in answer.ljust(LINE_MAX):
        sock.sendall(bytes([octet]))
        pause.wait(0.05)


def floods(sock, ask):
    """A megabyte without a newline."""
    ask()
    for _ in range(16):
        sock.sendall(b"x" * 65536)


def closes(_sock, _ask):
    """At once, the question unread or not."""


def closes_behind_it(_sock, ask):
    ask()


def resets(sock, ask):
    ask()
    reset(sock)


def too_long(sock, ask):
    """A whole answer, an octet longer than any may be."""
    question = ask()
    start = b"%d, %d : USERID : UNIX : " % (question.client, question.server)
    sock.sendall(start.ljust(LINE_MAX + 1, b"m") + b"\n")
