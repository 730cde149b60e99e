"""Every example of the documentation is loaded, run or decoded."""

from __future__ import annotations

import json
import re

import pytest

from processor.codec.events import decode_event
from processor.core.events import Event
from processor.core.expressions import Names, compile_expression
from processor.core.schema import validate
from processor.language import LanguageError, load_scenarios, load_topology
from processor.language.lint import lint_topology
from processor.runtime.scenario import run_scenario
from tests.docs.pages import blocks, fragment_files, guides, page_files, shown, write

PAGES = guides()
TOPOLOGIES = [page for page in PAGES if "topology.yaml" in page_files(page)]
FRAGMENTS = [block for page in PAGES for block in blocks(page, "yaml") if not block.file]
JSON = [block for page in PAGES for language in ("json", "jsonl") for block in blocks(page, language)]
TABLE_ROW = re.compile(r"^\| .*? \| `(?P<text>[^`]+)` \|$", re.MULTILINE)


def by_place(block):
    return block.place


def test_examples_are_found():
    assert len(TOPOLOGIES) >= 6
    assert len(FRAGMENTS) >= 30


@pytest.mark.parametrize("page", TOPOLOGIES, ids=shown)
def test_topologies_load(page, tmp_path):
    loaded = load_topology(write(page_files(page), tmp_path))
    assert [one for one in lint_topology(loaded) if one.severity != "info"] == []


def test_files_of_a_page_without_a_topology_are_those_of_another():
    """The README shows a program of the first guide: it must not become another one."""
    elsewhere = {(name, text) for page in TOPOLOGIES for name, text in page_files(page).items()}
    lone = {item for page in PAGES if page not in TOPOLOGIES for item in page_files(page).items()}
    assert lone
    assert lone <= elsewhere


def with_scenarios():
    return [page for page in TOPOLOGIES if any(file.endswith(".test.yaml") for file in page_files(page))]


@pytest.mark.parametrize("page", with_scenarios(), ids=shown)
def test_scenarios_pass(page, tmp_path):
    loaded = load_topology(write(page_files(page), tmp_path))
    scenarios = load_scenarios(loaded)
    assert scenarios
    differences = {one.name: run_scenario(loaded.topology, one).differences for one in scenarios}
    assert {name: found for name, found in differences.items() if found} == {}


@pytest.mark.parametrize("block", FRAGMENTS, ids=by_place)
def test_fragments_load(block, tmp_path):
    files = page_files(block.page)
    assert "topology.yaml" in files, "a page with fragments has a topology that they belong to"
    loaded = load_topology(write(fragment_files(block, files), tmp_path))
    assert [one for one in lint_topology(loaded) if one.severity == "error"] == []


def test_a_wrong_fragment_is_found(tmp_path):
    block = next(block for block in FRAGMENTS if "send: email" in block.text)
    broken = fragment_files(block, page_files(block.page))
    wrong = {name: text.replace("send: email", "send: emial") for name, text in broken.items()}
    with pytest.raises(LanguageError, match="unknown-channel"):
        load_topology(write(wrong, tmp_path))


@pytest.mark.parametrize("block", JSON, ids=by_place)
def test_json_decodes(block):
    """Each line is an object, and one with a type and a contact is an event of the page's topology."""
    for line in block.text.splitlines():
        record = json.loads(line)
        if "occurred_at" not in record:
            continue
        event = decode_event(line.encode())
        assert isinstance(event, Event), event


@pytest.mark.parametrize("page", [block.page for block in JSON if block.page in TOPOLOGIES], ids=shown)
def test_events_fit_the_topology(page, tmp_path):
    topology = load_topology(write(page_files(page), tmp_path)).topology
    for block in JSON:
        for line in block.text.splitlines() if block.page == page else ():
            event = decode_event(line.encode())
            if isinstance(event, Event):
                assert validate(topology, event.type, event.properties) is None


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> Names:
    """What the expressions of the page about expressions can refer to."""
    page = next(page for page in TOPOLOGIES if page.name == "expressions.md")
    loaded = load_topology(write(page_files(page), tmp_path_factory.mktemp("words")))
    splits = {"split-discount-plain": ("discount", "plain")}
    orders = {"at": "time", "total": "number?", "status": "string?"}
    views = {"at": "time", "category": "string?", "sku": "string?"}
    types = ("page_viewed", "order_completed", "email_clicked")
    base = loaded.known.names()
    return Names(
        events=base.events,
        event_types=types,
        entry_types=types,
        profile=base.profile,
        scores=base.scores,
        segments=base.segments,
        lists=base.lists,
        programs=base.programs,
        purposes=base.purposes,
        channels=base.channels,
        splits=splits,
        relations={"orders": orders, "views": views},
    )


def expressions() -> list[str]:
    """The last column of the tables on the pages about expressions, behind a mark."""
    found = []
    for name, mark in (
        ("expressions.md", "<!-- expressions -->"),
        ("relations.md", "<!-- relations:start -->"),
    ):
        page = next(page for page in PAGES if page.name == name)
        text = page.read_text(encoding="utf-8").partition(mark)[2]
        found += [row["text"] for row in TABLE_ROW.finditer(text)]
    return found


@pytest.mark.parametrize("text", expressions())
def test_expressions_compile(text, names):
    compile_expression(text, names)
