"""Where a row plays: the lab, with a host of four million clients and one of
four million servers; the gateway under test; the honest load beside."""
import contextlib
import pathlib

import lab as places
from gates import ALL
from load import Drips, Servers, Sessions, mixed, outcomes

CLIENTS_NET, SERVERS_NET = "10.64.0.0/10", "10.128.0.0/10"

# Of every host's network, before anything starts.
SETTINGS = {
    "net/ipv4/ip_local_port_range": "10000 65535",
    # What one run learned about an address does not help the next.
    "net/ipv4/tcp_no_metrics_save": "1",
    "net/core/somaxconn": "4096",
    "net/ipv4/tcp_max_syn_backlog": "8192",
}

HONEST_PORT, ROW_PORT = 2000, 2100


class Stage:
    def __init__(self, folder, gate="socks4d", short=True):
        self.long_ms = 1000 if short else 5000  # of a long session
        self.folder = pathlib.Path(folder)
        self.kind = ALL[gate]
        self.lab = places.Lab()
        self.gate = None
        self.starts = 0
        self.faults = []
        self.notes = []
        self.programs = []
        self.at_end = []  # called when the gateway has ended
        self._wire()

    def _wire(self):
        lab = self.lab
        for host in lab.hosts:
            for name, value in SETTINGS.items():
                host.write(f"/proc/sys/{name}", value)
        lab.client.ip(f"route add local {CLIENTS_NET} dev lo")
        lab.server.ip(f"route add local {SERVERS_NET} dev lo")
        lab.gateway.ip(f"""
            route add {CLIENTS_NET} via {places.CLIENT}
            route add {SERVERS_NET} via {places.SERVER}
        """)

    # What plays

    def start(self, wrapper=(), **settings):
        """The gateway under test; settings as those of Gateway. One that was
        there before has left, or is a fault."""
        if self.gate is not None:
            self.faults += self.gate.finish()
        self.starts += 1
        folder = self.folder / str(self.starts)
        folder.mkdir(mode=0o755)
        self.gate = self.kind(self.lab, folder, **settings)
        self.gate.start(wrapper=wrapper)  # which no peer is given
        return self.gate

    def serve(self, plans, port=ROW_PORT):
        return self._started(Servers(self.lab.server, plans, port))

    def sessions(self, plans, port=ROW_PORT, **options):
        return self._started(Sessions(self, plans, port, **options))

    def drips(self, count, sources, gap_ms, limit):
        return self._started(Drips(self, count, sources, gap_ms, limit))

    def _started(self, program):
        self.programs.append(program)
        return program

    @contextlib.contextmanager
    def honest(self, rate=200, slots=60, plans=None, judged=True, **options):
        """The mixed load while the block runs. What it yields is a list, of
        which the last is the result when the block is over. Where sessions
        are meant to end with their worker the row judges them itself."""
        plans = plans or self.mixed()
        servers = self.serve(plans, HONEST_PORT)
        clients = self.sessions(plans, HONEST_PORT, slots=slots, rate=rate,
                                **{"limit": 1200, **options})
        results = []
        clients.opened()
        yield results
        results.append(clients.result(stop=True))
        if judged:
            self.hold_to(results[-1], servers, "the honest load")
        servers.end()

    def mixed(self):
        """As far as the gateway under test can."""
        five = getattr(self.gate, "serves_5", lambda: False)()
        return [plan for plan in mixed(self.long_ms, five)
                if not self.gate.direct or plan.name != "bind"]

    def hold_to(self, result, servers, whose):
        """Every session of a load came out exact, on both sides."""
        self.gate.told_of(result)
        if result.others():
            self.faults.append(f"{whose}: not exact: {result.words()}")
        counts = servers.settled()
        wrong = [outcomes(name, plan) for name, plan in counts.items()
                 if name != "live" and plan["sessions"] != plan["exact"]]
        if wrong:
            self.faults.append(f"{whose}, seen by its servers: "
                               + "; ".join(wrong))

    # In the end

    def finish(self):
        """Ends all; what was not as it must be, in words."""
        try:
            for program in self.programs:
                program.kill()
            if self.gate is not None:
                self.faults += self.gate.finish()
            for ending in self.at_end:
                ending()
        finally:
            self.lab.close()
        return self.faults
