"""What a reader of docs/benchmarks.md takes away: five sentences, and a
picture of the gateway beside its peers. Each is made of the quietest rounds that have
its figures."""

from figures import cells
from page_text import number, share, times
from plot import Bars
from reach import Reach, SOCKS_PEERS


def name_of(page, gateway):
    return page.title(gateway).replace("*", "").replace("`", "")


def spread(cell, column):
    return f"(spread {share(cell.spread(column))})"


def beside(page, ratio, other):
    """`ratio`: ours to the other's, of which more is better."""
    name = f"{name_of(page, other)}, the best of the other SOCKS servers here"
    if ratio >= 1:
        return f"{times(ratio)} times those of {name}"
    return (f"fewer than those of {name}, which has {times(1 / ratio)} times "
            "ours")


def connections(page):
    r = Reach(page)
    best = r.best("one", "rate-64", "speed", True, SOCKS_PEERS)
    ours = r.cell("one", "rate-64", "socks4d")
    dante = r.ratio("one", "rate-64", "socks4d", "speed", "dante")
    if None in (best, ours, dante) or r.rate("floor4") is None:
        return None
    ratio = r.ratio("one", "rate-64", "socks4d", "speed", best)
    return (
        "**Connections**: one processor, which does the work of clients and "
        f"servers, too, opens and closes {number(ours.median('speed'))} "
        f"sessions a second {spread(ours, 'speed')}, with rules, limits and "
        f"a record for each: {times(r.rate('socks4d'))} of those without a "
        f"gateway (the floor has {times(r.rate('floor4'))}), "
        f"{beside(page, ratio, best)}, and {times(dante)} times those of "
        "Dante.")


def round_trips(page):
    r, job = Reach(page), "pingpong-64-16"
    best = r.best("one", job, "speed", True, SOCKS_PEERS)
    ours = r.cell("one", job, "socks4d")
    if None in (best, ours) or r.trips("floor4") is None:
        return None
    ratio = r.ratio("one", job, "socks4d", "speed", best)
    return (
        "**Round trips**: in 16 sessions it relays "
        f"{number(ours.median('speed'))} times a second "
        f"{spread(ours, 'speed')} 64 octets there and back, for "
        f"{number(ours.median('gateway_us'))} µs of the gateway's each: "
        f"{times(r.trips())} of those without a gateway (the floor has "
        f"{times(r.trips('floor4'))}), {beside(page, ratio, best)}.")


def bulk(page):
    r, job = Reach(page), "download-64"
    best = r.best("one", job, "gateway_s_gib", False, SOCKS_PEERS)
    ours = r.cell("one", job, "socks4d")
    if None in (best, ours):
        return None
    ratio = r.ratio("one", job, best, "gateway_s_gib", "socks4d")
    return (
        "**Bulk**: a GiB down in 64 sessions takes "
        f"{number(ours.median('gateway_s_gib'))} s "
        f"{spread(ours, 'gateway_s_gib')} of the gateway's processor time; "
        f"{name_of(page, best)}, the best of the other SOCKS servers here, "
        f"takes {times(ratio)} times that.")


def growth(page):
    r = Reach(page)
    ours = r.cell("one", r.held_job(), "socks4d")
    kernel = r.added(r.held_job(), "kernel")
    if None in (ours, kernel):
        return None
    return (
        f"**Sessions that wait**: each takes {number(ours.median('user'))} "
        f"octets {spread(ours, 'user')} of the gateway's memory, "
        f"{number(kernel)} of the kernel's, "
        f"{number(ours.median('descriptors'))} descriptors and "
        f"{share(ours.median('quiet'))} of a processor for all of them; "
        f"beside {ours.sessions} of them a connection costs "
        f"{times(r.held_cost())} times what it costs without.")


def rules(page):
    found = {name: cell
             for name, cell in cells(page.raw, "one", "rate-64").items()
             if name.endswith("-rules")}
    ours = cells(page.raw, "one", "rate-64").get("socks4d")
    if not found or not ours:
        return None
    most = max(found, key=lambda name: int(name.split("-")[1]))
    return (
        f"**Rules**: behind {most.split('-')[1]} rules that do not match a "
        f"connection costs {times(found[most].ratio('gateway_us', ours))} "
        "times what it costs behind none, and 1000 rules with records take "
        f"{share(max(Reach(page).price(), 0))} of the connections of a "
        "gateway with neither.")


SENTENCES = (connections, round_trips, bulk, growth, rules)


def picture(page):
    """Servers and the floor, by connections a second."""
    names = ("direct", "floor4", "socks4d", "socks4d-socks5",
             "socks4d-socks5-password", "haproxy", "dante-socks5-password",
             "microsocks-password", *SOCKS_PEERS)
    found = {name: cell for name, cell
             in cells(page.raw, "one", "rate-64").items()
             if name in names and cell.rounds}
    rows = [(name_of(page, name).partition(": a relay")[0],
             cell.median("speed"), min(cell.values("speed")),
             max(cell.values("speed"))) for name, cell in found.items()]
    return Bars("Connections a second, everything on one processor",
                "median; the line: from the least to the greatest of all "
                "rounds", sorted(rows, key=lambda row: -row[1]))


def of(pages):
    """The sentences, and the picture that belongs to the first."""
    pages = sorted((page for page in pages if page.raw),
                   key=lambda page: page.about["others_share"])
    lines, sources = [], {}
    for sentence in SENTENCES:
        for page in pages:
            text = sentence(page)
            if text:
                lines.append(f"{len(lines) + 1}. {text}")
                sources.setdefault(page, []).append(len(lines))
                break
    chart = next((picture(page) for page in sources if 1 in sources[page]),
                 None)
    said = "; ".join(
        f"{', '.join(map(str, places))} from `{page.path}` "
        f"({page.about['date']}, commit {page.about['commit']}, other "
        f"processes used {share(page.about['others_share'])} of the "
        "processors' time)" for page, places in sources.items())
    return "\n\n".join((
        "\n".join(lines),
        "The floor is a relay that takes the same requests and only relays "
        f"([Method](#method)). Sentences {said}.")), chart
