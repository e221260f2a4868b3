"""The figures to reach, and whether they were."""

from figures import cells

SOCKS4_PEERS = ("dante", "hpsockd", "openssh", "3proxy", "neosocksd")
SOCKS_PEERS = (*SOCKS4_PEERS, "microsocks", "hev-socks5-server")


class Reach:
    """One run's cells, looked up by gateway."""

    def __init__(self, page):
        self.page = page

    def cell(self, pin, job, gateway):
        found = cells(self.page.raw, pin, job).get(gateway)
        return found if found and found.rounds else None

    def ratio(self, pin, job, gateway, column, other, other_column=None):
        mine, theirs = (self.cell(pin, job, name)
                        for name in (gateway, other))
        if not mine or not theirs:
            return None
        return mine.ratio(column, theirs, other_column)

    def best(self, pin, job, column, most, among):
        """The best of these peers, by median."""
        medians = {name: self.cell(pin, job, name).median(column)
                   for name in among if self.cell(pin, job, name)}
        if not medians:
            return None
        return (max if most else min)(medians, key=medians.get)

    def peers(self):
        return [name for name in self.page.about["titles"]
                if name not in ("direct", "floor", "floor4", *self.page.about["ours"])]

    # One function a figure; each returns the value or None.

    def rate(self, gateway):
        return self.ratio("one", "rate-64", gateway, "speed", "direct")

    def rate_by_cost(self, gateway):
        """What the rate would be if nobody else used the processor."""
        ratio = self.ratio("one", "rate-64", gateway, "total_us", "direct")
        return ratio and 1 / ratio

    def rate_to_best(self):
        best = self.best("one", "rate-64", "speed", True, SOCKS4_PEERS)
        return best and self.ratio("one", "rate-64", "socks4d", "speed", best)

    def rate_cpu(self):
        return self.ratio("one", "rate-64", "socks4d", "gateway_us",
                          "direct", "total_us")

    def bulk_one(self, job):
        return self.ratio("one", job, "socks4d", "gateway_s_gib", "direct",
                          "total_s_gib")

    def bulk_split(self, job):
        best = self.best("split", job, "gateway_s_gib", False, self.peers())
        return best and self.ratio("split", job, "socks4d", "gateway_s_gib",
                                   best)

    def direct_us(self, job, column):
        """For scale, beside what was added: the same without a gateway."""
        cell = self.cell("one", job, "direct")
        return cell and cell.median(column)

    def trips(self, gateway="socks4d"):
        return self.ratio("one", "pingpong-64-16", gateway, "speed",
                          "direct")

    def trips_by_cost(self, gateway="socks4d"):
        ratio = self.ratio("one", "pingpong-64-16", gateway, "total_us",
                           "direct")
        return ratio and 1 / ratio

    def added(self, job, column, gateway="socks4d"):
        mine, direct = (self.cell("one", job, name)
                        for name in (gateway, "direct"))
        return mine and direct and mine.added(column, direct)

    def held(self, column):
        cell = self.cell("one", self.held_job(), "socks4d")
        return cell and cell.median(column)

    def held_job(self):
        jobs = {one["job"] for one in self.page.raw
                if one["job"].startswith("idle-")}
        return max(jobs, key=lambda job: int(job.rpartition("-")[2]),
                   default="idle-0")

    def held_cost(self):
        job = self.held_job()
        return self.ratio("one", job, "socks4d", "beside_us", "socks4d",
                          "alone_us")

    def unfinished(self):
        cell = self.cell("one", "unfinished-1000", "socks4d")
        return cell and cell.median("user")

    def bind(self):
        return self.ratio("one", "bind-16", "socks4d", "speed", "dante")

    def price(self):
        ratio = self.ratio("one", "rate-64", "socks4d-1000-rules",
                           "total_us", "socks4d-quiet")
        return ratio and 1 - 1 / ratio


def table_of_figures(r):
    """Figure, limit, unit, whether more is better, value."""
    rows = [
        ("connections/s, no record a session", .46, "× direct", True,
         r.rate("socks4d-quiet")),
        ("the same, by total CPU", .46, "× direct", True,
         r.rate_by_cost("socks4d-quiet")),
        ("connections/s, all on", .43, "× direct", True, r.rate("socks4d")),
        ("the same, by total CPU", .43, "× direct", True,
         r.rate_by_cost("socks4d")),
        ("connections/s, all on", 2, "× the best SOCKS4 server", True,
         r.rate_to_best()),
        ("gateway CPU a connection", 1.15, "× direct's total", False,
         r.rate_cpu()),
    ]
    for job in ("download-4", "download-64", "upload-4", "upload-64"):
        rows.append((f"{job}, gateway CPU/GiB, one", .60,
                     "× direct's total", False, r.bulk_one(job)))
    for job in ("download-4", "download-64", "upload-4", "upload-64"):
        rows.append((f"{job}, gateway CPU/GiB, split", .60,
                     "× the best peer", False, r.bulk_split(job)))
    return rows + [
        ("64-octet round trips, 16 sessions", .50, "× direct", True,
         r.trips()),
        ("the same, by total CPU", .50, "× direct", True,
         r.trips_by_cost()),
        ("added to a round trip", 9, "µs", False,
         r.added("pingpong-64-1", "trip_us")),
        ("added to a set-up", 35, "µs", False, r.added("rate-1", "setup_us")),
        ("idle session, user memory", 384, "octets", False, r.held("user")),
        ("idle session, descriptors", 2, "", False, r.held("descriptors")),
        ("unfinished request, user memory", 512, "octets", False,
         r.unfinished()),
        ("a connection with sessions held", 1.10, "× without", False,
         r.held_cost()),
        ("BIND", 2, "× Dante", True, r.bind()),
        ("1000 rules and records, share of connections/s lost", .10, "", False,
         r.price()),
    ]


def remarks(r):
    """What one should know of a figure, by its row."""
    best = r.best("one", "rate-64", "speed", True, SOCKS4_PEERS)
    theirs = best and r.rate(best)
    found = {}
    if theirs and theirs > .25:
        found["× the best SOCKS4 server"] = (
            f"{best} has {theirs:.2f} × direct: twice that is beyond .50")
    for name, job, column in (
            ("added to a round trip", "pingpong-64-1", "trip_us"),
            ("added to a set-up", "rate-1", "setup_us")):
        direct = r.direct_us(job, column)
        floor = r.added(job, column, "floor4")
        if direct:
            found[name] = f"direct alone takes {direct:.3g} µs here"
        if direct and floor:
            found[name] += f", and the floor adds {floor:.3g}"
    return dict(found, **floors(r))


def floors(r):
    """What a relay that only relays comes to, where it may be below what is
    to be reached."""
    values = {
        "64-octet round trips, 16 sessions": r.trips("floor"),
        "64-octet round trips, 16 sessions, by total CPU":
            r.trips_by_cost("floor"),
        **{f"connections/s, {kind}{by}": of("floor4")
           for kind in ("no record a session", "all on")
           for by, of in (("", r.rate), (", by total CPU", r.rate_by_cost))},
    }
    return {name: f"the floor has {value:.3g}"
            for name, value in values.items() if value}


def reach_rows(page):
    reach = Reach(page)
    notes = remarks(reach)
    rows, before = [], ""
    for name, limit, unit, more, value in table_of_figures(reach):
        word = "at least" if more else "at most"
        if value is None:
            measured, verdict = "–", "not measured"
        else:
            measured = f"{value:.3g}"
            verdict = "met" if (value >= limit if more
                                else value <= limit) else "**missed**"
        if name.startswith("the same"):
            key = before + name.removeprefix("the same")
        else:
            key = before = name
        note = notes.get(unit, notes.get(key))
        if note:
            verdict += f" ({note})"
        rows.append([name, f"{word} {limit:g} {unit}".strip(), measured,
                     verdict])
    return rows
