"""Where ids are cited, and in which function: of C and of Python files."""
import ast
import collections
import re

# An id, or a range of them: V4-3.3-1..3
ID = re.compile(r"(?<![\w-])((?:V4|4A)-[0-9A-D](?:\.\d+)*-)(\d+)"
                r"(?:\.\.(\d+))?(?![\w])")
# What was meant for an id but is none.
NEARLY = re.compile(r"\[((?:V4|4A)-[^\]\s,]*)[\],]")

Citation = collections.namedtuple("Citation", "id path line")

CODE = ("include", "lib", "base", "gateway", "tools")
TESTS = ("tests",)
OTHERS = ("bench", "docs", "dist")

# They speak of ids, they do not cite them.
NOT_CITING = ("docs/requirements.tsv", "docs/requirements-pending.tsv",
              "tests/requirements", "tests/support/requirements/",
              "tests/unit/scripts", "tests/fuzz/corpus/")


def ids_in(text):
    """The ids in a piece of text, ranges spelled out, and what is nearly one."""
    found = []
    for prefix, first, last in ID.findall(text):
        for number in range(int(first), int(last or first) + 1):
            found.append(f"{prefix}{number}")
    found += [word for word in NEARLY.findall(text) if not ID.match(word)]
    return found


def text_of(path):
    """The file's text; None where it is no text."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return None


def files_below(root, folders):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_file() and not name.startswith(NOT_CITING) \
                    and "__pycache__" not in name:
                yield name, path


def citations_below(root, folders, more=()):
    found = []
    for name, path in [*files_below(root, folders),
                       *((p.name, p) for p in more)]:
        for number, line in enumerate((text_of(path) or "").split("\n"), 1):
            found += [Citation(id, name, number) for id in ids_in(line)]
    return found


def c_functions(text):
    """(name, first line, last line): with the comment right above it."""
    lines = text.split("\n")
    found, top = [], 0
    for number, line in enumerate(lines):
        name = re.match(r"(\w+)\(", line)
        if line in ("", "}") or line.startswith("#"):
            top = number + 1
        elif name and "{" in lines[number:number + 8]:
            body = lines.index("{", number)
            if not any(l.endswith(";") for l in lines[number:body]):
                end = lines.index("}", body) if "}" in lines[body:] else body
                found.append((name[1], top + 1, end + 1))
    return found


def py_functions(text):
    """(dotted name, first line, last line) of the test functions, with the
    comment right above them."""
    lines, found = text.split("\n"), []

    def visit(node, names):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                visit(child, names + [child.name])
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) \
                    and child.name.startswith("test"):
                top = min([child.lineno] +
                          [d.lineno for d in child.decorator_list])
                while top > 1 and lines[top - 2].lstrip().startswith("#"):
                    top -= 1
                found.append((".".join(names + [child.name]), top,
                              child.end_lineno))

    visit(ast.parse(text), [])
    return found


def enclosing(functions, line):
    """The name of the function that has this line; None: outside all."""
    for name, first, last in functions:
        if first <= line <= last:
            return name
    return None
