"""Plain charts as SVG: lines, of few series over few points with x in equal
steps; and bars.

The same data give the same octets, so that a test can compare.
"""

from xml.sax.saxutils import escape

from page_text import number

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 200, 40, 50
# Told apart by everybody, also in grey (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
           "#000000")


def round_up(value):
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(step * power for step in (1, 2, 2.5, 5, 10)
                if step * power >= value * 0.999)


class Chart:
    def __init__(self, title, x_title, y_title, ticks, series):
        """series: [(name, [value or None, one for each tick])]"""
        self.titles = title, x_title, y_title
        self.ticks = ticks
        self.series = series
        self.top = round_up(max(value for _, values in series
                                for value in values if value is not None))

    def x(self, index):
        inner = WIDTH - LEFT - RIGHT
        return LEFT + inner * index / max(len(self.ticks) - 1, 1)

    def y(self, value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.top

    def frame(self):
        title, x_title, y_title = map(escape, self.titles)
        yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
               f'height="{HEIGHT}" font-family="sans-serif" font-size="13">')
        yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
        yield f'<text x="{LEFT}" y="22" font-size="15">{title}</text>'
        yield (f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" '
               f'y="{HEIGHT - 12}" text-anchor="middle">{x_title}</text>')
        yield (f'<text x="16" y="{HEIGHT / 2:.0f}" text-anchor="middle" '
               f'transform="rotate(-90 16 {HEIGHT / 2:.0f})">{y_title}</text>')

    def axes(self):
        for part in range(5):
            value = self.top * part / 4
            y = self.y(value)
            yield (f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" '
                   f'y2="{y:.1f}" stroke="#ccc"/>')
            yield (f'<text x="{LEFT - 6}" y="{y + 4:.1f}" '
                   f'text-anchor="end">{value:g}</text>')
        for index, tick in enumerate(self.ticks):
            yield (f'<text x="{self.x(index):.1f}" y="{HEIGHT - BOTTOM + 18}" '
                   f'text-anchor="middle">{escape(str(tick))}</text>')

    def line(self, place, name, values):
        colour = COLOURS[place % len(COLOURS)]
        points = [(self.x(index), self.y(value))
                  for index, value in enumerate(values) if value is not None]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        yield (f'<polyline points="{path}" fill="none" stroke="{colour}" '
               'stroke-width="2"/>')
        for x, y in points:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
        y = TOP + 10 + 20 * place
        x = WIDTH - RIGHT + 16
        yield (f'<line x1="{x}" x2="{x + 20}" y1="{y}" y2="{y}" '
               f'stroke="{colour}" stroke-width="2"/>')
        yield f'<text x="{x + 26}" y="{y + 4}">{escape(name)}</text>'

    def svg(self):
        lines = [*self.frame(), *self.axes()]
        for place, (name, values) in enumerate(self.series):
            lines += self.line(place, name, values)
        return "\n".join([*lines, "</svg>"]) + "\n"


class Bars:
    """One bar a row, from left to right, with its least and greatest value."""

    left, step = 260, 26

    def __init__(self, title, x_title, rows):
        """rows: [(name, value, least, greatest)]"""
        self.titles = title, x_title
        self.rows = rows
        self.top = round_up(max(greatest for *_, greatest in rows))
        self.height = TOP + BOTTOM + self.step * len(rows)

    def x(self, value):
        return self.left + (WIDTH - self.left - 70) * value / self.top

    def row(self, place, name, value, least, greatest):
        y = TOP + self.step * place
        middle = y + self.step / 2
        colour = COLOURS[1 if name.startswith("socks4d") else 0]
        yield (f'<text x="{self.left - 8}" y="{middle + 4:.1f}" '
               f'text-anchor="end">{escape(name)}</text>')
        yield (f'<rect x="{self.left}" y="{y + 4}" '
               f'width="{self.x(value) - self.left:.1f}" '
               f'height="{self.step - 8}" fill="{colour}"/>')
        yield (f'<line x1="{self.x(least):.1f}" x2="{self.x(greatest):.1f}" '
               f'y1="{middle:.1f}" y2="{middle:.1f}" stroke="black"/>')
        yield (f'<text x="{self.x(max(value, greatest)) + 6:.1f}" '
               f'y="{middle + 4:.1f}">{number(value)}</text>')

    def svg(self):
        title, x_title = map(escape, self.titles)
        lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
                 f'height="{self.height}" font-family="sans-serif" '
                 'font-size="13">',
                 f'<rect width="{WIDTH}" height="{self.height}" fill="white"/>',
                 f'<text x="{self.left}" y="22" font-size="15">{title}</text>',
                 f'<text x="{self.left}" y="{self.height - 18}">{x_title}'
                 '</text>']
        for place, row in enumerate(self.rows):
            lines += self.row(place, *row)
        return "\n".join([*lines, "</svg>"]) + "\n"
