"""What the documentation says of tables in the code is what the code says."""

from __future__ import annotations

import re

import pytest

from processor.core.expressions.functions import FUNCTIONS
from tests.docs.generated import IMAGES, LIMITS, PARTS, image, limits_table, replaced
from tests.docs.pages import DOCS, ROOT


@pytest.mark.parametrize("part", PARTS, ids=":".join)
def test_generated_parts_are_current(part):
    page, name = part
    text = (DOCS / page).read_text(encoding="utf-8")
    assert text == replaced(text, name, PARTS[part]()), "write it anew: python -m tests.docs.generated"


@pytest.mark.parametrize("name", IMAGES)
def test_drawings_are_current(name):
    drawn = (DOCS / "images" / name).read_text(encoding="utf-8")
    assert drawn == image(*IMAGES[name]), "draw it anew: python -m tests.docs.generated"


def test_an_outdated_part_is_found():
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    assert text != replaced(text.replace("too_many_enrollments", "too_few"), "limits", "")
    assert replaced(text, "limits", limits_table()) == text


def test_every_limit_of_rows_is_documented():
    """A new limit of the core is written down with its overflow, or it is not a limit."""
    known = {(module.__name__, name) for module, name, _, _ in LIMITS}
    constant = re.compile(r"^([A-Z][A-Z_]+_MAX): Final", re.MULTILINE)
    core = ROOT / "processor" / "core"
    names = {
        (f"processor.core.{path.stem}", name)
        for path in core.glob("*.py")
        for name in constant.findall(path.read_text(encoding="utf-8"))
    }
    assert names
    assert (
        names - known - {("processor.core.arrivals", "AHEAD_MS_MAX")} == set()
    )  # a rule of time, not of size


def test_the_functions_are_all_there():
    text = (DOCS / "guide" / "expressions.md").read_text(encoding="utf-8")
    for name in FUNCTIONS:
        assert f"| `{name}(" in text
