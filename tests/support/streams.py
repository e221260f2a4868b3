"""Octets in bulk: made by position, counted and digested on the way."""
import concurrent.futures
import hashlib
import random

# The length is prime, so that a piece in the wrong place shows.
_BLOCK = random.Random(4).randbytes(1048573)

KB, MB = 1024, 1024 * 1024


def piece(offset, count):
    """`count` octets of the endless stream, from `offset` on."""
    start = offset % len(_BLOCK)
    got = _BLOCK[start:start + count]
    while len(got) < count:
        got += _BLOCK[:count - len(got)]
    return got


def digest(count, offset=0):
    """Of the stream's first `count` octets."""
    made = hashlib.sha256()
    for at in range(offset, offset + count, MB):
        made.update(piece(at, min(MB, offset + count - at)))
    return made.hexdigest()


def push(sock, count, step=MB, offset=0):
    """Sends that much of the stream."""
    for at in range(offset, offset + count, step):
        sock.sendall(piece(at, min(step, offset + count - at)))


def pull(sock, limit=None):
    """Reads to the end: (octets, digest, "fin" or "reset")."""
    made = hashlib.sha256()
    count = 0
    try:
        while limit is None or count < limit:
            got = sock.recv(MB if limit is None else min(MB, limit - count))
            if not got:
                break
            made.update(got)
            count += len(got)
    except ConnectionResetError:
        return count, made.hexdigest(), "reset"
    return count, made.hexdigest(), "fin"


def whole(count):
    """What pull returns when all of it came, then the end."""
    return count, digest(count), "fin"


_pool = concurrent.futures.ThreadPoolExecutor(max_workers=128)


def beside(function, *arguments):
    """Runs it in a thread; .result(seconds) is what it returned."""
    return _pool.submit(function, *arguments)
