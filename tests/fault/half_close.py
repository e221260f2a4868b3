"""Who ends first, times how much, times how fast the other reads."""
from load import Plan
from row import Figure, Row

MB = 10**6


class HalfClose(Row):
    unit = "octets at most a direction"
    full, short = 100 * MB, 10 * MB
    seconds = 120
    splice = "auto"

    def measure(self, stage, count, short):
        stage.start(relay="{splice: %s}" % self.splice)
        plans = list(matrix(count))
        servers = stage.serve(plans)
        with stage.honest(rate=50):
            result = stage.sessions(plans, slots=len(plans),
                                    count=len(plans) * (1 if short else 2),
                                    sources="10.70.0.1/1000",
                                    limit=self.seconds - 20).result()
        if stage.gate.ours:
            stage.hold_to(result, servers, "the matrix")
        servers.end()
        broken = [name for name, plan in result.plans.items()
                  if plan["exact"] < plan["sessions"]]
        if broken:
            stage.notes.append("not exact: " + ", ".join(broken))
        return [Figure("cells exact", len(plans) - len(broken),
                       f"of {len(plans)}", least=len(plans))]


def matrix(most):
    for first in ("client", "server"):
        for size in (0, 1, MB, most):
            for slow in (None, "server" if first == "client" else "client"):
                words = {"slow": slow} if slow else {}
                yield Plan(f"{first}-{size}-{'slow' if slow else 'fast'}",
                           size, size, first=first, **words)


class HalfCloseCopy(HalfClose):
    name = "half-close-copy"
    fault = "half-close matrix, by copy"
    splice = "never"


class HalfCloseSplice(HalfClose):
    name = "half-close-splice"
    fault = "half-close matrix, by splice"
    splice = "always"
    peers = ("dante", "hpsockd", "haproxy")
