"""Figures and tables as they stand in a page."""


def number(value, digits=3):
    """Three figures that mean something, thousands set apart."""
    if value is None:
        return "–"
    if abs(value) >= 1000:
        step = 10 ** (len(str(int(abs(value)))) - digits)
        return f"{round(value / step) * step:,.0f}".replace(",", " ")
    if value and abs(value) < 0.01:
        return f"{value:.1g}"
    return f"{value:.{digits}g}"


def share(value):
    return "–" if value is None else f"{value:.0%}"


def times(value):
    return "–" if value is None else f"{value:.2f}"


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |",
             "| --- |" + " ---: |" * (len(heads) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def with_spread(value, spread):
    return number(value) + ("" if spread is None else f" ({share(spread)})")


def figure(cell, column):
    """The median, and its spread in brackets."""
    return with_spread(cell.median(column), cell.spread(column))


def runs_of(raw):
    """In words; some jobs may have had more rounds than others."""
    more = {}
    for run in raw["raw"]:
        if run["round"] >= raw["rounds"]:
            job = run["job"].rpartition("-")[0]
            where = f"{job} under `{run['pin']}`"
            more[where] = max(more.get(where, 0), run["round"] + 1)
    words = f"{raw['rounds']} rounds"
    kinds = ", ".join(f"{count} of {where}"
                      for where, count in sorted(more.items()))
    if more:
        words += f" ({kinds})"
    scheduling = raw.get("scheduling", "other").upper()
    return (f"{words} of about {raw['seconds']:g} s a run under "
            f"SCHED_{scheduling}")


def made_from(page):
    """Of rounds of their own, on one processor."""
    raw = page.about
    return (f"Made from `{page.path}`: measured on {raw['date']}, commit "
            f"{raw['commit']}, {runs_of(raw)}, interleaved, everything on one "
            "processor; other processes used "
            f"{raw['others_share']:.0%} of the processors' time.")
