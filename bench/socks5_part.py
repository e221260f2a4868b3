"""The part of docs/benchmarks.md on CONNECT by SOCKS5, of rounds of their own
of bench/run."""

from figures import cells
from page_text import made_from, number, times

OURS, DANTE, MICROSOCKS = "socks4d-socks5", "dante-socks5", "microsocks"
NAMES = ("direct", "socks4d", OURS, OURS + "-password", "dante", DANTE,
         DANTE + "-password", MICROSOCKS, MICROSOCKS + "-password")
COLUMNS = ["speed", "gateway_us", "total_us", "setup_us", "trip_p99_us"]
HEADS = ["a second", "gateway µs each", "total µs each",
         "set-up µs, median", "whole µs, 99 %"]
JOBS = (("rate-64", "64 at once"), ("rate-1", "one after the other"))


def price(found, name, column="gateway_us"):
    """What a password adds."""
    return number(found[name + "-password"].added(column, found[name]))


def beside(found):
    """Ours to microsocks, both with a password."""
    return times(found[OURS + "-password"].ratio(
        "speed", found[MICROSOCKS + "-password"]))


def password(page):
    found, alone = (cells(page.raw, "one", job) for job, _ in JOBS)
    return (
        f"With 64 at once a password costs socks4d {price(found, OURS)} µs "
        f"of processor time for each connection, Dante {price(found, DANTE)} µs "
        f"and microsocks {price(found, MICROSOCKS)} µs, and it lengthens the "
        "set-up of one after the other by "
        f"{price(alone, OURS, 'setup_us')}, {price(alone, DANTE, 'setup_us')} "
        f"and {price(alone, MICROSOCKS, 'setup_us')} µs. Each pays for one "
        "more message and its answer. microsocks then compares plain text. "
        "Dante computes the hash (sha512crypt) for each session. socks4d asks "
        "its authenticator, a process of its own, so that no relay waits for "
        "a hash: the authenticator computes the hash the first time (here in "
        "the run that is not measured) and remembers for five minutes that "
        "this password was right. So what is left is the question to that "
        "process and its answer; its processor time is in the figures. Both "
        f"with a password, it has {beside(found)} times the connections of microsocks with 64 "
        f"at once, and {beside(alone)} times those of one after the other.")


def part(page):
    tables = [page.job_table("one", job, COLUMNS,
                             [f"connections, {words}", *HEADS], NAMES)
              for job, words in JOBS]
    return "\n\n".join((
        "## By SOCKS5",
        made_from(page) + " All gateways have the same user. **socks4d** "
        "and Dante without more words speak SOCKS4.",
        *tables, password(page)))


def is_of(raw):
    return {*NAMES} - {"dante"} <= {*raw.get("titles", ())}
