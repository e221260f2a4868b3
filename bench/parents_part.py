"""The part of docs/benchmarks.md on parents and on TLS to the gateway, of
rounds of their own of bench/run."""

from figures import cells
from page_text import figure, made_from, number, table, times

OURS, PARENT, OVER_TLS, TLS = ("socks4d", "socks4d-parent",
                               "socks4d-parent-tls", "socks4d-tls")
# Job, figure, what it is.
COSTS = (
    ("rate-64", "gateway_us", "a connection, 64 at once, gateway µs"),
    ("pingpong-64-16", "gateway_us", "a 64-octet round trip, gateway µs"),
    ("download-64", "gateway_s_gib", "download, gateway CPU-s/GiB"),
    ("upload-64", "gateway_s_gib", "upload, gateway CPU-s/GiB"),
)


class Part:
    def __init__(self, raw):
        self.raw = raw

    def cells(self, job):
        return {name: cell
                for name, cell in cells(self.raw["raw"], "one", job).items()
                if cell.rounds}

    def ratio(self, job, name, column):
        found = self.cells(job)
        return (found[name].ratio(column, found[OURS])
                if name in found and OURS in found else None)

    def added_setup(self):
        """By round; as a share of a set-up through one gateway."""
        ratio = self.ratio("rate-1", PARENT, "setup_us")
        return ratio and ratio - 1

    def reach(self):
        yield ("a parent adds to a set-up, ÷ a set-up without one", 1,
               self.added_setup())
        for job, column, what in COSTS[1:]:
            yield (f"{what}, through a parent ÷ without", 1.05,
                   self.ratio(job, PARENT, column))

    def setup_row(self):
        found = self.cells("rate-1")
        return ["set-up of a CONNECT, one after the other, µs"] + [
            figure(found[name], "setup_us") if name in found else "–"
            for name in (OURS, PARENT, OVER_TLS, TLS)]

    def cost_row(self, job, column, what):
        found = self.cells(job)
        row = [what]
        for name in (OURS, PARENT, OVER_TLS, TLS):
            if name not in found:
                row.append("–")
                continue
            row.append(figure(found[name], column))
            if name != OURS:
                row[-1] += f", {times(self.ratio(job, name, column))} ×"
        return row


def judged(what, limit, value):
    if value is None:
        return [what, f"at most {number(limit)}", "–", "not measured"]
    return [what, f"at most {number(limit)}", times(value),
            "met" if value <= limit else "**missed**"]


def part(page):
    made = Part(page.about)
    return "\n\n".join((
        "## Through a parent, and with TLS",
        made_from(page) + " The parent is a second socks4d beside the first, "
        "and only the processor time of the first is counted. What a parent "
        "adds to a set-up is what a set-up through a gateway takes: a "
        "connection, and one round trip for request and reply. Over TLS each "
        "session has a full handshake.",
        table(["figure", "reach", "measured", ""],
              [judged(*figure) for figure in made.reach()]),
        table(["", "socks4d", "through a parent", "through a parent over TLS",
               "TLS to it"],
              [made.setup_row(),
               *(made.cost_row(*cost) for cost in COSTS)]),
        "Bulk comes from a second relay in smaller pieces than from the "
        "server itself: the first one makes 8 % more calls of splice(2) for "
        "the same octets, and no other calls than without a parent "
        "(`strace`). On one processor the two also share its cache."))


def is_of(raw):
    return PARENT in raw.get("titles", ())
