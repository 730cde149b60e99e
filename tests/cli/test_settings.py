"""Settings: the command line goes before variables, these before trayecto.toml, and that before defaults."""

from __future__ import annotations

import pytest


@pytest.fixture
def two(cli):
    for name in ("one", "two"):
        cli("init", name)
    return cli


def linted(done):
    return done.out.splitlines()[-1].partition(":")[0]


def test_the_order_of_settings(two, tmp_path, monkeypatch):
    assert two("lint").code == 1  # the current folder holds no topology
    (tmp_path / "trayecto.toml").write_text('topology = "one"\n', encoding="utf-8")
    assert linted(two("lint")) == "one"
    monkeypatch.setenv("TRAYECTO_TOPOLOGY", "two")
    assert linted(two("lint")) == "two"
    assert linted(two("lint", "one")) == "one"


def test_a_table_is_for_its_command_alone(two, tmp_path):
    (tmp_path / "trayecto.toml").write_text(
        'topology = "one"\n[test]\ntopology = "two"\nname = "never agreed"\n[lint]\noutput = "json"\n',
        encoding="utf-8",
    )
    assert two("test").out.count("✓") == 1
    assert two("lint").json["good"] is True


def test_a_group_takes_settings_too(two, tmp_path):
    two("run", "-t", "one", "--events", "one/events.jsonl", "--state", "somewhere")
    (tmp_path / "trayecto.toml").write_text('topology = "one"\nstate = "somewhere"\n', encoding="utf-8")
    assert "ana@mail.example" in two("contact", "show", "ana").out


def test_another_file_can_be_named(two, tmp_path, monkeypatch):
    (tmp_path / "other.toml").write_text('topology = "two"\n', encoding="utf-8")
    monkeypatch.setenv("TRAYECTO_CONFIG", "other.toml")
    assert linted(two("lint")) == "two"
    monkeypatch.setenv("TRAYECTO_CONFIG", "gone.toml")
    assert two("lint").code == 2


def test_a_broken_file_is_wrong_usage(two, tmp_path):
    (tmp_path / "trayecto.toml").write_text("topology = \n", encoding="utf-8")
    done = two("lint")
    assert done.code == 2
    assert "trayecto.toml cannot be read" in done.err
