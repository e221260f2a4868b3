"""innocent.py TASK HOST PORT: a program that knows nothing of SOCKS.

Each task looks at what sockets do as programs see it, prints "well" and ends
with 0, or dies of an assertion.
"""
import asyncio
import errno
import os
import select
import socket
import sys
import threading

WAIT = 60


def echo(sock, word=b"hello"):
    """The server sends back what it gets."""
    sock.sendall(word)
    got = b""
    while len(got) < len(word):
        got += sock.recv(64)
    assert got == word, got


def addresses(host, port):
    """Both ends are what a direct connection would show."""
    with socket.create_connection((host, port), WAIT) as sock:
        assert sock.getpeername() == (host, port), sock.getpeername()
        assert sock.getsockname()[0] == "10.2.0.1", sock.getsockname()
        assert os.dup(sock.fileno()) > 2
        with sock.dup() as again:
            assert again.getpeername() == (host, port)
        try:
            sock.connect((host, port))
        except OSError as fault:
            assert fault.errno == errno.EISCONN
        echo(sock)
    with socket.socket(socket.AF_INET6) as sock:
        sock.connect((f"::ffff:{host}", port))
        assert sock.getpeername()[:2] == (f"::ffff:{host}", port)
        echo(sock)


def bound(host, port):
    """Who binds to its own address may connect all the same, whether it asks
    for its port before or not."""
    with socket.create_connection((host, port), WAIT) as control:
        for asks in (False, True):
            with socket.socket() as sock:
                sock.bind((control.getsockname()[0], 0))
                assert not asks or sock.getsockname()[1] > 0
                sock.connect((host, port))
                assert sock.getpeername() == (host, port)
                echo(sock)


def nonblocking(host, port):
    """connect waits and says 0; the socket stays as it was."""
    sock = socket.socket()
    sock.setblocking(False)
    assert sock.connect_ex((host, port)) == 0
    assert os.get_blocking(sock.fileno()) is False
    try:
        sock.recv(1)
        raise AssertionError("there was nothing to read")
    except BlockingIOError:
        pass
    poller = select.epoll()
    poller.register(sock, select.EPOLLIN | select.EPOLLOUT)
    assert poller.poll(WAIT)[0][1] == select.EPOLLOUT

    async def talk():
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"word")
        assert await asyncio.wait_for(reader.readexactly(4), WAIT) == b"word"
        writer.close()
    asyncio.run(talk())


def threads(host, port):
    """Many at once, and in a child."""
    faults = []

    def talk(number):
        try:
            for turn in range(5):
                with socket.create_connection((host, port), WAIT) as sock:
                    echo(sock, b"%d.%d" % (number, turn))
        except Exception as fault:
            faults.append(fault)
    there = [threading.Thread(target=talk, args=(n,)) for n in range(8)]
    for thread in there:
        thread.start()
    for thread in there:
        thread.join()
    assert not faults, faults
    child = os.fork()
    if child == 0:
        talk(9)
        os._exit(len(faults))
    assert os.waitpid(child, 0)[1] == 0


def refused(host, port):
    """And the same socket may try again."""
    sock = socket.socket()
    for _ in range(2):
        assert sock.connect_ex((host, 9)) == errno.ECONNREFUSED
    assert sock.connect_ex((host, port)) == 0
    echo(sock)
    with socket.socket(socket.AF_INET6) as sock:
        assert sock.connect_ex(("2001:db8::1", port)) == errno.ENETUNREACH


def loopback(host, port):
    """Never through the gateway."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname(), WAIT) as sock:
            assert sock.getpeername() == listener.getsockname()
            listener.accept()[0].close()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("localhost", port), WAIT):
            pass


def bypassed(host, port):
    with socket.create_connection((host, port), WAIT) as sock:
        assert sock.getsockname()[0] == "10.1.0.2", sock.getsockname()
        echo(sock)


def names(host, port):
    """An address stands for each name; it is the gateway that resolves."""
    one = socket.getaddrinfo("one.test", port, type=socket.SOCK_STREAM,
                             flags=socket.AI_CANONNAME)[0]
    assert one[3] == "one.test" and one[4][0].startswith("198.18."), one
    assert socket.gethostbyname("one.test") == one[4][0]
    assert socket.gethostbyname("two.test") != one[4][0]
    assert socket.getnameinfo(one[4], 0)[0] == "one.test"
    assert socket.gethostbyname("localhost") == "127.0.0.1"
    with socket.create_connection(("one.test", port), WAIT) as sock:
        assert sock.getpeername() == one[4]
        echo(sock)


def peer(host, port):
    """A listener is polled until its one peer comes; the control connection
    tells the server where to go, as in FTP."""
    control = socket.create_connection((host, port), WAIT)
    listener = socket.socket()
    listener.bind((control.getsockname()[0], 0))
    listener.listen(1)
    listener.setblocking(False)
    try:
        listener.accept()
        raise AssertionError("nobody had been told")
    except BlockingIOError:
        pass
    assert not select.select([listener], [], [], 0)[0]
    control.sendall("%s %d\n".__mod__(listener.getsockname()).encode())
    assert select.select([listener], [], [], WAIT)[0] == [listener]
    made, who = listener.accept()
    assert os.get_blocking(made.fileno())
    assert who == made.getpeername() and who[0] == host, who
    assert not select.select([listener], [], [], 0)[0]
    try:
        listener.accept()
        raise AssertionError("a second peer")
    except BlockingIOError:
        pass
    made.settimeout(WAIT)
    assert made.recv(64) == b"it is me\n"
    assert made.recv(64) == b""


def await_peer(host, port):
    """A blocking accept, through a reply that comes in pieces."""
    with socket.create_connection((host, port), WAIT):
        listener = socket.create_server(("", 0))
        assert listener.getsockname() == ("10.2.0.1", 40000)
        made, who = listener.accept()
        assert who == ("10.2.0.2", 20), who
        assert made.recv(64) == b"hello"


def poll_peer(host, port):
    """The same without blocking: not there before all of the reply is."""
    with socket.create_connection((host, port), WAIT):
        listener = socket.create_server(("", 0))
        listener.setblocking(False)
        early = 0
        while True:
            assert select.select([listener], [], [], WAIT)[0]
            try:
                made, _ = listener.accept()
                break
            except BlockingIOError:
                early += 1
        assert early > 0
        assert made.recv(64) == b"hello"


def no_peer(host, port):
    """Nobody comes, or the wrong one: said once, and no hang after that."""
    with socket.create_connection((host, port), WAIT):
        listener = socket.create_server(("", 0))
        for wanted in (errno.ECONNABORTED, errno.EINVAL):
            try:
                listener.accept()
                raise AssertionError("somebody came")
            except OSError as fault:
                assert fault.errno == wanted, fault


def no_listener(host, port):
    """The gateway does not let it listen."""
    with socket.create_connection((host, port), WAIT):
        with socket.socket() as listener:
            try:
                listener.listen()
                raise AssertionError("it listens")
            except PermissionError:
                pass


def listens(host, port):
    """Who has not connected through the gateway may listen as ever."""
    with socket.create_server(("", 0)) as listener:
        at = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", at), WAIT):
            listener.accept()[0].close()


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
    print("well")
