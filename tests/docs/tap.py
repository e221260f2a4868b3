"""What the tests of the documents share: the tree, the binary, TAP."""
import os
import pathlib
import re
import subprocess
import sys
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
WAIT = 60  # s; of every wait
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def binary():
    """The gateway under test: the first argument, or the usual build."""
    default = ROOT / "build/gateway/socks4d"
    path = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else default)
    assert os.path.exists(path), f"{path} is not there: ./check build makes it"
    return path


def read(path):
    return (ROOT / path).read_text()


def run(argv, **options):
    """(exit status, what it wrote)"""
    done = subprocess.run([str(word) for word in argv], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=WAIT,
                          **{"stdin": subprocess.DEVNULL} | options)
    return done.returncode, done.stdout


def fences(text, kind):
    """The fenced blocks of that kind in a page of markdown."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.M | re.S)


def tests(*functions):
    """Runs them and says how they went."""
    failed = 0
    print(f"1..{len(functions)}")
    for number, test in enumerate(functions, 1):
        try:
            test()
            print(f"ok {number} {test.__name__}", flush=True)
        except Exception as fault:
            failed += 1
            print(f"not ok {number} {test.__name__}")
            text = str(fault) or "".join(traceback.format_exception(fault))
            print("# " + text.replace("\n", "\n# "), flush=True)
    sys.exit(1 if failed else 0)
