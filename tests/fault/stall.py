"""A reader stops in the middle of gigabytes."""
import os
import signal
import time

from descriptors import at_rest, busy
from gateway import wait_for
from load import Plan
from row import Figure, Row

SESSIONS = 16
HELD = 65  # KiB: 64 a direction, and the allocator's own
GB = 10**9


class Stall(Row):
    fault = "reader stops while 10 GB are pushed"
    unit = "octets"
    full, short = 10 * GB, GB
    seconds = 150
    splice = "auto"

    def measure(self, stage, count, short):
        gate = stage.start(relay="{splice: %s}" % self.splice)
        plans = [Plan("download", 0, count // SESSIONS)]
        servers = stage.serve(plans)
        with stage.honest(rate=50):
            before = gate.memory()
            readers = stage.sessions(plans, slots=SESSIONS, count=SESSIONS,
                                     sources="10.70.0.1/1000",
                                     limit=self.seconds - 30)
            readers.opened()
            os.kill(readers.process.pid, signal.SIGSTOP)
            quiet(gate)
        try:
            idle = at_rest(gate, 2 if short else 10, 1)
            grown = gate.memory() - before
        finally:
            os.kill(readers.process.pid, signal.SIGCONT)
        result = readers.result()
        stage.hold_to(result, servers, "what was read")
        servers.end()
        return [
            Figure("user memory a direction while stalled",
                   grown / SESSIONS / 1024, "KiB", most=HELD),
            Figure("processor time while stalled", idle, "%", most=1),
            Figure("octets exact", result.plans["download"]["octets"],
                   least=count // SESSIONS * SESSIONS),
        ]


def quiet(gate, seconds=20):
    """Until it does nothing for them any more."""
    def rests():
        return busy(gate, 0.2) < 20
    wait_for("the stall", rests, seconds)
    time.sleep(0.3)


class StallCopy(Stall):
    name = "stall-copy"
    fault = Stall.fault + ", by copy"
    splice = "never"


class StallSplice(Stall):
    name = "stall-splice"
    fault = Stall.fault + ", by splice"
    splice = "always"
    peers_short = True
    peers = ("dante", "hpsockd", "haproxy")
