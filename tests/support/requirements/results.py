"""Which tests ran and passed: junit files of pytest and meson.

A test counts when at least one case of that name passed and none failed, in
all the files together; a skipped one has not run.
"""
import collections
import functools
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ET

import citations


class Results:
    def __init__(self, root, files):
        self.root = root
        self.pytest = collections.defaultdict(list)  # (class, name): passed
        self.whole = collections.defaultdict(list)   # meson test: passed
        self.parts = collections.defaultdict(list)   # (test, function): passed
        for file in files:
            if pathlib.Path(file).suffix == ".json":
                self.read_json(file)
            else:
                self.read_xml(pathlib.Path(file))

    def read_xml(self, file):
        for suite in ET.parse(file).iter("testsuite"):
            name = suite.get("name", "")
            for case in suite.iter("testcase"):
                passed = verdict(case)
                if name == "pytest":
                    function = case.get("name").partition("[")[0]
                    self.pytest[case.get("classname"), function].append(passed)
                elif "." in name:  # meson, TAP: project.test
                    test = name.partition(".")[2]
                    part = re.sub(r"^\d+ ", "", case.get("name"))
                    self.parts[test, part].append(passed)
                    self.whole[test].append(passed)
                elif name:
                    self.whole[case.get("name")].append(passed)
        # meson's junit has no word for a test that timed out; its log has.
        log = file.with_name("testlog.json")
        if file.name == "testlog.junit.xml" and log.exists():
            self.read_json(log)

    def read_json(self, file):
        for line in pathlib.Path(file).read_text().splitlines():
            entry = json.loads(line)
            test = entry["name"].rpartition(" / ")[2]
            if entry["result"] != "SKIP":
                self.whole[test].append(entry["result"] == "OK")

    def passed(self, citation):
        """Whether the test that has this citation ran and passed."""
        functions = functions_of(self.root / citation.path)
        function = citations.enclosing(functions, citation.line)
        if citation.path.endswith(".py"):
            return function is not None and \
                self.pytest_passed(citation.path, function)
        return self.meson_passed(citation.path, function)

    def pytest_passed(self, path, function):
        *classes, name = function.split(".")
        module = path[:-len(".py")].split("/") + classes
        cases = []
        for (classname, case), passed in self.pytest.items():
            here = classname.split(".")
            if case == name and module[-len(here):] == here and \
                    len(here) > len(classes):
                if here != module and self.is_ambiguous(path):
                    sys.exit(f"{path}: another test file has this name")
                cases += passed
        return judge(cases)

    @functools.lru_cache(maxsize=None)
    def is_ambiguous(self, path):
        name = pathlib.PurePath(path).name
        return len(list((self.root / "tests").rglob(name))) > 1

    def meson_passed(self, path, function):
        pure = pathlib.PurePath(path)
        names = {pure.stem, pure.name, path, path.partition("/")[2],
                 f"{pure.parent.name}/{pure.name}",
                 f"{pure.parent.name}/{pure.stem}",
                 f"{pure.parent.name}-{pure.stem}"}
        tests = names & set(self.whole)
        if not tests:  # one part of a test that plays many files
            return judge([passed for (_, part), all in self.parts.items()
                          if part in names for passed in all])
        parts = [passed for test in tests
                 for passed in self.parts.get((test, function), [])]
        has_parts = any(test in tests for test, _ in self.parts)
        if parts:
            return judge(parts) and not self.stopped(tests)
        if has_parts and function and is_test_function(self.root / path,
                                                       function):
            return False  # a test that nobody called
        return judge([p for test in tests for p in self.whole[test]])

    def stopped(self, tests):
        """Parts that all passed, in a program that did not end well."""
        return any(not p for test in tests for p in self.whole[test]) and \
            all(p for (test, _), all in self.parts.items() if test in tests
                for p in all)


def verdict(case):
    """True, False, or None where it was skipped."""
    if case.find("failure") is not None or case.find("error") is not None:
        return False
    return None if case.find("skipped") is not None else True


def judge(cases):
    return True in cases and False not in cases


@functools.lru_cache(maxsize=None)
def functions_of(path):
    text = citations.text_of(path) or ""
    if path.suffix == ".py":
        return citations.py_functions(text)
    return citations.c_functions(text) if path.suffix in (".c", ".h") else []


def is_test_function(path, function):
    return re.search(rf"^{function}\(void \*\*\w+\)", path.read_text(),
                     re.M) is not None
