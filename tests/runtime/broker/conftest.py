"""What the tests of the local broker share: an empty cache, a small repository, a list of few files."""

from __future__ import annotations

import io
import tarfile

import pytest

from processor.runtime.broker import jars
from processor.runtime.broker.jars import Bundle
from tests.runtime.broker.repository import Repository, artifact

DATA = {"one": b"1" * 5000, "two": b"2" * 200_000, "three": b"3" * 7}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("TRAYECTO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def repository(monkeypatch):
    made = Repository()
    monkeypatch.setenv("TRAYECTO_MAVEN_URL", made.url)
    yield made
    made.close()


@pytest.fixture
def archive():
    """What a registry's archive is like."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in (("quarkus-run.jar", b"run"), ("lib/one.jar", b"one")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


@pytest.fixture
def few(monkeypatch, repository, archive):
    """A broker of three files, which the repository has, and a registry of one archive."""
    artifacts = tuple(artifact(name, data) for name, data in DATA.items())
    for one in artifacts:
        repository.put(one, DATA[one.name])
    registry = artifact("registry-app", archive, kind="tar.gz", classifier="all")
    repository.put(registry, archive)
    bundles = {
        "kafka": Bundle("kafka", "1.0", artifacts),
        "registry": Bundle("registry", "1.0", (registry,)),
    }
    monkeypatch.setattr(jars, "bundle", bundles.__getitem__)
    return bundles
