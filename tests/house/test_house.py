"""The rules of the house that no off-the-shelf checker holds."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60

# Put together from parts, so that this file does not contain what it looks for.
NEEDLES = [
    b"/" + b"work/",
    b"/" + b"root/",
    b"/" + b"opt/wheels",
    b"py" + b"pi.org",
    b"files.python" + b"hosted.org",
    b"registry.npm" + b"js.org",
]


def modules() -> list[Path]:
    """Every module of the package, in a stable order."""
    return sorted((ROOT / "processor").rglob("*.py"))


def parse(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def shown(path: Path) -> str:
    """A path as an offender's name."""
    return path.relative_to(ROOT).as_posix()


def repository_files() -> Iterator[Path]:
    """Every file that is, or could be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout: there is no list of the repository's files")
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and not path.is_symlink():
            yield path


def long_functions(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Name, first line and length in lines of each function that is too long."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield node.name, node.lineno, length


def is_public(path: Path) -> bool:
    """Whether no part of a module's dotted name is private."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return not any(part.startswith("_") and not part.startswith("__") for part in parts)


def test_modules_are_found():
    assert ROOT / "processor" / "__init__.py" in modules()


def test_module_length():
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: length for name, length in lengths.items() if length > MODULE_LINES_MAX} == {}


def test_function_length():
    offenders = [
        f"{shown(path)}:{line} {name} has {length} lines"
        for path in modules()
        for name, line, length in long_functions(parse(path))
    ]
    assert offenders == []


def test_function_length_is_measured():
    body = "    x = 1\n"
    source = "def short():\n" + body * (FUNCTION_LINES_MAX - 1) + "def long():\n" + body * FUNCTION_LINES_MAX
    assert [name for name, _, _ in long_functions(ast.parse(source))] == ["long"]


def test_public_modules_have_docstrings():
    assert [shown(path) for path in modules() if is_public(path) and not ast.get_docstring(parse(path))] == []


def test_no_machine_paths_or_registry_hosts():
    offenders = [
        f"{shown(path)} contains {needle.decode()}"
        for path in repository_files()
        for needle in NEEDLES
        if needle in path.read_bytes()
    ]
    assert offenders == []


def test_changelog_has_unreleased_section():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[Unreleased\]$", changelog, flags=re.MULTILINE)


def test_lock_holds_every_declared_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *project["dependency-groups"]["dev"],
    ]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9-]+)==", lock, flags=re.MULTILINE))
    names = {
        re.split(r"[<>=!~\[ ;]", line)[0].lower().replace(".", "-").replace("_", "-") for line in declared
    }
    assert names - locked == set()


def test_lock_names_no_host():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert "--hash=sha256:" in lock


def test_every_decision_record_is_in_the_index():
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [name for name in records if f"({name})" not in index] == []
