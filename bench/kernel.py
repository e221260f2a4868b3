"""What the kernel says: clocks, memory, descriptors and sockets of processes.

Processor time of a process tree is read in two parts. For every process that
lives: its own clock (CLOCK_PROCESS_CPUTIME_ID of that process, nanoseconds;
threads that have ended are in it). For children that have ended and were
waited for: cutime and cstime in /proc/PID/stat of the parent, in ticks. When
a process ends, its time moves from the first part to the second, so the sum
never goes back.
"""

import os
import time

TICK = os.sysconf("SC_CLK_TCK")


def read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


def stat_fields(pid):
    """The fields of /proc/PID/stat behind the name; [0] is the state."""
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def processes():
    """Parent by process, of all that can be seen."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents[int(name)] = int(stat_fields(name)[1])
            except (FileNotFoundError, ProcessLookupError):
                pass
    return parents


def marked(pid, mark):
    """Whether this process was started with `mark` in its environment."""
    try:
        return mark in read(f"/proc/{pid}/environ").split("\0")
    except OSError:
        return False


def tree(roots, mark):
    """The roots, orphans of theirs that we inherited, and all below."""
    parents = processes()
    me = os.getpid()
    found = {pid for pid in roots if pid in parents}
    found |= {pid for pid, parent in parents.items()
              if parent == me and marked(pid, mark)}
    while True:
        more = {pid for pid, parent in parents.items()
                if parent in found and pid not in found}
        if not more:
            return sorted(found)
        found |= more


def process_clock(pid):
    return time.clock_gettime(~pid << 3 | 2)


def cpu_seconds(pids):
    total = 0.0
    for pid in pids:
        try:
            ended = stat_fields(pid)[13:15]
            total += process_clock(pid)
        except OSError:
            continue  # it has ended since: its parent has its time
        total += sum(map(int, ended)) / TICK
    return total


def fields_kb(path, names):
    """The sum of these `Name:  N kB` lines, in octets."""
    total = 0
    for line in read(path).splitlines():
        name, _, rest = line.partition(":")
        if name in names:
            total += int(rest.split()[0]) * 1024
    return total


def user_memory(pids):
    """Private and shared anonymous memory, shared pages by share."""
    total = 0
    for pid in pids:
        try:
            total += fields_kb(f"/proc/{pid}/smaps_rollup",
                               ("Pss_Anon", "Pss_Shmem"))
        except OSError:
            pass
    return total


def kernel_memory():
    """Of the whole machine: only differences mean something."""
    return fields_kb("/proc/meminfo",
                     ("SUnreclaim", "KernelStack", "PageTables", "Percpu"))


def descriptors(pids):
    total = 0
    for pid in pids:
        try:
            total += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            pass
    return total


def sockets(*protocols):
    """In this namespace, of TCP or UDP, those in TIME_WAIT not counted."""
    rows = map(str.split, read("/proc/net/sockstat").splitlines())
    return sum(int(row[row.index("inuse") + 1]) for row in rows
               if row[0].rstrip(":") in protocols)


def wait_until(what, seconds):
    """Whether what() came true in time."""
    limit = time.monotonic() + seconds
    while not what():
        if time.monotonic() > limit:
            return False
        time.sleep(0.002)
    return True
