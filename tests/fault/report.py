"""Raw data of a full run, and docs/reliability-report.md made of it."""
import datetime
import json
import os
import pathlib
import platform
import subprocess

from row import Figure, number

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs/reliability-report.md"
RESULTS = HERE / "results"


def commit():
    git = ["git", "-c", "safe.directory=*"]

    def output(*words):
        return subprocess.run([*git, *words], cwd=ROOT, text=True,
                              capture_output=True, check=False).stdout.strip()
    dirty = output("status", "--porcelain", "--untracked-files=no")
    name = output("rev-parse", "--short=12", "HEAD") or "unknown"
    return name + ("+" if dirty else "")


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def about(rows):
    """What a reader must know to believe the figures."""
    import gates
    peers = sorted({peer for row in rows for peer in row.peers})
    return {
        "date": datetime.date.today().isoformat(),
        "kernel": platform.release(),
        "processor": processor(),
        "processors": len(os.sched_getaffinity(0)),
        "workers": gates.WORKERS,
        "peers": {peer: gates.peer_version(peer) for peer in peers},
        "rows": [{"row": row.name, "fault": row.fault, "unit": row.unit}
                 for row in rows],
    }


class Report:
    """Raw data of the newest day, an outcome at a time: what is measured
    again takes the place of what was there. Then the page."""

    def __init__(self, rows, measured=None):
        self.order = [row.name for row in rows]
        self.commit = measured or commit()
        RESULTS.mkdir(exist_ok=True)
        kept = sorted(RESULTS.glob("*.json"))
        self.raw = load_raw(kept[-1])["raw"] if kept else []
        self.about = about(rows)
        self.path = RESULTS / f"{self.about['date']}.json"
        for old in kept:
            if old != self.path:
                old.unlink()

    def add(self, outcome, others):
        one = {**outcome.raw(), "commit": self.commit,
               "others": round(others, 2)}
        key = one["row"], one["gateway"]
        self.raw = [old for old in self.raw
                    if (old["row"], old["gateway"]) != key
                    and old["row"] in self.order] + [one]
        self.raw.sort(key=lambda one: self.order.index(one["row"]))
        self.write()

    def write(self):
        text = json.dumps({**self.about, "raw": []}, indent=1)
        lines = ",\n".join(map(json.dumps, self.raw))
        self.path.write_text(
            text.removesuffix("[]\n}") + f"[\n{lines}\n]}}\n")
        page = self.path.relative_to(ROOT)
        PAGE.write_text(render(page, load_raw(page)))


def load_raw(path):
    with open(ROOT / path, encoding="ascii") as file:
        return json.load(file)


# The page


def table(heads, lines):
    rule = "|" + " --- |" * len(heads)
    rows = ["| " + " | ".join(line) + " |" for line in [heads, *lines]]
    return "\n".join([rows[0], rule, *rows[1:]])


def figures_of(one):
    return [Figure(**{key: figure[key] for key in
                      ("what", "value", "unit", "most", "least")})
            for figure in one["figures"]]


def is_met(one):
    return not one["faults"] and all(
        figure.met() for figure in figures_of(one))


def verdict(one):
    if is_met(one):
        return "met"
    missed = [figure.what for figure in figures_of(one) if not figure.met()]
    words = missed + [fault[:200].replace("|", " ").replace("\n", " ")
                      for fault in one["faults"]]
    return (f"**not met**: {'; '.join(words)} (others had "
            f"{one['others']:.0%} of the processors' time)")


def cell(figure):
    return f"{figure.what} {number(figure.value)} {figure.unit}".strip()


def summary(raw):
    """A line a row: ours."""
    faults = {row["row"]: row for row in raw["rows"]}
    lines = []
    for one in raw["raw"]:
        if one["gateway"] != "socks4d":
            continue
        row = faults[one["row"]]
        lines.append([row["fault"],
                      f"{number(one['count'])} {row['unit']}",
                      "<br>".join(figure.words()
                                  for figure in figures_of(one)),
                      verdict(one)])
    return table(["fault", "count", "measured (limit)", ""], lines)


def beside(raw):
    """Peers under the same faults; only what can be compared."""
    faults = {row["row"]: row["fault"] for row in raw["rows"]}
    names = ["socks4d", *raw["peers"]]
    sections = []
    for row, fault in faults.items():
        ones = {one["gateway"]: one for one in raw["raw"]
                if one["row"] == row}
        if len(ones) > 1:
            sections.append(f"### {fault}\n\n" + comparison(ones, names))
    return "\n\n".join(sections)


def comparison(ones, names):
    present = [name for name in names if name in ones]
    values = {name: {figure.what: figure for figure in figures_of(ones[name])}
              for name in present}
    first = list(values["socks4d"].values())
    # Figures that only we are asked for are no comparison.
    first = [figure for figure in first
             if any(figure.what in values[name] for name in present[1:])]
    lines = [["count", "–"] + [number(ones[name]["count"])
                               for name in present]]
    lines += [[figure.what, figure.limit() or "–"] +
             [value_of(values[name].get(figure.what)) for name in present]
             for figure in first]
    broke = [f"{name}: {fault[:200]}" for name in present[1:]
             for fault in ones[name]["faults"]]
    text = table(["figure", "limit", *present], lines)
    return "\n\n".join(filter(None, [text, *("* " + line.replace(
        "\n", " ").strip() for line in broke)]))


def value_of(figure):
    if figure is None:
        return "–"
    return f"{number(figure.value)} {figure.unit}".strip()


def notes(raw):
    lines = [f"* {one['row']}, {one['gateway']}: {note}"
             for one in raw["raw"] for note in one["notes"]]
    return "\n".join(lines) or "None."


def head(path, raw):
    peers = ", ".join(f"{name} {version}" for name, version
                      in raw["peers"].items())
    ours = [one for one in raw["raw"] if one["gateway"] == "socks4d"]
    commits = ", ".join(dict.fromkeys(one["commit"] for one in raw["raw"]))
    others = sorted(one["others"] for one in raw["raw"])
    seconds = round(sum(one["seconds"] for one in raw["raw"]))
    return (
        "# Reliability\n\n"
        f"`tests/fault/run --report` made this page from `{path}`; do not "
        "edit it."
        f"\n\nMeasured on {raw['date']}, commit {commits}, Linux "
        f"{raw['kernel']}, {raw['processors']} processors "
        f"({raw['processor']}, virtual), {raw['workers']} workers, in "
        f"{seconds // 60} min {seconds % 60} s. Other processes used "
        f"{others[0]:.0%} to {others[-1]:.0%} of the processors' time, in half "
        f"of the rows at least {others[len(others) // 2]:.0%}. Peers: "
        f"{peers}.\n\n{sum(map(is_met, ours))} of {len(ours)} rows met.")


def render(path, raw):
    method = (HERE / "method.md").read_text().strip()
    return "\n\n".join([
        head(path, raw), "## Faults under load\n\n" + summary(raw),
        "## Peers under the same faults\n\nThe same code put the same fault "
        "to each peer. A peer was not built for our limits: if it misses one, "
        "that is a fact and not a judgement.\n\n" + beside(raw),
        "## Notes of the run\n\n" + notes(raw), method]) + "\n"
