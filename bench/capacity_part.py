"""The part of docs/benchmarks.md on what one machine holds."""

from figures import rate_figures
from page_text import number, share, table, times
from plot import Chart

KINDS = {
    "direct": "direct, no gateway",
    "idle": "relaying, idle",
    "unfinished": "unfinished request",
    "connecting": "server does not answer",
    "waiting": "BIND waits for its peer",
}


def cost(row, when, column="gateway_us"):
    return rate_figures(row[when])[column]


def row_of(row):
    words = [KINDS[row["kind"]], str(row["sessions"])]
    if row["faults"]:
        return words + ["faulty"] + ["–"] * 6
    ours = row["kind"] != "direct"
    column = "gateway_us" if ours else "total_us"
    before, beside = (cost(row, when, column) for when in ("alone", "beside"))
    return words + [
        number(row["user"]) if ours else "–", number(row["kernel"]),
        number(row["descriptors"]) if ours else "–",
        share(row["quiet_cpu_share"]) if ours else "–",
        number(before), number(beside), times(beside / before)]


def faults(rows):
    found = [f"* {KINDS[row['kind']]}, {row['sessions']}: {row['faults'][0]}"
             for row in rows if row["faults"]]
    return "\n".join(found) or (
        "No run had a fault: every session was used once more (those without "
        "a server were given up), each octet was compared, and no socket and "
        "no descriptor was left.")


def spread_over(rows):
    """Of the gateway that held the most, descriptors of each worker."""
    most = max((row for row in rows if row["kind"] == "idle"),
               key=lambda row: row["sessions"], default=None)
    if not most:
        return ""
    return (f"Its {most['workers']} workers had "
            f"{number(min(most['shares']), 5)} to "
            f"{number(max(most['shares']), 5)} descriptors each while "
            f"{most['sessions']} sessions relayed; a worker that has just "
            f"served its first connections takes "
            f"{number(most['fixed'] / 1024)} KiB of user memory.")


def chart(rows):
    found = sorted((row for row in rows
                    if row["kind"] == "idle" and not row["faults"]),
                   key=lambda row: row["sessions"])
    if len(found) < 2:
        return None
    return Chart(
        "What a connection costs beside sessions of several workers",
        "sessions held", "gateway µs a connection",
        [str(row["sessions"]) for row in found],
        [("beside them", [cost(row, "beside") for row in found]),
         ("before them", [cost(row, "alone") for row in found])])


def is_of(raw):
    return "capacity" in raw


def part(page):
    raw = page.about
    rows = raw["capacity"]
    return "\n\n".join(text for text in (
        "## What one machine holds",
        f"Made from `{page.path}` of `bench/capacity`: measured on "
        f"{raw['date']}, commit {raw['commit']}, {raw['processors']} "
        f"processors, {number(raw['memory'] / (1 << 30))} GiB, "
        f"{raw['descriptors']} descriptors a process; one round. Other "
        f"processes used {raw['others_share']:.0%} of the processors' time. "
        "No process is pinned. Kernel memory is that of all sockets on this "
        "machine, those of the clients and servers included; direct shows "
        "what theirs cost alone.",
        table(["sessions", "held", "user octets each", "kernel octets each",
               "descriptors each", "CPU while held",
               "µs a connection before", "beside", "× before"],
              [row_of(row) for row in rows]),
        spread_over(rows), faults(rows)) if text)
