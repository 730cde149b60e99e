"""Maven and jgo as sources, played by stand-ins: what they bring, how they fail, that they end when we do."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
import types
from pathlib import Path

import pytest

from processor.runtime.broker import sources
from processor.runtime.broker.artifacts import quiet
from processor.runtime.broker.errors import FetchError
from tests.runtime.broker.repository import artifact

ONE = artifact("one", b"1" * 1000)


def maven(folder, body):
    """A command that is called as Maven is; ``$repo`` is its local repository, ``$pom`` its project."""
    path = folder / "mvn"
    path.write_text(
        "#!/bin/sh\n"
        'while [ $# -gt 0 ]; do case "$1" in\n'
        '-Dmaven.repo.local=*) repo="${1#*=}";; -f) pom="$2"; shift;; esac\n'
        f"last=$1; shift; done\n{body}\n",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return str(path)


def test_the_first_way_that_is_there_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TRAYECTO_MAVEN_URL", raising=False)
    assert sources.choose_source() is sources.from_jgo
    maven(tmp_path, "exit 0")
    assert "from_maven" in str(sources.choose_source())
    monkeypatch.setenv("TRAYECTO_MAVEN_URL", "https://mirror.example/m2")
    assert "from_url" in str(sources.choose_source())


@pytest.mark.parametrize("url", ["mirror.example/m2", "ftp://mirror.example", "javascript:1"])
def test_a_base_that_is_no_url(url):
    with pytest.raises(FetchError, match="no http, https or file URL"):
        sources.from_url(url)


def test_a_folder_as_repository(tmp_path):
    place = tmp_path / "m2" / ONE.path
    place.parent.mkdir(parents=True)
    place.write_bytes(b"1" * 1000)
    sources.from_url((tmp_path / "m2").as_uri())((ONE,), tmp_path / "staging", quiet)
    assert (tmp_path / "staging" / ONE.path).read_bytes() == b"1" * 1000


def test_maven_is_asked_for_the_artifacts_alone(tmp_path):
    body = f'cp "$pom" {tmp_path}/seen.xml; echo "$last" > {tmp_path}/goal; mkdir -p "$repo"'
    other = artifact("two", b"2", kind="tar.gz", classifier="all")
    sources.from_maven(maven(tmp_path, body))((ONE, other), tmp_path / "staging", quiet)
    seen = (tmp_path / "seen.xml").read_text(encoding="utf-8")
    assert seen.count("<artifactItem>") == 2
    assert "<artifactId>one</artifactId><version>1.0</version><type>jar</type></artifactItem>" in seen
    assert "<type>tar.gz</type><classifier>all</classifier>" in seen
    assert (tmp_path / "goal").read_text(encoding="utf-8") == f"{sources._PLUGIN}:copy\n"


def test_what_maven_has_so_far_is_told(tmp_path):
    place = f'"$repo"/{ONE.path.parent}'
    body = f"mkdir -p {place}; printf 12345 > {place}/{ONE.filename}.7.tmp; sleep 1"
    told = []
    sources.from_maven(maven(tmp_path, body))((ONE,), tmp_path / "staging", lambda *at: told.append(at[:2]))
    assert told == [(0, 1000), (5, 1000)]


def test_why_maven_fails_is_said(tmp_path):
    body = "echo '[INFO] well'; echo '[ERROR] the mirror is away'; echo '[ERROR] Re-run with -X'; exit 1"
    with pytest.raises(FetchError, match=r"^Maven cannot download: the mirror is away$"):
        sources.from_maven(maven(tmp_path, body))((ONE,), tmp_path / "staging", quiet)


def test_a_maven_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "IDLE_S_MAX", 0.5)
    with pytest.raises(FetchError, match="nothing has arrived"):
        sources.from_maven(maven(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60"))(
            (ONE,), tmp_path / "staging", quiet
        )
    assert gone(tmp_path)


def test_an_interrupt_ends_maven(tmp_path):
    def interrupted(done, total, note):
        if done:
            raise KeyboardInterrupt

    place = f'"$repo"/{ONE.path.parent}'
    body = f"mkdir -p {place}; echo $$ > {tmp_path}/pid; printf 1 > {place}/{ONE.filename}; exec sleep 60"
    with pytest.raises(KeyboardInterrupt):
        sources.from_maven(maven(tmp_path, body))((ONE,), tmp_path / "staging", interrupted)
    assert gone(tmp_path)


def gone(folder: Path) -> bool:
    """Whether the process that wrote its id there has ended."""
    end = time.monotonic() + 10
    while not (folder / "pid").is_file():
        assert time.monotonic() < end
    try:
        os.kill(int((folder / "pid").read_text(encoding="utf-8")), 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture
def jgo(monkeypatch):
    """A stand-in for jgo's Maven: a file that is there already is taken as it is, as the real one does."""
    served: dict[str, bytes] = {}

    class Artifacts:
        def __init__(self, path, resolver):
            self.path, self.resolver = path, resolver

        def resolve(self):
            if self.path.exists():
                return self.path
            if self.path.name not in served:
                raise RuntimeError(f"Artifact {self.path.name} not found\nin many words")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            data = served[self.path.name]
            with self.resolver(self.path.name, len(data)) as more:
                self.path.write_bytes(data)
                more(len(data))
            return self.path

    class Context:
        def __init__(self, resolver, repo_cache, local_repos):
            self.resolver, self.folder = resolver, repo_cache

        def project(self, group, name):
            def at_version(version):
                def made(classifier, packaging):
                    tail = f"-{classifier}" if classifier else ""
                    path = Path(*group.split("."), name, version, f"{name}-{version}{tail}.{packaging}")
                    return Artifacts(self.folder / path, self.resolver)

                return types.SimpleNamespace(artifact=made)

            return types.SimpleNamespace(at_version=at_version)

    module = types.ModuleType("jgo.maven")
    module.MavenContext = Context  # type: ignore[attr-defined]
    module.PythonResolver = lambda progress_callback: progress_callback  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jgo", types.ModuleType("jgo"))
    monkeypatch.setitem(sys.modules, "jgo.maven", module)
    return served


def test_jgo_brings_what_is_wanted(jgo, tmp_path):
    jgo[ONE.filename] = b"1" * 1000
    place = tmp_path / ONE.path
    place.parent.mkdir(parents=True)
    place.write_bytes(b"half")  # of an earlier try that was killed
    told = []
    sources.from_jgo((ONE,), tmp_path, lambda *at: told.append(at[:2]))
    assert place.read_bytes() == b"1" * 1000
    assert told == [(1000, 1000)]


def test_why_jgo_fails_is_said_in_a_line(jgo, tmp_path):
    with pytest.raises(FetchError, match=r"^one-1\.0\.jar cannot be downloaded: Artifact .* not found$"):
        sources.from_jgo((ONE,), tmp_path, quiet)
