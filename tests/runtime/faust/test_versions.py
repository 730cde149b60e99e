"""The worker starts with the releases of its clients that it was made for, and says so with others."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from processor.runtime.faust.errors import PackageError, WorkerError
from processor.runtime.faust.fixes import versions
from processor.runtime.faust.fixes.versions import MADE_FOR, check_versions

ROOT = Path(__file__).resolve().parents[3]


def test_what_is_installed_is_what_it_was_made_for() -> None:
    check_versions()


def test_another_minor_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "version", {"aiokafka": "0.15.1", "faust-streaming": "0.15.3"}.__getitem__)
    with pytest.raises(PackageError, match=r"aiokafka 0\.15\.1 is installed.*requirements\.lock") as raised:
        check_versions()
    assert isinstance(raised.value, WorkerError)  # which the command explains


def test_the_project_asks_for_the_same() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {made.name: made for made in map(Requirement, project["dependencies"])}
    for package, minor in MADE_FOR.items():
        before, after = (f"{minor.split('.')[0]}.{int(minor.split('.')[1]) + step}.0" for step in (-1, 1))
        assert asked[package].specifier.contains(f"{minor}.0") or asked[package].specifier.contains(
            f"{minor}.3"
        )
        assert not asked[package].specifier.contains(before)
        assert not asked[package].specifier.contains(after)
