"""docs/benchmarks.md, from raw rounds."""

import os

import capacity_part
import datagrams_part
import figures
from figures import cells
import lead
import names_part
from page_text import figure, number, runs_of, table, times
import parents_part
from plot import Chart
from reach import reach_rows
import socks5_part
import tls_part

HERE = os.path.dirname(os.path.abspath(__file__))

PINS = {
    "one": "Everything on one processor",
    "split": "The gateway on one processor, the rest on another",
}


def held_by(job):
    """How many sessions an idle job holds."""
    return int(job.rpartition("-")[2])


# Pictures that stand at the beginning.
LEADING = ("peers", "held", "rules")


def picture_lines(drawn, names):
    return "\n\n".join(f"![{drawn[name].titles[0]}](plots/{name}.svg)"
                       for name in names if name in drawn)


class Page:
    def __init__(self, path, raw):
        self.path = path
        self.about = raw
        self.raw = raw.get("raw", [])
        self.drawn = {}  # charts by the name of their file
        self.lead = ""
        self.more = []  # parts made of other rounds

    def title(self, name):
        return self.about["titles"][name]

    def best_peer(self, table_of, column, most=True):
        """The best median among those that are neither ours nor none."""
        values = {name: cell.median(column)
                  for name, cell in table_of.items()
                  if name not in ("direct", "floor", "floor4", *self.about["ours"])
                  and cell.median(column)}
        if not values:
            return None
        return (max if most else min)(values, key=values.get)

    def row(self, table_of, name, columns, ratio):
        """One gateway: figures, ratios to none and the best peer."""
        cell = table_of[name]
        best = self.best_peer(table_of, ratio)
        words = [self.title(name)]
        if not cell.rounds:
            return words + ["faulty"] + ["–"] * (len(columns) + 1)
        words += [figure(cell, column) for column in columns]
        words.append(times(cell.ratio(ratio, table_of["direct"]))
                     if "direct" in table_of else "–")
        words.append(times(cell.ratio(ratio, table_of[best]))
                     if best else "–")
        return words

    def job_table(self, pin, job, columns, heads, names=None):
        table_of = {name: cell
                    for name, cell in cells(self.raw, pin, job).items()
                    if names is None or name in names}
        if not table_of:
            return ""
        ratio = columns[0]
        return table(
            heads + ["× direct", "× best peer"],
            [self.row(table_of, name, columns, ratio) for name in table_of])

    def rates(self, pin):
        parts = []
        for job, words in (("rate-64", "64 at once"),
                           ("rate-1", "one after the other: nothing waits")):
            text = self.job_table(
                pin, job, ["speed", "gateway_us", "total_us", "setup_us",
                           "trip_p99_us"],
                [f"connections, {words}", "a second", "gateway µs each",
                 "total µs each", "set-up µs, median", "whole µs, 99 %"])
            parts.append(text)
        return "\n\n".join(part for part in parts if part)

    def matrix(self, pin, jobs, column, heads, corner):
        """Gateways down, jobs across, one figure; ratio to direct behind."""
        tables = {job: cells(self.raw, pin, job) for job in jobs}
        tables = {job: table_of for job, table_of in tables.items()
                  if table_of}
        names = list(dict.fromkeys(
            name for table_of in tables.values() for name in table_of))
        rows = []
        for name in names:
            row = [self.title(name)]
            for table_of in tables.values():
                cell = table_of.get(name)
                row.append("–" if cell is None else
                           "faulty" if not cell.rounds else
                           figure(cell, column))
            rows.append(row)
        if not rows:
            return ""
        return table([corner] + [heads[jobs.index(job)] for job in tables],
                     rows)

    def bulk(self, pin):
        parts = []
        for kind in ("download", "upload", "both"):
            jobs = [f"{kind}-{sessions}" for sessions in (1, 4, 64, 512)]
            word = {"both": "both ways"}.get(kind, kind)
            heads = [f"{sessions} sessions".replace("1 sessions", "1 session")
                     for sessions in (1, 4, 64, 512)]
            for column, unit in (("speed", "MiB/s"),
                                 ("gateway_s_gib", "gateway CPU-s/GiB")):
                parts.append(self.matrix(pin, jobs, column, heads,
                                         f"{word}, {unit}"))
        return "\n\n".join(part for part in parts if part)

    def pingpong(self, pin):
        parts = []
        for size, word in ((64, "64 octets"), (1024, "1 KiB")):
            jobs = [f"pingpong-{size}-{n}" for n in (1, 16, 256)]
            heads = ["1 session", "16 sessions", "256 sessions"]
            for column, unit in (("speed", "round trips a second"),
                                 ("trip_us", "median µs"),
                                 ("gateway_us", "gateway µs each")):
                parts.append(self.matrix(pin, jobs, column, heads,
                                         f"{word}, {unit}"))
        return "\n\n".join(part for part in parts if part)

    def held_rows(self, pin, job):
        table_of = cells(self.raw, pin, job)
        direct = table_of.get("direct")
        for name, cell in table_of.items():
            if name == "direct":
                continue
            if not cell.rounds:
                yield [self.title(name), "faulty"] + ["–"] * 6
                continue
            kernel = cell.added("kernel", direct) if direct else None
            yield [self.title(name), str(cell.sessions),
                   figure(cell, "user"), number(kernel),
                   figure(cell, "descriptors"), figure(cell, "quiet"),
                   figure(cell, "beside_us"),
                   times(cell.ratio("beside_us", cell, "alone_us"))]

    def idle(self, pin):
        jobs = [job for job in figures.jobs_of(self.raw, pin)
                if job.startswith("idle-")]
        if not jobs:
            return ""
        most = max(jobs, key=held_by)
        rows = list(self.held_rows(pin, most))
        if not rows:
            return ""
        return table(
            ["sessions held", "how many", "user octets each",
             "kernel octets each", "descriptors each", "CPU while held",
             "gateway µs a connection beside", "× without"], rows)

    def unfinished(self, pin):
        for job in figures.jobs_of(self.raw, pin):
            if job.startswith("unfinished-"):
                return self.matrix_of_one(pin, job)
        return ""

    def matrix_of_one(self, pin, job):
        rows = [[self.title(name), figure(cell, "user"),
                 figure(cell, "descriptors")]
                if cell.rounds else [self.title(name), "faulty", "–"]
                for name, cell in cells(self.raw, pin, job).items()]
        count = job.rpartition("-")[2]
        return table([f"unfinished requests, {count} held",
                      "user octets each", "descriptors each"], rows)

    def workers(self, pin):
        """Several workers beside the load; ratios to one that is as free."""
        names = ("socks4d-free-1", "socks4d-free-2", "socks4d-free-auto")
        rows = []
        for job, unit in (("rate-64", "a second"), ("rate-1", "a second"),
                          ("download-64", "MiB/s")):
            table_of = cells(self.raw, pin, job)
            for name in names:
                if name not in table_of or names[0] not in table_of:
                    continue
                cell = table_of[name]
                rows.append([job, self.title(name),
                             f"{figure(cell, 'speed')} {unit}",
                             times(cell.ratio("speed", table_of[names[0]]))])
        if not rows:
            return ""
        return table(["job", "gateway", "median", "× one worker"], rows)

    def bind(self, pin):
        return self.job_table(
            pin, "bind-16", ["speed", "gateway_us", "setup_us"],
            ["BIND, 16 at once", "a second", "gateway µs each",
             "to the second reply, median µs"])

    # Charts: name of the file, then what is drawn; None where no data are.

    def charts(self):
        drawn = {"held": self.held_chart(), "rules": self.rules_chart(),
                 "bulk": self.bulk_chart()}
        return {name: chart for name, chart in drawn.items() if chart}

    def held_chart(self):
        """Gateway CPU a connection, beside sessions held."""
        jobs = sorted((job for job in figures.jobs_of(self.raw, "one")
                       if job.startswith("idle-")), key=held_by)
        found = [cells(self.raw, "one", job).get("socks4d") for job in jobs]
        if len(jobs) < 2 or None in found:
            return None
        return Chart(
            "What a connection costs beside sessions held",
            "sessions held", "gateway µs a connection",
            [str(held_by(job)) for job in jobs],
            [("beside them", [cell.median("beside_us") for cell in found]),
             ("before them", [cell.median("alone_us") for cell in found])])

    def rules_chart(self):
        """Gateway CPU a connection, behind rules that do not match."""
        table_of = cells(self.raw, "one", "rate-64")
        with_rules = {name: cell for name, cell in table_of.items()
                      if name.endswith("-rules")}
        if "socks4d" not in table_of or len(with_rules) < 2:
            return None
        found = [table_of["socks4d"], *with_rules.values()]
        return Chart(
            "What a connection costs behind rules that do not match",
            "rules", "gateway µs a connection",
            ["0"] + [name.split("-")[1] for name in with_rules],
            [("socks4d", [cell.median("gateway_us") for cell in found])])

    def bulk_chart(self):
        """Throughput against sessions."""
        counts = (1, 4, 64, 512)
        tables = [cells(self.raw, "one", f"download-{n}") for n in counts]
        if not all(tables):
            return None
        names = [name for name in tables[0] if name != "socks4d-copy"]
        return Chart(
            "Download, everything on one processor", "sessions", "MiB/s",
            counts,
            [(self.title(name).strip("*").replace("`", ""),
              [table_of[name].median("speed") if name in table_of else None
               for table_of in tables]) for name in names])

    def growth(self):
        shown = picture_lines(self.drawn, [name for name in self.drawn
                                           if name not in LEADING])
        return "## Growth\n\n" + shown if shown else ""

    def faults(self):
        found = {}
        for one in self.raw:
            for fault in one["faults"]:
                key = (one["gateway"], one["pin"], one["job"], fault)
                found.setdefault(key[:3], []).append(fault)
        if not found:
            return "No run was faulty."
        rows = [[self.title(name), f"{pin} {job}", str(len(words)),
                 words[0].replace("|", " ")]
                for (name, pin, job), words in found.items()]
        return table(["whose", "job", "faults", "the first"], rows)

    def beginning(self):
        return "\n\n".join((
            "# Benchmarks",
            f"`bench/table` made this page from `{self.path}` and the other "
            "files that it names; do not edit it.",
            self.lead, picture_lines(self.drawn, LEADING)))

    def head(self):
        about = self.about
        versions = ", ".join(f"{name} {version}" for name, version
                             in about["versions"].items())
        return (
            "## How it was measured\n\n"
            f"The tables below that name no other file were measured on "
            f"{about['date']}, commit {about['commit']}, Linux "
            f"{about['kernel']}, {about['processors']} processors "
            f"({about['processor']}, virtual), {runs_of(about)}. The "
            "figures are medians, with their spread in brackets: how far apart the middle half "
            "of the rounds is, as a share of the median. A ratio (×) is the "
            "median of the ratios of each round. Other processes used "
            f"{about['others_share']:.0%} of the processors' time and other "
            f"machines {about['stolen_share']:.0%}. If these shares are "
            "large, the figures in processor time are still right, but those "
            f"by the clock are not.\n\nPeers: {versions}.\n\n"
            "Figures of another machine differ; compare the ratios within one "
            "run. A session through a gateway is two TCP connections, so no "
            "gateway can make more than half as many connections a second as "
            "there are without one (direct).\n\n"
            "TLS, parents, CONNECT and datagrams by SOCKS5 have parts of "
            "their own below; what `control` and `observe` cost is in "
            "[tuning.md](tuning.md#looking-at-it).")

    def pin_part(self, pin):
        sections = [
            ("Connections", self.rates(pin)),
            ("Round trips", self.pingpong(pin)),
            ("Bulk", self.bulk(pin)),
            ("Several workers", self.workers(pin)),
            ("Sessions that wait", "\n\n".join(
                part for part in (self.idle(pin), self.unfinished(pin))
                if part)),
            ("BIND", self.bind(pin)),
            ("Datagrams", datagrams_part.tables(self, pin)),
        ]
        parts = [f"### {name}\n\n{text}" for name, text in sections if text]
        if not parts:
            return ""
        return f"## {PINS[pin]} (`{pin}`)\n\n" + "\n\n".join(parts)

    def reach(self):
        rows = reach_rows(self)
        return ("## To reach\n\nThe spread of what these are made of is in "
                "the tables below.\n\n" + table(
                    ["figure", "reach", "measured", ""], rows))

    def render(self):
        with open(os.path.join(HERE, "method.md"), encoding="utf-8") as file:
            method = file.read().strip()
        parts = [self.beginning(), self.head(), self.reach(),
                 self.pin_part("one"), self.pin_part("split"), *self.more,
                 self.growth(), "## Faults\n\n" + self.faults(), method]
        return "\n\n".join(part for part in parts if part) + "\n"


# In the order in which they stand in the page.
PARTS = (names_part, capacity_part, tls_part, parents_part, socks5_part,
         datagrams_part)


def render(rounds):
    """The page and its plots, text by file name below docs/. `rounds`: paths
    and what is in them; the first is the run that the page is about."""
    page, *others = [Page(*one) for one in rounds]
    others.sort(key=lambda other: other.path)
    page.lead, peers = lead.of([page, *others])
    charts = {"peers": peers, **page.charts()}
    for part in PARTS:
        for other in others:
            if part.is_of(other.about):
                page.more.append(part.part(other))
    for other in others:
        if capacity_part.is_of(other.about):
            charts["capacity"] = capacity_part.chart(other.about["capacity"])
    page.drawn = {name: chart for name, chart in charts.items() if chart}
    files = {"benchmarks.md": page.render()}
    for name, chart in page.drawn.items():
        files[f"plots/{name}.svg"] = chart.svg()
    return files
