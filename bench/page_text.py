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
