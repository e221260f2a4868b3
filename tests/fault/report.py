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


def about(rows, seconds, load, measured):
    """What a reader must know to believe the figures."""
    import gates
    peers = sorted({peer for row in rows for peer in row.peers})
    return {
        "date": datetime.date.today().isoformat(),
        "commit": measured or commit(),
        "kernel": platform.release(),
        "processor": processor(),
        "processors": len(os.sched_getaffinity(0)),
        "workers": gates.WORKERS,
        "seconds": round(seconds),
        "load": load,
        "peers": {peer: gates.peer_version(peer) for peer in peers},
        "rows": [{"row": row.name, "fault": row.fault, "unit": row.unit}
                 for row in rows],
    }


def write(rows, outcomes, seconds, load, measured=None):
    """The raw data of a run, and the page."""
    raw = {**about(rows, seconds, load, measured),
           "raw": [outcome.raw() for outcome in outcomes]}
    path = RESULTS / f"{raw['date']}.json"
    RESULTS.mkdir(exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        json.dump({**raw, "raw": None}, file, indent=1)
        file.seek(file.tell() - len("null\n}"))
        file.write("[\n" + ",\n".join(map(json.dumps, raw["raw"])) + "\n]}\n")
    PAGE.write_text(render(path.relative_to(ROOT), load_raw(path)))
    return path


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
    return "**not met**: " + "; ".join(
        missed + [fault[:200].replace("|", " ").replace("\n", " ")
                  for fault in one["faults"]])


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
    return (
        "# Reliability\n\n"
        f"Made by `tests/fault/run --report` of `{path}`; not to be edited."
        f"\n\nMeasured on {raw['date']}, commit {raw['commit']}, Linux "
        f"{raw['kernel']}, {raw['processors']} processors "
        f"({raw['processor']}, virtual), {raw['workers']} workers, in "
        f"{raw['seconds'] // 60} min {raw['seconds'] % 60} s. Load of the "
        f"machine by others: {raw['load']}. Peers: {peers}.\n\n"
        f"{sum(map(is_met, ours))} of {len(ours)} rows met.")


def render(path, raw):
    method = (HERE / "method.md").read_text().strip()
    return "\n\n".join([
        head(path, raw), "## Faults under load\n\n" + summary(raw),
        "## Peers under the same faults\n\nA peer was given the same fault by "
        "the same code. It was not built for our limits; where it misses one "
        "that is a fact about it, no judgement.\n\n" + beside(raw),
        "## Notes of the run\n\n" + notes(raw), method]) + "\n"
