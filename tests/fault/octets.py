"""One octet a read and write; reads and writes that say EAGAIN at random:
over real sockets, and played on the simulated kernel."""
from load import Plan
from row import Figure, Row
from sweeps import SCENARIOS, player

LENGTH = 1000
MODES = ("one-octet", "copy-one-octet", "splice-one-octet", "flaky", "racy",
         "splice-flaky-split", "splice-racy")


class SingleOctets(Row):
    name = "single-octets"
    fault = "one octet a read and write: real sockets"
    unit = "sessions"
    full, short = 2000, 200

    def measure(self, stage, count, short):
        gate = stage.start()
        plans = [Plan("one-octet", LENGTH, LENGTH, piece=1),
                 Plan("one-octet-bind", LENGTH, LENGTH, piece=1,
                      command="bind"),
                 Plan("narrow", LENGTH * 50, LENGTH * 50, buffer=2048)]
        servers = stage.serve(plans)
        with stage.honest():
            result = stage.sessions(plans, slots=20, count=count,
                                    limit=2 * self.seconds).result()
        stage.hold_to(result, servers, "single octets")
        servers.end()
        return [Figure("exact", result.exact, "sessions", least=count)]


class RandomErrors(Row):
    name = "random-errors"
    fault = "one octet a read and write, random EAGAIN: simulated kernel"
    unit = "ways to play each scenario"
    full, short = 10 * len(MODES), len(MODES)
    seconds = 400

    def measure(self, stage, count, short):
        plays = failures = 0
        for seed in range(count // len(MODES)):
            for mode in MODES:
                played = player("-m", mode, "-s", str(seed + 1), *SCENARIOS)
                plays += played.plays
                failures += played.failures
        return [Figure("conversations", plays),
                Figure("not as written", failures, most=0)]
