"""More clients than memory: 64 MiB for all processes of the gateway."""
import os
import pathlib

from gateway import wait_for
from load import Plan
from row import Figure, Row

LIMIT = 64 << 20
ROOT = pathlib.Path("/sys/fs/cgroup")


class Memory(Row):
    name = "memory"
    fault = "memory limit 64 MiB with 10 000 clients"
    unit = "clients"
    full, short = 10000, 3000
    needs = "limits"

    def measure(self, stage, count, short):
        group = group_of_ours()
        stage.notes.append(f"limited by {group.kind}")
        stage.at_end.append(group.remove)
        return self.figures(stage, group, count)

    def figures(self, stage, group, count):
        gate = stage.start(wrapper=group.wrapper(), limits="{memory: 64M}")
        pids = gate.pids()
        plans = [Plan("held", 1, 1)]
        servers = stage.serve(plans)
        clients = stage.sessions(plans, slots=count, count=count, hold=True,
                                 rate=4000,
                                 sources="10.70.0.1/20000", limit=60)
        clients.opened()
        live = gate.counters()["live"]
        most = group.most(gate)
        result = clients.result(stop=True)
        stage.gate.told_of(result)
        after = stage.sessions(plans, count=100, limit=60).result()
        stage.gate.told_of(after)
        servers.end()
        return [
            Figure("sessions held", live, least=1000),
            Figure("those that stood, exact", result.exact,
                   least=live if live < count else count),
            Figure("answered 91", result.count("refused")),
            Figure("reset", result.count("cut")),
            Figure("never answered", result.count("late"), most=0),
            Figure("memory at most", most / 2**20, "MiB",
                   most=LIMIT / 2**20),
            Figure("killed", group.kills()
                   + len(set(pids) - set(gate.pids())), most=0),
            Figure("afterwards exact", after.exact, "of 100", least=100),
        ]


class Group:
    """A memory control group; its file names are the kernel's."""

    def __init__(self, kind, parent, names):
        self.kind, self.names = kind, names
        if not (parent / "cgroup.procs").exists():
            raise FileNotFoundError(parent)
        self.folder = parent / f"socks4-fault-{os.getpid()}"
        self.folder.mkdir()
        try:
            (self.folder / names["limit"]).write_text(str(LIMIT))
        except OSError:
            self.folder.rmdir()
            raise

    def wrapper(self):
        return ["sh", "-c", f'echo $$ >{self.folder}/cgroup.procs;'
                ' exec "$@"', "sh"]

    def most(self, _):
        """Of all processes, and the kernel for them."""
        return int((self.folder / self.names["most"]).read_text())

    def kills(self):
        words = (self.folder / self.names["kills"]).read_text().split()
        return int(words[words.index("oom_kill") + 1])

    def remove(self):
        """Empty as soon as the kernel has seen its processes end."""
        def removed():
            try:
                self.folder.rmdir()
            except OSError:
                return False
            return True
        wait_for("the group to be empty", removed, 10)


class DataLimit:
    """Where no control group can be made: each process by itself."""

    kind = "RLIMIT_DATA of each process, kernel memory not counted"

    def wrapper(self):
        return ["prlimit", f"--data={LIMIT}"]

    def most(self, gate):
        """Of the workers, now."""
        return gate.memory()

    def kills(self):
        return 0

    def remove(self):
        pass


# name, where, files. A limit that cannot be set there is no limit.
VERSIONS = [
    ("a control group (version 2)", ROOT,
     {"limit": "memory.max", "most": "memory.peak", "kills": "memory.events"}),
    ("a control group (version 1)", ROOT / "memory",
     {"limit": "memory.limit_in_bytes", "most": "memory.max_usage_in_bytes",
      "kills": "memory.oom_control"}),
]


def group_of_ours():
    for version in VERSIONS:
        try:
            return Group(*version)
        except OSError:
            continue
    return DataLimit()
