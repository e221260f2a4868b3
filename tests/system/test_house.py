"""The two scripts, their lists, and what HACKING.md says of them."""
import os
import re
import subprocess

from gateway import ROOT

SUPPORT = ROOT / "tests/support"
HACKING = (ROOT / "HACKING.md").read_text()


def listed(name):
    """[(package, its services)] of one of the lists."""
    lines = [line.partition("#")[0].split()
             for line in (SUPPORT / name).read_text().splitlines()]
    return [(words[0], words[1].split(",") if words[1:] else [])
            for words in lines if words]


def test_hacking_names_the_services_that_are_disabled():
    services = {service for _, services in listed("packages.check")
                for service in services}
    section = HACKING.partition("### Services")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z0-9]+(?:\.socket)?)`", section))
    assert named == services


def test_no_package_is_listed_twice():
    names = [package for name in ("packages.build", "packages.check")
             for package, _ in listed(name)]
    assert sorted(names) == sorted(set(names))


def test_hacking_describes_every_stage_of_check():
    stages = re.findall(r'^    "([a-z-]+) ', (ROOT / "check").read_text(), re.M)
    table = HACKING.partition("| stage |")[2].partition("\n\n")[0]
    described = [name for line in table.splitlines()[2:]
                 for name in line.split("|")[1].replace(" ", "").split(",")]
    assert described == stages


def build(tmp_path, *arguments):
    return subprocess.run(
        ["bash", "-c", f'here={tmp_path}; . {SUPPORT}/common.sh; log=$here/log;'
         ' build_tree "$here/build" "$log" "$@" || { cat "$log"; exit 1; }',
         "bash", *arguments], env=os.environ | {"CPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=120)


def test_what_was_installed_since_the_first_build_is_found(tmp_path):
    """As ./check finds, behind ./start, what it has installed itself."""
    (tmp_path / "meson_options.txt").write_text(
        "option('probes', type: 'feature', value: 'auto')\n")
    (tmp_path / "meson.build").write_text(
        "project('small', 'c')\nmeson.get_compiler('c').has_header("
        "'installed-since.h', required: get_option('probes'))\n")
    first = build(tmp_path)
    assert first.returncode == 0, first.stdout
    (tmp_path / "installed-since.h").touch()
    again = build(tmp_path, "-Dauto_features=enabled")
    assert again.returncode == 0, again.stdout


def judge(tmp_path, *cases):
    """What count-results makes of such results: (exit status, lines)."""
    file = tmp_path / "results.xml"
    file.write_text("<testsuites><testsuite>%s</testsuite></testsuites>"
                    % "".join(cases))
    done = subprocess.run([SUPPORT / "count-results", "--judge", file],
                          capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout.splitlines()


def count(tmp_path, *cases):
    """(exit status, last line)"""
    status, lines = judge(tmp_path, *cases)
    return status, lines[-1]


GOOD = '<testcase name="good"/>'
BAD = '<testcase name="bad"><failure/></testcase>'
BROKEN = '<testcase name="broken"><error/></testcase>'
SKIPPED = '<testcase name="lazy"><skipped message="no time"/></testcase>'


def test_results_are_counted(tmp_path):
    assert count(tmp_path, GOOD, GOOD) == (0, "2 passed, 0 failed, 0 skipped")
    assert count(tmp_path, GOOD, BAD, BROKEN) == (
        1, "1 passed, 2 failed, 0 skipped")


TAP = """1..3
ok 1 good
not ok 2 bad
# a &lt; b
#   of file:7
not ok 3 worse
# other
"""


def test_a_failure_is_told_with_its_reason(tmp_path):
    """Of pytest, of a program without TAP, of a test of a TAP program, and of
    a program that died."""
    assert judge(tmp_path,
                 '<testcase name="a"><failure message="m">E  b\n\tc</failure>'
                 '</testcase>',
                 '<testcase name="b"><failure/><system-out>said</system-out>'
                 '<system-err>wrong \x1b\u00e4</system-err></testcase>',
                 '<testcase name="2 bad" classname="x"><failure/></testcase>',
                 f'<system-out>{TAP}</system-out>'
                 '<system-err>killed</system-err>')[1][:-1] == [
        "FAILED  a", "    E  b", "        c",
        "FAILED  b", "    said", "    wrong ??",
        "FAILED x 2 bad", "    a < b", "      of file:7"]
    assert judge(tmp_path, '<testcase name="7 bad"><failure/></testcase>',
                 '<system-err>killed</system-err>')[1][:-1] == [
        "FAILED  7 bad", "    killed"]
    assert judge(tmp_path, BAD)[1][:-1] == ["FAILED  bad",
                                            "    it said nothing"]


def test_the_reasons_are_bounded(tmp_path):
    """Of much the begin and the end; of many failures the first."""
    text = "\n".join(f"line {number} " + 1000 * "x" for number in range(1000))
    bad = f'<testcase name="bad"><failure>{text}</failure></testcase>'
    status, lines = judge(tmp_path, *[bad] * 100)
    assert (status, lines[-1]) == (1, "0 passed, 100 failed, 0 skipped")
    assert lines.count("FAILED  bad") == 100 and len(lines) < 700
    assert max(map(len, lines)) < 250
    assert lines[1].startswith("    line 0 ")
    assert lines[13] == "    [976 lines are left out]"
    assert lines[25].startswith("    line 999 ")
    assert lines[26] == "FAILED  bad"


def test_a_skip_that_hacking_does_not_list_is_a_failure(tmp_path):
    assert count(tmp_path, GOOD, SKIPPED) == (
        1, "1 passed, 1 failed, 0 skipped")


def test_no_results_are_a_failure(tmp_path):
    assert count(tmp_path)[0] == 1


def test_nothing_missing_calls_neither_apt_nor_sudo(tmp_path):
    """A second ./start or ./check costs no package manager."""
    script = f"""
        here={ROOT}
        . {SUPPORT}/common.sh
        apt-get() {{ echo CALLED; }}
        sudo() {{ echo CALLED; }}
        packages_ensure {tmp_path}/log {SUPPORT}/packages.build
    """
    done = subprocess.run(["/bin/bash", "-uc", script], capture_output=True,
                          text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_without_root_and_sudo_the_line_is_printed(tmp_path):
    """One package that does not exist is missing everywhere."""
    (tmp_path / "list").write_text("libc6\nno-such-package  its-service\n")
    script = f"""
        here={ROOT}
        . {SUPPORT}/common.sh
        id() {{ echo 1000; }}
        command() {{ return 1; }}
        packages_ensure {tmp_path}/log {tmp_path}/list
    """
    done = subprocess.run(["/bin/bash", "-uc", script], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == (
        "apt-get update && apt-get install -y --no-install-recommends"
        " no-such-package")


def test_under_sudo_the_build_belongs_to_the_caller(tmp_path, real_root):
    """What runs to build is the caller, in a tree that is the caller's."""
    caller = 65534
    tree = tmp_path / "tree"
    (tree / "build").mkdir(parents=True)
    (tree / "build/ninja.log").touch()
    os.chown(tree, caller, caller)
    script = f"""
        here={tree}
        . {SUPPORT}/common.sh
        give_to_caller $here/build
        stat -c %u $here/build $here/build/ninja.log
        as_caller id -u
    """
    done = subprocess.run(
        ["/bin/bash", "-uc", script], capture_output=True, text=True,
        timeout=60, env={**os.environ, "SUDO_UID": str(caller),
                         "SUDO_GID": str(caller)})
    assert done.stdout.split() == [str(caller)] * 3, done
