"""What a process has in its memory, as root sees it."""
import contextlib
import os


def written(path):
    """The parts of a memory file that hold anything."""
    with open(path, "rb", 0) as octets:
        end = 0
        with contextlib.suppress(OSError):  # ENXIO: a hole up to the end
            while True:
                start = os.lseek(octets.fileno(), end, os.SEEK_DATA)
                end = os.lseek(octets.fileno(), start, os.SEEK_HOLE)
                yield os.pread(octets.fileno(), end - start, start)


def memory(pid):
    """All that a process has in its memory, region by region."""
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as octets:
        for line in maps:
            span, permissions = line.split()[:2]
            if "r" not in permissions or "[v" in line:
                continue
            if "/memfd:socks4d segment" in line:  # nearly all of it is holes
                yield from written(f"/proc/{pid}/map_files/{span}")
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            try:
                octets.seek(start)
                yield octets.read(end - start)
            except OSError:
                continue
