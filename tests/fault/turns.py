"""Liveness: how long a turn of the loop takes, and what waiting costs."""
import struct
import time

from descriptors import at_rest
from load import TURNS, Plan
from row import Figure, Row


class Turns(Row):
    """Seen from inside: a library in the workers notes the processor time
    between two waits. It has no place in a sandbox."""

    name = "turns"
    fault = "a turn of the loop at most 50 ms of processor time"
    unit = "seconds of as much load as there can be"
    full, short = 20, 2

    def measure(self, stage, count, short):
        notes = stage.folder / "turns"
        notes.write_bytes(bytes(16))
        notes.chmod(0o666)
        stage.folder.chmod(0o755)
        stage.start(sandbox="off", wrapper=[
            "env", f"LD_PRELOAD={TURNS}", f"FAULT_TURNS={notes}"])
        bulk = [Plan("bulk", 10**9, 10**9)]
        servers = stage.serve(bulk)
        idle = stage.sessions(bulk, slots=1000, count=1000, hold=True,
                              sources="10.70.0.1/1000").opened()
        with stage.honest(rate=0, slots=300) as honest:
            load = stage.sessions(bulk, slots=4, sources="10.71.0.1/4",
                                  limit=count)
            load.result()
        if stage.gate.ours:
            stage.gate.sums_known = False  # bulk was broken off
        idle.kill()
        servers.end()
        turned, longest_ns = struct.unpack("QQ", notes.read_bytes())
        return [
            Figure("turns", turned, least=1000),
            Figure("the longest", longest_ns / 1e6, "ms", most=50,
                   timing=True, loose=250),  # what is stolen counts
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
        ]


class Idle(Row):
    name = "idle"
    fault = "thousands of idle sessions"
    unit = "sessions"
    full, short = 8000, 2000

    def measure(self, stage, count, short):
        gate = stage.start()
        plans = [Plan("held", 1000, 1000)]
        servers = stage.serve(plans)
        before = gate.memory()
        held = stage.sessions(plans, slots=count, count=count, hold=True,
                              rate=4000, sources="10.70.0.1/10000")
        held.opened()
        time.sleep(0.5)
        grown = gate.memory() - before
        cpu = at_rest(gate, 3 if short else 10, 1)
        result = held.result(stop=True)
        stage.hold_to(result, servers, "those that waited")
        servers.end()
        return [
            Figure("processor time", cpu, "%", most=1),
            Figure("user memory each", grown / count, "octets"),
            Figure("exact afterwards", result.exact, "sessions",
                   least=count),
        ]
