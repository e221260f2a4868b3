"""The part of docs/benchmarks.md on what those pay who ask for no name while
DNS is dead, of rounds of their own of bench/run."""

from figures import cells
from page_text import figure, made_from, table, times

OURS, BESIDE = "socks4d", "socks4d-dead-dns"


def part(page):
    rows = []
    for job, column, what in (("rate-1", "setup_us", "set-up of a CONNECT"),
                              ("pingpong-64-1", "trip_us",
                               "64-octet round trip")):
        found = cells(page.raw, "one", job)
        rows.append([what, *(figure(found[name], column)
                             for name in ("direct", OURS, BESIDE)),
                     times(found[BESIDE].ratio(column, found[OURS]))])
    return "\n\n".join((
        "## While DNS is dead",
        made_from(page) + " The DNS server does not answer, and during the "
        "load a hundred clients wait for as many names (`bench/silence`). A "
        "ratio of 1 says that this does not delay other sessions.",
        table(["µs, median, everything on one processor", "direct", "socks4d",
               "the same while DNS is dead", "dead ÷ not"], rows)))


def is_of(raw):
    """Whether these rounds are of it alone."""
    return set(raw.get("titles", ())) == {"direct", OURS, BESIDE}
