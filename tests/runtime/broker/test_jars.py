"""Downloads: only what is pinned comes into its place, once, however it went before."""

from __future__ import annotations

import importlib
import threading
from pathlib import Path

import pytest

from processor.runtime.broker import jars
from processor.runtime.broker.errors import FetchError
from tests.runtime.broker.conftest import DATA
from tests.runtime.broker.repository import artifact


def test_what_is_pinned_is_whole():
    kafka, registry = jars.bundle("kafka"), jars.bundle("registry")
    names = [one.filename for one in kafka.artifacts]
    assert f"kafka_2.13-{kafka.version}.jar" in names
    assert len(set(names)) == len(names)  # they share a folder
    assert [one.filename for one in registry.artifacts] == [
        f"apicurio-registry-app-{registry.version}-all.tar.gz"
    ]
    assert min(one.size_bytes for one in (*kafka.artifacts, *registry.artifacts)) > 1000
    # Versions of Kafka's own jars cannot be mixed.
    assert {one.version for one in kafka.artifacts if one.group == "org.apache.kafka"} == {kafka.version}


def test_the_cache_is_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("TRAYECTO_CACHE", str(tmp_path / "own"))
    assert jars.cache_folder() == tmp_path / "own"
    monkeypatch.delenv("TRAYECTO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert jars.cache_folder() == tmp_path / "xdg" / "trayecto"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert jars.cache_folder() == tmp_path / "home" / ".cache" / "trayecto"


def test_a_download_and_nothing_the_second_time(cache, repository, few):
    told = []
    assert jars.bytes_missing("kafka") == 205_007
    found = jars.kafka_jars(lambda *at: told.append(at))
    assert [path.read_bytes() for path in found] == list(DATA.values())
    assert [path.parent for path in found] == [cache / "kafka-1.0"] * 3
    assert told[-1] == (205_007, 205_007, "0 of 0 MB")
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert sorted(path.name for path in cache.iterdir()) == ["kafka-1.0", "lock"]
    told.clear()
    assert jars.bytes_missing("kafka") == 0
    assert jars.kafka_jars(lambda *at: told.append(at)) == found
    assert told == []
    assert set(repository.asked.values()) == {1}


def test_a_file_that_is_damaged_is_downloaded_again(cache, repository, few):
    found = jars.kafka_jars()
    found[1].write_bytes(b"short")
    assert jars.bytes_missing("kafka") == 200_000
    assert jars.kafka_jars()[1].read_bytes() == DATA["two"]
    assert sorted(repository.asked.values()) == [1, 1, 2]


def test_what_is_not_what_is_pinned_is_refused_and_kept_out(cache, repository, few):
    wrong = few["kafka"].artifacts[1]
    repository.put(wrong, b"x" * wrong.size_bytes)
    with pytest.raises(FetchError, match=r"not what is pinned .*: two-1\.0\.jar"):
        jars.kafka_jars()
    assert not (cache / "kafka-1.0" / wrong.filename).exists()
    # What was right stays, and the second try asks for the rest alone.
    repository.put(wrong, DATA["two"])
    assert [path.read_bytes() for path in jars.kafka_jars()] == list(DATA.values())
    assert sorted(repository.asked.values()) == [1, 1, 2]


def test_one_that_is_too_long_is_not_read_to_its_end(cache, repository, few):
    wrong = few["kafka"].artifacts[2]
    repository.put(wrong, b"x" * 10_000_000)
    written = []
    with pytest.raises(FetchError, match=r"three-1\.0\.jar"):
        jars.kafka_jars(lambda done, *_: written.append(done))
    assert max(written) <= jars.bundle("kafka").bytes_total


def test_a_download_that_broke_off_is_gone_on_with(cache, repository, few):
    repository.break_after_bytes = 3000
    with pytest.raises(FetchError, match=r"one-1\.0\.jar cannot be downloaded") as raised:
        jars.kafka_jars()
    assert "try again" in raised.value.fix
    assert [path.read_bytes() for path in jars.kafka_jars()] == list(DATA.values())
    assert repository.ranges == ["bytes=3000-"]


def test_a_server_without_ranges_is_read_from_the_beginning(cache, repository, few):
    repository.break_after_bytes = 3000
    repository.knows_ranges = False
    with pytest.raises(FetchError):
        jars.kafka_jars()
    assert jars.kafka_jars()[0].read_bytes() == DATA["one"]


def test_an_interrupt_leaves_what_is_there(cache, repository, few):
    def interrupted(done, total, note):
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jars.kafka_jars(interrupted)
    assert (cache / "kafka-1.0" / "one-1.0.jar").read_bytes() == DATA["one"]
    assert not (cache / "kafka-1.0" / "two-1.0.jar").exists()
    jars.kafka_jars()
    assert len(repository.ranges) == 1
    assert sorted(repository.asked.values()) == [1, 1, 2]


def test_two_at_once_download_once(cache, repository, few):
    # A lock of files is held by who opened them, so threads contend as processes do.
    found, told = [], []

    def one():
        found.append(jars.kafka_jars(lambda *at: told.append(at[2])))

    repository.gate.clear()
    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    waiting = "waiting for another process that downloads"
    while waiting not in told:
        assert any(thread.is_alive() for thread in threads)
    repository.gate.set()
    for thread in threads:
        thread.join(30)
    assert found[0] == found[1]
    assert told.count(waiting) == 1
    assert set(repository.asked.values()) == {1}


def test_a_lock_that_is_never_let_go_of_ends_the_wait(cache, few, monkeypatch):
    monkeypatch.setattr(jars, "LOCK_WAIT_S_MAX", 0.3)
    with jars._turn(lambda *_: None), pytest.raises(FetchError, match="too long"):
        jars.kafka_jars()


def test_no_network(cache, monkeypatch, few, repository):
    repository.close()
    with pytest.raises(FetchError, match="refused") as raised:
        jars.kafka_jars()
    assert "check the network" in raised.value.fix


def test_a_file_that_the_repository_does_not_have(cache, repository, few):
    repository.files.clear()
    with pytest.raises(FetchError, match=r"one-1\.0\.jar cannot be downloaded: .*Not Found"):
        jars.kafka_jars()


def test_nothing_to_download_with(cache, few, monkeypatch, tmp_path):
    monkeypatch.delenv("TRAYECTO_MAVEN_URL")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(FetchError, match="nothing to download with") as raised:
        jars.kafka_jars()
    assert all(word in raised.value.fix for word in ("Maven", "jgo", "TRAYECTO_MAVEN_URL"))


def test_the_registry_is_unpacked_once(cache, repository, few):
    # As a process leaves it that was killed while it unpacked.
    (cache / "registry-1.0.part-gone" / "lib").mkdir(parents=True)
    assert jars.bytes_missing("registry") > 0
    folder = jars.registry_folder()
    assert (folder / "quarkus-run.jar").read_bytes() == b"run"
    assert (folder / "lib" / "one.jar").read_bytes() == b"one"
    assert sorted(path.name for path in cache.iterdir()) == ["lock", "registry-1.0"]
    assert jars.bytes_missing("registry") == 0
    assert jars.registry_folder() == folder
    assert set(repository.asked.values()) == {1}


def test_an_archive_that_cannot_be_unpacked_leaves_no_half_registry(cache, repository, few, monkeypatch):
    def full(self, path, **_):
        (Path(path) / "quarkus-run.jar").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tarfile.TarFile.extractall", full)
    with pytest.raises(OSError, match="No space"):
        jars.registry_folder()
    assert not list(cache.glob("registry-1.0*"))
    monkeypatch.undo()


def test_a_line_of_the_list(tmp_path):
    one = artifact("app", b"abc", kind="tar.gz", classifier="all")
    line = f"org.example.deep:app:1.0:tar.gz:all 3 {one.sha256}"
    assert type(one).parse(line) == one
    assert str(one.path) == "org/example/deep/app/1.0/app-1.0-all.tar.gz"
    assert type(one).parse(f"a.b:c:2 1 {one.sha256}").filename == "c-2.jar"
    with pytest.raises(AssertionError):
        type(one).parse("a.b:c:2 1 no-sum")
