"""The part of docs/benchmarks.md on TLS, of what bench/tls-run measured."""
import statistics

import figures
from page_text import number, table, times, with_spread

WITHOUT = "socks4d, without TLS"
OURS = "socks4d"
CERTIFICATE = ", client certificate"
PEER = "HAProxy + socks4d"


# Of the gateway's processes under the loads of this part, in per cent, from
# `perf record -e cpu-clock`; and of system calls, from `strace -c`.
PROFILE = """\
What misses its figure is the kernel's, by a profile (`perf`) of the gateway's
processes: of a connection OpenSSL and the memory it asks for have 59 %, the
kernel 37 % and our own code 4 %; of a download OpenSSL has 41 %, the kernel
56 %, our own code 2 %; of an upload 37, 61 and 2 %. The floor of a connection
sends nothing for its handshake. A session without TLS makes 18 system calls,
three of them sends; one with TLS makes 29, seven of them sends (its handshake,
a question to the signer, the tickets, the end), and the signer two more. Of
bulk a record of 16 KiB is read and written by copying where plain sessions
splice.""".replace("\n", " ")


class Rounds:
    def __init__(self, rounds):
        self.rounds = rounds
        self.names = [name for name in rounds[0] if name != "floor"]

    def values(self, *path):
        found = []
        for row in self.rounds:
            for key in path:
                row = row[key]
            found.append(row)
        return found

    def median(self, *path):
        return statistics.median(self.values(*path))

    def figure(self, *path):
        return with_spread(self.median(*path),
                           figures.spread(self.values(*path)))

    def floor(self, name):
        """What OpenSSL and a session without TLS take for one with TLS."""
        own = CERTIFICATE if name.endswith(CERTIFICATE) else ""
        return (self.median("floor", "handshake_us" + own)
                + self.median(WITHOUT, "us"))

    def share(self, name):
        return self.floor(name) / self.median(name, "us")

    def row(self, name):
        plain = name == WITHOUT
        return [name, self.figure(name, "rate"), self.figure(name, "us"),
                "–" if plain else times(self.share(name)),
                self.figure(name, "download"), self.figure(name, "upload"),
                self.rounds[0][name]["cipher"]]

    def reach(self):
        seal = self.median("floor", "seal_cpu_s_gib")
        for name in (OURS, OURS + CERTIFICATE):
            yield (f"{name}: floor ÷ CPU of a connection", 0.85, True,
                   self.share(name))
        yield ("connections/s ÷ stunnel's", 2, True,
               self.median(OURS, "rate")
               / self.median("stunnel + Dante", "rate"))
        for way in ("download", "upload"):
            ours = self.median(OURS, way)
            yield f"{way}, CPU ÷ sealing alone", 1.2, False, ours / seal
            yield (f"{way}, CPU ÷ HAProxy's", 0.8, False,
                   ours / self.median(PEER, way))


def judged(what, limit, is_least, value):
    met = value >= limit if is_least else value <= limit
    return [what, f"at {'least' if is_least else 'most'} {number(limit)}",
            times(value), "met" if met else "**missed**"]


def tables(raw):
    rounds = Rounds(raw["tls"])
    alone, known, seal = (rounds.figure("floor", name) for name in (
        "handshake_us", "handshake_us" + CERTIFICATE, "seal_cpu_s_gib"))
    floor = ("OpenSSL alone takes, in µs, for the server's side of a "
             f"handshake {alone}, with a client certificate {known}, and in "
             f"seconds for sealing a GiB {seal}.")
    return "\n\n".join((
        table(["figure", "reach", "measured", ""],
              [judged(*figure) for figure in rounds.reach()]),
        floor,
        table(["a full handshake each, 8 at once", "connections/s",
               "CPU µs each", "floor ÷ that", "download, CPU-s/GiB",
               "upload, CPU-s/GiB", "cipher"],
              [rounds.row(name) for name in rounds.names])))


def is_of(raw):
    return "tls" in raw


def part(page):
    raw = page.about
    return "\n\n".join((
        "## TLS",
        f"Made from `{page.path}` of `bench/tls-run`: measured on "
        f"{raw['date']}, commit {raw['commit']}, {len(raw['tls'])} rounds, "
        "interleaved, medians; everything on one processor, with a load of "
        f"{raw['load']:.0f} on {raw['processors']} processors. The processor "
        "time is that of the process that does the TLS, and of its children: "
        "our signer's is in it, a SOCKS server behind a peer is not. The "
        "floor of a connection is what OpenSSL as it comes takes for the "
        "server's side of the handshake, over memory, and a session without "
        "TLS. Each server has its own default cipher.",
        tables(raw),
        PROFILE))
