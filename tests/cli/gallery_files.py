"""What stands beside the blueprints and is made from them, and the command that makes it anew.

    python -m tests.cli.gallery_files

Of each: a drawing of every program (`NAME.svg`), and the events of its scenarios as a log that can be run
(`events.jsonl`). The index shows all drawings, between `<!-- drawings:start -->` and `<!-- drawings:end -->`.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from processor.cli.gallery import folder
from processor.language import load_topology
from processor.language.graph import svg
from tests.docs.generated import replaced
from tests.runtime.harness import scenario_log

__all__ = ["INDEX", "NAMES", "PLACE", "index", "made"]

PLACE = folder() / "blueprints"
INDEX = PLACE / "README.md"
NAMES = sorted(path.parent.name for path in PLACE.glob("*/topology.yaml"))
_LISTED = re.compile(r"^\| \[([a-z0-9-]+)\]\(\1/README\.md\) \|", re.MULTILINE)
_SIZE = re.compile(r'<svg [^>]*viewBox="0 0 ([0-9.]+) ([0-9.]+)"')
_COLUMNS = 3
_CELL_WIDTH, _CELL_HEIGHT = 280, 360  # pixels


def made(name: str) -> dict[Path, str]:
    """The files of a blueprint that are made from it, with their text."""
    loaded = load_topology(PLACE / name)
    files = {PLACE / name / f"{one.name}.svg": svg(one) for one in loaded.topology.programs.values()}
    lines = [msgspec.json.encode(event).decode() + "\n" for event in scenario_log(loaded)]
    files[PLACE / name / "events.jsonl"] = "".join(lines)
    return files


def index(text: str) -> str:
    """The index with its drawings: one a blueprint, in the order of its table."""
    cells = [
        f'<td align="center" valign="top"><a href="{name}/README.md">'
        f'<img src="{name}/{shown}.svg" alt="The program {shown}, drawn" width="{_width(name, shown)}">'
        f"<br>{name}</a></td>"
        for name in _LISTED.findall(text)
        for shown in [_shown(name)]
    ]
    lines = ["<table>"]
    for start in range(0, len(cells), _COLUMNS):
        lines += ["<tr>", *cells[start : start + _COLUMNS], "</tr>"]
    return replaced(text, "drawings", "\n".join([*lines, "</table>"]))


def _shown(name: str) -> str:
    """The program that stands for a blueprint: the one that is called after it, else the first by name."""
    programs = sorted(path.stem for path in (PLACE / name).glob("*.svg"))
    return name if name in programs else programs[0]


def _width(name: str, program: str) -> int:
    """How wide a drawing is shown, in pixels, so that it fits into its cell."""
    size = _SIZE.search((PLACE / name / f"{program}.svg").read_text(encoding="utf-8"))
    assert size is not None, name
    width, height = float(size[1]), float(size[2])
    return round(width * min(_CELL_WIDTH / width, _CELL_HEIGHT / height))


def main() -> None:
    """Make every file anew."""
    for name in NAMES:
        for path, text in made(name).items():
            path.write_text(text, encoding="utf-8")
    INDEX.write_text(index(INDEX.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
