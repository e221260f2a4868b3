"""Which lines of C were executed: what gcov says of a coverage build.

Reads every *.gcda below a folder (through gcov) and every *.gcov.json.gz.
A cited line counts when

 - inside a function: the first line at or below it that can be executed,
   was;
 - in the comment above a function: the function was;
 - elsewhere: what is declared there was used. A prototype, when the function
   was executed; a constant, a field, a type, a table (for each of its rows)
   when an executed line names it.
"""
import collections
import gzip
import json
import os
import pathlib
import re
import subprocess
import sys

class Coverage:
    def __init__(self, root, folder):
        self.root = root.resolve()
        self.counts = collections.defaultdict(dict)   # path: {line: count}
        self.functions = collections.defaultdict(dict)
        for report in reports(pathlib.Path(folder)):
            self.add(report)
        if not self.counts:
            sys.exit(f"{folder}: no coverage of anything in {root}")
        self.texts = {}
        self.named = self.names_in_executed_lines()

    def add(self, report):
        where = report.get("current_working_directory", ".")
        for file in report["files"]:
            path = pathlib.Path(os.path.normpath(
                os.path.join(where, file["file"])))
            if not path.is_relative_to(self.root):
                continue
            name = path.relative_to(self.root).as_posix()
            for line in file["lines"]:
                counts, number = self.counts[name], line["line_number"]
                counts[number] = counts.get(number, 0) + line["count"]
            for function in file["functions"]:
                key = (function["name"], function["start_line"],
                       function["end_line"])
                functions = self.functions[name]
                functions[key] = functions.get(key, 0) + \
                    function["execution_count"]

    def code(self, path):
        """The lines of the file, without comments and strings."""
        if path not in self.texts:
            text = (self.root / path).read_text()
            token = (r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\""
                     r"|'(?:\\.|[^'\\\n])+'")
            text = re.sub(token, lambda m: re.sub(r"[^\n]", " ", m[0]), text,
                          flags=re.S)
            self.texts[path] = text.split("\n")
        return self.texts[path]

    def names_in_executed_lines(self):
        names = set()
        for path, counts in self.counts.items():
            if path.startswith("tests/"):
                continue
            lines = self.code(path)
            for number, count in counts.items():
                if count > 0 and number <= len(lines):
                    names |= words(lines[number - 1])
            names |= {name for (name, _, _), count
                      in self.functions[path].items() if count > 0}
        return names

    def executed(self, citation):
        path, line = citation.path, citation.line
        if not path.endswith((".c", ".h")):
            return False
        inside = self.inside_function(path, line)
        if inside is None:
            inside = self.above_function(path, line)
        if inside is not None:
            return inside
        return bool(names_declared(self.code(path), line) & self.named)

    def inside_function(self, path, line):
        for (_, start, end), count in self.functions[path].items():
            if start <= line <= end:
                below = [n for n in self.counts[path] if line <= n <= end]
                if count == 0 or not below:
                    return count > 0
                return self.counts[path][min(below)] > 0
        return None

    def above_function(self, path, line):
        """None where no function begins right below."""
        starts = [(start, count) for (_, start, _), count
                  in self.functions[path].items() if start > line]
        if not starts:
            return None
        start = min(starts)[0]
        between = "\n".join(self.code(path)[line - 1:start - 1])
        if re.search(r"[;{}#]", between):
            return None
        return any(count > 0 for s, count in starts if s == start)


def names_declared(lines, line):
    """The names of what is declared at the line, or right below it; of a row
    of a table, the table's."""
    at = line - 1
    while at < len(lines) - 1 and not lines[at].strip():
        at += 1
    if lines[at].startswith("#"):
        return set(re.findall(r"^#\s*define (\w+)", lines[at]))
    around = opener(lines, at)
    if around is None:
        return declared(declaration(lines, at))
    if re.match(r"(typedef )?enum\b", around):
        return set(re.findall(r"^\s*(\w+)", lines[at]))
    if re.match(r"(typedef )?(struct|union)\b[^=]*$", around):
        return set(re.findall(r"(\w+)\s*(?:\[[^\]]*\])*\s*[;:,]", lines[at]))
    return declared(around)


def declaration(lines, at):
    """From line `at` to the end of what begins there, braces included."""
    text, depth = "", 0
    for line in lines[at:at + 60]:
        text += line + "\n"
        depth += line.count("{") - line.count("}")
        if depth <= 0 and line.rstrip().endswith((";", "}")):
            break
    return text


def declared(text):
    """The name that a declaration outside of functions gives."""
    head = re.split(r"[{=;]", text, maxsplit=1)[0]
    if re.match(r"\s*enum\b[^=(]*$", head) and "{" in text:
        return set(re.findall(r"[{,]\s*(\w+)", text))
    if "(" in head:
        return set(re.findall(r"(\w+)\s*\(", head)[:1])
    if re.match(r"\s*(struct|union)\s+\w+\s*$", head) and "{" in text:
        return {" ".join(head.split())}
    return set(re.findall(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$", head))


def opener(lines, at):
    """The line that opened the outermost braces around line `at`, or None.
    Those of extern "C" are none."""
    depth, line = 0, None
    for text in lines[:at]:
        if re.match(r"extern\s+{", text):
            continue
        if depth == 0 and "{" in text:
            line = text
        depth = max(depth + text.count("{") - text.count("}"), 0)
    return line if depth > 0 else None


def words(line):
    """Names, and "struct x" for that of a type."""
    return set(re.findall(r"[A-Za-z_]\w*", line) +
               re.findall(r"\b(?:struct|union) \w+", line))


def reports(folder):
    for path in sorted(folder.rglob("*.gcov.json.gz")):
        yield json.loads(gzip.open(path).read())
    for path in sorted(folder.rglob("*.gcda")):
        out = subprocess.run(
            ["gcov", "--json-format", "--stdout", path.resolve()],
            cwd=folder, capture_output=True, text=True).stdout
        for line in out.splitlines():
            if line.startswith("{"):
                yield json.loads(line)
