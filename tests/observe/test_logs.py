"""What a log shows, and what it must not: contacts, passwords, the same line a hundred times."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from processor.observe.logs import configure

SECRET = "ana@mail.example"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    names = ("aiokafka", "faust", "mode")
    handlers, level = root.handlers[:], root.level
    levels = [logging.getLogger(name).level for name in names]
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(before)


def fail(contact: str) -> None:
    held = {"row of": contact}
    raise KeyError(held["row of"])


def logged(form: str, level: str = "info") -> str:
    out = io.StringIO()
    configure(level, form, out)
    try:
        try:
            fail(SECRET)
        except KeyError as error:
            raise ValueError(SECRET) from error
    except ValueError:
        logging.getLogger("processor.runtime").exception("partition %d: unexpected", 3)
    return out.getvalue()


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("level", ["info", "debug"])
def test_an_exception_shows_neither_its_message_nor_its_variables(form: str, level: str):
    said = logged(form, level)
    assert SECRET not in said
    assert "Traceback" not in said
    assert said.count("\n") == 1, "one line"
    assert "partition 3: unexpected" in said


def test_as_json_it_has_the_types_and_the_places_of_the_whole_chain():
    first, second = json.loads(logged("json"))["exception"]
    assert first["type"] == "ValueError"
    assert second["type"] == "KeyError"
    assert second["at"][-1].endswith(" fail")
    assert __file__ not in str(second)


def test_as_text_it_has_the_type_and_where_it_was_raised():
    line = logged("text")
    assert "partition 3: unexpected: ValueError at " in line
    assert " fail" in line
    assert " > " not in line, "the way there is for debug"


def test_the_steps_of_fausts_services_are_no_news():
    out = io.StringIO()
    configure("info", "text", out)
    log = logging.getLogger("processor.runtime.faust.app")
    log.info("[^-WorkerApp]: Wait for streams...")
    log.info("partition 1 is ready")
    log.error("[^-WorkerApp]: Crashed reason=%r", "x")
    lines = out.getvalue().splitlines()
    assert [line.split(None, 2)[2] for line in lines] == [
        "partition 1 is ready",
        "[^-WorkerApp]: Crashed reason='x'",
    ]


def test_a_client_is_heard_once_in_a_while_with_how_often_it_said_so(monkeypatch):
    out = io.StringIO()
    configure("info", "text", out)
    theirs, ours = logging.getLogger("aiokafka"), logging.getLogger("processor.x")
    at = 1_000.0

    def say(log: logging.Logger, after_s: float) -> None:
        nonlocal at
        at += after_s
        record = log.makeRecord(log.name, logging.ERROR, "f", 1, "no node %d", (1,), None)
        record.created = at
        log.handle(record)

    for _ in range(100):
        say(theirs, 0.01)
    assert out.getvalue().count("no node 1") == 1
    say(theirs, 10.0)
    assert "no node 1 (and 99 times more, left out)" in out.getvalue()
    for _ in range(3):
        say(ours, 0.0)
    assert out.getvalue().count("no node 1") == 5
