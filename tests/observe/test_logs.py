"""Logs come out in one form, whoever wrote them."""

from __future__ import annotations

import io
import json
import logging

import pytest

from processor.observe.logs import configure


@pytest.fixture(autouse=True)
def restored():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_json_with_level_logger_and_time_in_utc():
    stream = io.StringIO()
    configure("info", "json", stream)
    logging.getLogger("processor.runtime").warning("partition %d starts anew", 3)
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "partition 3 starts anew", "level": "warning", "logger": "processor.runtime"}


def fails(contact: str) -> None:
    raise ValueError("what")


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_is_logged_without_the_values_of_variables(form):
    stream = io.StringIO()
    configure("info", form, stream)
    try:
        fails(bytes.fromhex("616e61406d61696c").decode())
    except ValueError:
        logging.getLogger("processor").exception("unexpected")
    said = stream.getvalue()
    assert "ValueError" in said
    assert "fails" in said
    assert "ana@mail" not in said
    if form == "json":
        (line,) = said.splitlines()
        assert json.loads(line)["exception"][0]["exc_type"] == "ValueError"


def test_below_the_level_and_the_chatter_of_libraries_nothing_is_said():
    stream = io.StringIO()
    configure("info", "json", stream)
    logging.getLogger("processor").debug("detail")
    logging.getLogger("aiokafka.consumer").info("joined")
    assert stream.getvalue() == ""


def test_text_is_for_people():
    stream = io.StringIO()
    configure("info", "text", stream)
    logging.getLogger("processor").info("ready")
    assert "ready" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
