"""The part of docs/benchmarks.md on datagrams by SOCKS5, of rounds of their
own of bench/run."""

from figures import cells, jobs_of
from page_text import made_from, number, times

COLUMNS = ["speed", "gateway_us", "total_us", "trip_us", "trip_p99_us"]
HEADS = ["a second", "gateway µs each", "total µs each",
         "there and back µs, median", "99 %"]


def words(job):
    _, octets, count = job.split("-")
    return (f"datagrams of {octets} octets, {count} association"
            + ("s" if count != "1" else ""))


def beside(page):
    """Who pays what for the smallest datagrams of many."""
    found = cells(page.raw, "one", "udp-64-16")
    ours, dante = (found.get(name) for name in ("socks4d-socks5",
                                                "dante-socks5"))
    if not ours or not dante:
        return ""
    return ("A datagram of 64 octets, among those of 16 associations, takes "
            f"{number(ours.median('gateway_us'))} µs of socks4d's processor "
            f"time, {times(ours.ratio('gateway_us', dante))} times what it "
            "takes of Dante's. ")


def lost(page):
    rows = [one for one in page.raw if one["job"].startswith("udp-")]
    sent = sum(2 * one.get("count", 0) for one in rows)
    counts = {}
    for one in rows:
        if one.get("lost"):
            name = page.title(one["gateway"])
            counts[name] = counts.get(name, 0) + one["lost"]
    return f"Of {number(sent)} datagrams " + (
        ", ".join(f"{count} of {name}" for name, count in counts.items())
        + " were not back within half a second and count as lost."
        if counts else "none was lost.")


def tables(page, pin):
    return "\n\n".join(
        page.job_table(pin, job, COLUMNS, [words(job), *HEADS])
        for job in jobs_of(page.raw, pin) if job.startswith("udp-"))


def part(page):
    return "\n\n".join((
        "## Datagrams by SOCKS5",
        made_from(page) + " Each association (UDP ASSOCIATE) has one datagram "
        "under way to one server, which returns it; every octet is compared. "
        "A datagram there and back counts as two.",
        tables(page, "one"),
        beside(page) + lost(page)))


def is_of(raw):
    return any(one["job"].startswith("udp-") for one in raw.get("raw", ())
               ) and not any(one["job"].startswith("rate")
                             for one in raw["raw"])
