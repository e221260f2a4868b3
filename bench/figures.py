"""From raw rounds to figures: medians, spreads, ratios within a round.

A ratio is taken round by round, between runs that lay next to each other in
time, and the median of these ratios is given: what slows the machine down for
a while slows both.
"""

import statistics

GIB = 1 << 30
MIB = 1 << 20


def moved(one):
    """Octets that went through the gateway."""
    return one["octets"] * (2 if one["job"].startswith("both") else 1)


def total_cpu(one):
    """Of all that took part."""
    return one["gateway_cpu_s"] + one["server_cpu_s"] + one["cpu_s"]


def rate_figures(one):
    return {
        "speed": one["count"] / one["seconds"],
        "gateway_us": one["gateway_cpu_s"] / one["count"] * 1e6,
        "total_us": total_cpu(one) / one["count"] * 1e6,
        "setup_us": one.get("setup_us", {}).get("p50"),
        "trip_us": one.get("trip_us", {}).get("p50"),
        "trip_p99_us": one.get("trip_us", {}).get("p99"),
    }


def bulk_figures(one):
    return {
        "speed": moved(one) / one["seconds"] / MIB,
        "gateway_s_gib": one["gateway_cpu_s"] / moved(one) * GIB,
        "total_s_gib": total_cpu(one) / moved(one) * GIB,
    }


def datagram_figures(one):
    """Of one datagram that went through the gateway: each round trip has
    two."""
    return dict(rate_figures({**one, "count": 2 * one["count"]}),
                lost=one.get("lost", 0))


def idle_figures(one):
    alone, beside = (rate_figures(one[name]) for name in ("alone", "beside"))
    return {
        "user": one["user"],
        "kernel": one["kernel"],
        "descriptors": one["descriptors"],
        "quiet": one["quiet_cpu_share"],
        "alone_us": alone["gateway_us"],
        "beside_us": beside["gateway_us"],
        "alone_speed": alone["speed"],
        "beside_speed": beside["speed"],
        "alone_total_us": alone["total_us"],
        "beside_total_us": beside["total_us"],
    }


def unfinished_figures(one):
    return {"user": one["user"], "kernel": one["kernel"],
            "descriptors": one["descriptors"]}


def kind_of(job):
    return job.partition("-")[0]


def figures_of(one):
    """The figures of one round, by name."""
    kind = kind_of(one["job"])
    if kind == "idle":
        return idle_figures(one)
    if kind == "unfinished":
        return unfinished_figures(one)
    if kind in ("download", "upload", "both"):
        return bulk_figures(one)
    if kind == "udp":
        return datagram_figures(one)
    return rate_figures(one)


def spread(values):
    """How far apart the middle half of them is, as a share of the median: one
    round that was disturbed does not decide it, however many there are."""
    if len(values) < 2 or not statistics.median(values):
        return None
    first, middle, third = statistics.quantiles(values, method="inclusive")
    return (third - first) / middle


class Cell:
    """All rounds of one gateway at one job, faulty ones left out."""

    def __init__(self, rounds):
        self.faults = [fault for one in rounds for fault in one["faults"]]
        good = [one for one in rounds if not one["faults"]]
        self.rounds = {one["round"]: figures_of(one) for one in good}
        self.sessions = rounds[0].get("sessions")

    def values(self, name):
        return [one[name] for one in self.rounds.values()
                if one[name] is not None]

    def median(self, name):
        values = self.values(name)
        return statistics.median(values) if values else None

    def spread(self, name):
        return spread(self.values(name))

    def ratio(self, name, other, other_name=None):
        """The median of this one's figure to the other's, by round."""
        ratios = [one[name] / other.rounds[number][other_name or name]
                  for number, one in self.rounds.items()
                  if number in other.rounds
                  and other.rounds[number][other_name or name]]
        return statistics.median(ratios) if ratios else None

    def added(self, name, other):
        """The median of the difference, by round."""
        added = [one[name] - other.rounds[number][name]
                 for number, one in self.rounds.items()
                 if number in other.rounds]
        return statistics.median(added) if added else None


def cells(raw, pin, job):
    """Cells by gateway, in the order they first ran."""
    by_gateway = {}
    for one in raw:
        if one["pin"] == pin and one["job"] == job:
            by_gateway.setdefault(one["gateway"], []).append(one)
    return {name: Cell(rounds) for name, rounds in by_gateway.items()}


def jobs_of(raw, pin):
    return list(dict.fromkeys(one["job"] for one in raw if one["pin"] == pin))


COLUMNS = {
    "idle": ("user", "kernel", "descriptors", "quiet", "alone_us",
             "beside_us"),
    "unfinished": ("user", "kernel", "descriptors"),
    "bulk": ("speed", "gateway_s_gib", "total_s_gib"),
    "rate": ("speed", "gateway_us", "total_us", "setup_us", "trip_us"),
    "udp": ("speed", "gateway_us", "total_us", "trip_us", "lost"),
}


def columns_of(job):
    kind = kind_of(job)
    if kind in ("download", "upload", "both"):
        return COLUMNS["bulk"]
    return COLUMNS.get(kind, COLUMNS["rate"])


def text(value):
    if value is None:
        return "-"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}"


def print_job(raw, pin, job):
    """One job's medians, for the eye."""
    table = cells(raw, pin, job)
    columns = columns_of(job)
    print(f"{pin} {job}".ljust(24) + "".join(
        name.rjust(14) for name in columns) + "  spread  x direct")
    for name, cell in table.items():
        line = f"  {name}".ljust(24)
        line += "".join(text(cell.median(c)).rjust(14) for c in columns)
        spread = cell.spread(columns[0])
        line += ("-" if spread is None else f"{spread:.0%}").rjust(8)
        if "direct" in table:
            line += text(cell.ratio(columns[0], table["direct"])).rjust(10)
        print(line, flush=True)
