"""The pages of the documentation, taken apart: blocks of code, links, and the topology that a page writes.

The conventions are those of `docs/README.md`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from processor.language.program_shape import PROGRAM
from processor.language.topology_shape import TOPOLOGY

__all__ = [
    "DOCS",
    "ROOT",
    "Block",
    "blocks",
    "fragment_files",
    "guides",
    "page_files",
    "pages",
    "shown",
    "write",
]

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
EXAMPLE = "example"  # the program that a fragment is put into

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE_COMMENT = re.compile(r"<!-- file: (\S+) -->\n$")
_FILE_LINE = re.compile(r"^# ([\w./-]+\.ya?ml)\n")
_DEFAULTS = {
    "program": f"program: {EXAMPLE}\n",
    "purpose": "purpose: marketing\n",
    "entry": "entry: {on: cart_abandoned}\n",
    "steps": "steps:\n  - wait: 1d\n",
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the file it is (or ""), and the line it begins in."""

    page: Path
    language: str
    text: str
    file: str
    line: int

    @property
    def place(self) -> str:
        return f"{shown(self.page)}:{self.line}"


def shown(path: Path) -> str:
    """A path as the reader of a failure knows it."""
    return path.relative_to(ROOT).as_posix()


def pages() -> list[Path]:
    """Every page: the README of the project and all of `docs/`."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def guides() -> list[Path]:
    """The pages whose examples are tested here; those made from the code are tested where they are made."""
    made = {DOCS / "adr", DOCS / "reference", DOCS / "guide" / "lint.md"}
    return [page for page in pages() if made.isdisjoint({page, *page.parents})]


def blocks(page: Path, language: str = "") -> Iterator[Block]:
    """The page's fenced blocks, of one language if it is given."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        if language and found[1] != language:
            continue
        file = _FILE_COMMENT.search(text, 0, found.start()) or _FILE_LINE.match(found[2])
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page, found[1], found[2], file[1] if file else "", line)


def page_files(page: Path) -> dict[str, str]:
    """The files that a page writes, by name; a later block replaces an earlier one of the same name."""
    return {block.file: block.text for block in blocks(page) if block.file}


def fragment_files(block: Block, files: dict[str, str]) -> dict[str, str]:
    """The page's files with a fragment of YAML put where it belongs.

    A list is steps; a map is keys of a program or sections of a topology.
    """
    value = YAML(typ="safe").load(block.text)
    if isinstance(value, list):
        steps = "".join(f"  {line}\n" for line in block.text.splitlines())
        return {**files, f"programs/{EXAMPLE}.yaml": _program(f"steps:\n{steps}", {"steps"})}
    assert isinstance(value, dict), f"{block.place}: neither steps nor keys"
    if value.keys() <= PROGRAM.fields.keys():
        return {**files, f"programs/{EXAMPLE}.yaml": _program(block.text, set(value))}
    assert value.keys() <= TOPOLOGY.fields.keys(), f"{block.place}: keys of neither program nor topology"
    return {**files, "topology.yaml": _merged(files["topology.yaml"], block.text)}


def _program(text: str, given: set[str]) -> str:
    return "".join(default for key, default in _DEFAULTS.items() if key not in given) + text


def _merged(base: str, more: str) -> str:
    """One YAML map in another: maps are merged, anything else is replaced."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1000
    made = yaml.load(base)
    _merge(made, yaml.load(more))
    out = io.StringIO()
    yaml.dump(made, out)
    return out.getvalue()


def _merge(into: Any, more: Any) -> None:
    for key, value in more.items():
        if isinstance(into.get(key), dict) and isinstance(value, dict):
            _merge(into[key], value)
        else:
            into[key] = value


def write(files: dict[str, str], folder: Path) -> Path:
    """Write files into a folder and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
