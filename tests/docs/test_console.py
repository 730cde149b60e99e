"""The commands that the documentation shows are typed, and what they print is what it shows.

A page's blocks run one after the other in a folder of their own that holds the page's files.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.pages import Block, blocks, guides, page_files, shown, write

EXIT_CODE = "echo $?"
ELLIPSIS = "…"
TIMEOUT_S = 120
PAGES = [page for page in guides() if any(blocks(page, "console"))]


@dataclass
class Step:
    """A command as typed, with the lines that the page shows below it."""

    block: Block
    command: str
    output: list[str]


def steps(page: Path) -> list[Step]:
    found: list[Step] = []
    for block in blocks(page, "console"):
        for line in block.text.splitlines():
            if line.startswith("$ "):
                found.append(Step(block, line[2:], []))
            elif line.startswith("> "):
                found[-1].command += "\n" + line[2:]
            else:
                found[-1].output.append(line.rstrip())
    return found


def pattern(lines: list[str]) -> re.Pattern[str]:
    """What the shown lines stand for: an ellipsis alone is any lines, one inside a line anything in it."""
    parts = []
    for line in lines:
        if line == ELLIPSIS:
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(".*".join(re.escape(part) for part in line.split(ELLIPSIS)) + r"\n")
    return re.compile("".join(parts))


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRAYECTO_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return kept | {"PATH": path, "NO_COLOR": "1", "COLUMNS": "110", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def folder_of(files: dict[str, str], folder: Path) -> Path:
    """The page's files in a folder: those of the topology in one of its name."""
    name = re.search(r"^topology: *([\w-]+)", files.get("topology.yaml", ""), re.MULTILINE)
    inside = f"{name[1]}/" if name else ""
    return write(
        {(inside if file.endswith(".yaml") else "") + file: text for file, text in files.items()}, folder
    )


def typed(command: str, folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT_S,
        check=False,
        text=True,
        encoding="utf-8",
    )
    return done.returncode, "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def faults(page: Path, folder: Path) -> list[str]:
    """What differs from the page, at most one thing: what follows may depend on it."""
    every = steps(page)
    last = 0
    for number, step in enumerate(every):
        if step.command == EXIT_CODE:
            code, printed = 0, f"{last}\n"
        else:
            code, printed = typed(step.command, folder)
        last = code
        said = number + 1 < len(every) and every[number + 1].command == EXIT_CODE
        if code and not said:
            return [f"{step.block.place}: $ {step.command}\nended with {code}:\n{printed}"]
        if step.output and not pattern(step.output).fullmatch(printed):
            return [f"{step.block.place}: $ {step.command}\nprinted:\n{printed}"]
    return []


def test_commands_are_found():
    assert len(PAGES) >= 3


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_commands_do_what_the_page_shows(page, tmp_path):
    assert faults(page, folder_of(page_files(page), tmp_path)) == []


@pytest.mark.parametrize(
    ("shown_lines", "printed", "fits"),
    [
        (["a"], "a\n", True),
        (["a"], "a\nb\n", False),
        (["a", ELLIPSIS], "a\nb\nc\n", True),
        ([ELLIPSIS, "c"], "a\nb\n", False),
        ([f"a{ELLIPSIS}c"], "abbc\n", True),
        ([f"a{ELLIPSIS}c"], "a\nc\n", False),
    ],
)
def test_shown_output(shown_lines, printed, fits):
    assert bool(pattern(shown_lines).fullmatch(printed)) is fits
