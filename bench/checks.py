#!/usr/bin/python3
"""The bench's own accounts: processor time of a tree, medians, ratios."""

import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True

import capacity_part  # noqa: E402
import figures  # noqa: E402
import kernel  # noqa: E402
import lead  # noqa: E402
import page  # noqa: E402
import parents_part  # noqa: E402
import plot  # noqa: E402

BURN = ("import time\n"
        "while time.process_time() < {}: pass\n")


class ProcessorTime(unittest.TestCase):
    def tree_of(self, code):
        child = subprocess.Popen([sys.executable, "-c", code],
                                 stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        self.addCleanup(child.wait)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stdin.close)
        self.assertEqual(child.stdout.readline(), b"done\n")
        return kernel.tree([child.pid], "NONE=1")

    def test_counts_threads_and_children_that_have_ended(self):
        pids = self.tree_of(
            "import subprocess, sys, threading, time\n"
            "def burn():\n"
            "    while time.thread_time() < .15: pass\n"
            "thread = threading.Thread(target=burn)\n"
            "thread.start(); thread.join()\n"
            f"subprocess.run([sys.executable, '-c', {BURN.format(.2)!r}])\n"
            "print('done', flush=True); sys.stdin.read()\n")
        self.assertEqual(len(pids), 1)
        seconds = kernel.cpu_seconds(pids)
        # The interpreter starts twice besides.
        self.assertGreater(seconds, .33)
        self.assertLess(seconds, 1.5)

    def test_counts_children_that_live(self):
        pids = self.tree_of(
            "import subprocess, sys\n"
            f"code = {BURN.format(.2)!r} + 'print(1, flush=True)\\n'\n"
            "code += 'import sys; sys.stdin.read()'\n"
            "child = subprocess.Popen([sys.executable, '-c', code],\n"
            "    stdout=subprocess.PIPE)\n"
            "child.stdout.readline()\n"
            "print('done', flush=True); sys.stdin.read()\n")
        self.assertEqual(len(pids), 2)
        self.assertGreater(kernel.cpu_seconds(pids), .2)

    def test_finds_an_orphan_by_its_mark(self):
        self.assertTrue(kernel.marked(os.getpid(),
                                      f"PATH={os.environ['PATH']}"))
        self.assertFalse(kernel.marked(os.getpid(), "BENCH_GATEWAY=nobody"))


def rounds(values, faulty=()):
    return [{"job": "rate-64", "round": number, "count": value, "seconds": 1,
             "gateway_cpu_s": .5, "server_cpu_s": .2, "cpu_s": .3,
             "faults": ["broken"] if number in faulty else []}
            for number, value in enumerate(values)]


class Figures(unittest.TestCase):
    def test_takes_ratios_within_a_round(self):
        # The machine was twice as slow in the second round, for both.
        mine = figures.Cell(rounds([50, 25, 50]))
        direct = figures.Cell(rounds([100, 50, 100]))
        self.assertEqual(mine.ratio("speed", direct), .5)
        self.assertEqual(mine.median("speed"), 50)
        self.assertEqual(mine.spread("speed"), .25)  # 37.5 to 50 of 50

    def test_leaves_faulty_rounds_out_of_both_sides(self):
        mine = figures.Cell(rounds([10, 50, 50], faulty=[0]))
        direct = figures.Cell(rounds([100, 7, 100], faulty=[1]))
        self.assertEqual(mine.ratio("speed", direct), .5)
        self.assertEqual(mine.faults, ["broken"])

    def test_has_no_figure_where_all_is_faulty(self):
        cell = figures.Cell(rounds([10], faulty=[0]))
        self.assertIsNone(cell.median("speed"))
        self.assertIsNone(cell.spread("speed"))

    def test_counts_both_ways_twice(self):
        one = {"job": "both-4", "octets": figures.GIB, "seconds": 2,
               "gateway_cpu_s": 1, "server_cpu_s": 0, "cpu_s": 0}
        self.assertEqual(figures.bulk_figures(one)["gateway_s_gib"], .5)
        self.assertEqual(figures.bulk_figures(one)["speed"], 1024)


class Capacity(unittest.TestCase):
    def row(self, faults):
        run = {"count": 10, "seconds": 1, "gateway_cpu_s": 1e-3,
               "server_cpu_s": 0, "cpu_s": 0}
        return {"kind": "idle", "sessions": 50, "user": 389, "kernel": 6070,
                "descriptors": 2, "quiet_cpu_share": 0, "alone": run,
                "beside": dict(run, gateway_cpu_s=2e-3), "faults": faults}

    def test_says_what_a_connection_costs_beside(self):
        self.assertEqual(capacity_part.row_of(self.row([]))[-3:],
                         ["100", "200", "2.00"])

    def test_gives_no_figure_of_a_faulty_row(self):
        row = self.row(["left"])
        self.assertEqual(capacity_part.row_of(row)[2:],
                         ["faulty"] + ["–"] * 6)
        self.assertEqual(capacity_part.faults([row]),
                         "* relaying, idle, 50: left")
        self.assertIsNone(capacity_part.chart([row, row]))


class Parents(unittest.TestCase):
    def part(self):
        setup = {"socks4d": [40, 80], "socks4d-parent": [70, 140]}
        return parents_part.Part({"raw": [
            {**one, "pin": "one", "job": "rate-1", "gateway": name,
             "setup_us": {"p50": value}}
            for name, values in setup.items()
            for one, value in zip(rounds([1, 1]), values)]})

    def test_takes_what_a_parent_adds_within_a_round(self):
        self.assertEqual(self.part().added_setup(), .75)

    def test_leaves_open_what_was_not_measured(self):
        self.assertEqual([value for _, _, value in self.part().reach()],
                         [.75, None, None, None])
        self.assertEqual(parents_part.judged("x", 1, None)[-1],
                         "not measured")


class Datagrams(unittest.TestCase):
    def test_counts_a_round_trip_twice(self):
        one = dict(rounds([50])[0], job="udp-64-16", lost=3)
        found = figures.figures_of(one)
        self.assertEqual(found["speed"], 100)
        self.assertEqual(found["gateway_us"], 5000)
        self.assertEqual(found["lost"], 3)


class Lead(unittest.TestCase):
    def page(self, others_share, **counts):
        counts = {"direct": [100], "floor4": [50], "socks4d": [40],
                  "dante": [10], **counts}
        return page.Page(f"{others_share}", {
            "date": "today", "commit": "this", "others_share": others_share,
            "titles": {name: name for name in counts}, "ours": ["socks4d"],
            "raw": [{**one, "pin": "one", "gateway": name}
                    for name, values in counts.items()
                    for one in rounds(values)]})

    def test_says_who_is_ahead(self):
        text = lead.connections(self.page(0, hpsockd=[20]))
        self.assertIn("2.00 times those of hpsockd", text)
        text = lead.connections(self.page(0, hpsockd=[50]))
        self.assertIn("fewer than those of hpsockd", text)
        self.assertIn("1.25 times ours", text)

    def test_takes_the_quietest_rounds_that_have_the_figure(self):
        quiet = self.page(.01)
        quiet.raw = [one for one in quiet.raw if one["gateway"] != "dante"]
        text, chart = lead.of([self.page(.5), self.page(.2), quiet])
        self.assertIn("Sentences 1 from `0.2`", text)
        self.assertEqual([row[0] for row in chart.rows],
                         ["direct", "floor4", "socks4d", "dante"])


class Plots(unittest.TestCase):
    def test_ends_the_axis_at_a_round_figure(self):
        for value, top in ((.7, 1), (1, 1), (99, 100), (101, 200),
                           (2100, 2500), (3, 5)):
            self.assertAlmostEqual(plot.round_up(value), top)


if __name__ == "__main__":
    unittest.main()
