"""Ways to download from a Maven repository, none of which needs an address written here.

1. ``TRAYECTO_MAVEN_URL``: the base URL of a repository, for who has a mirror.
2. ``mvn`` on the PATH: Maven knows Maven Central, and honours the user's own settings (mirrors, proxies).
3. The Python package ``jgo``: the same without Maven or Java.

A source only brings bytes. Whether they are the right ones is checked by who called it.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib
import importlib.util
import os
import shutil
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from processor.runtime.broker.artifacts import Artifact, Source, Tell
from processor.runtime.broker.errors import FetchError
from processor.runtime.broker.process import Child

__all__ = ["choose_source", "from_jgo", "from_maven", "from_url"]

IDLE_S_MAX: Final = 120.0  # nothing has arrived for so long: the network is away
_POLL_S: Final = 0.2
_SOCKET_S_MAX: Final = 30.0
_READ_BYTES: Final = 1 << 16
_PLUGIN: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"  # runs on Maven 3.6.3 and later
_AWAY: Final = (
    "check the network (and mirrors or proxies in your Maven settings), then try again: it goes on there"
)


def choose_source() -> Source:
    """Return the first way to download that this machine has. Raises FetchError when it has none."""
    if url := os.environ.get("TRAYECTO_MAVEN_URL"):
        return from_url(url)
    if maven := shutil.which("mvn"):
        return from_maven(maven)
    if importlib.util.find_spec("jgo") is not None:
        return from_jgo
    raise FetchError(
        "there is nothing to download with: Maven (mvn) is not on the PATH",
        "install Maven, or the Python package jgo (pip install 'jgo>=2'),"
        " or set TRAYECTO_MAVEN_URL to the base URL of a Maven repository",
    )


def _total(wanted: tuple[Artifact, ...]) -> int:
    return sum(one.size_bytes for one in wanted)


def _note(done: int, total: int) -> str:
    return f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB"


# ---------------------------------------------------------------------------------------------- a base URL


def from_url(base: str) -> Source:
    """Return a source that reads ``base`` over http, https or file. A file that broke off is gone on with."""
    if urllib.parse.urlsplit(base).scheme not in {"http", "https", "file"}:
        raise FetchError(
            f'TRAYECTO_MAVEN_URL is "{base}", which is no http, https or file URL',
            "give the base URL of a Maven repository",
        )

    def fetch(wanted: tuple[Artifact, ...], staging: Path, tell: Tell) -> None:
        total = _total(wanted)
        before = 0
        for one in wanted:
            place = staging / one.path
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_name(place.name + ".part")

            def told(bytes_here: int, before: int = before) -> None:
                tell(before + bytes_here, total, _note(before + bytes_here, total))

            try:
                _read(f"{base.rstrip('/')}/{one.path}", part, one, told)
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", None) or error
                raise FetchError(f"{one.filename} cannot be downloaded: {reason}", _AWAY) from None
            part.replace(place)
            before += one.size_bytes

    return fetch


def _read(url: str, part: Path, one: Artifact, told: Callable[[int], None]) -> None:
    """Download one file, from where an earlier try broke off when the server can do that."""
    there = part.stat().st_size if part.is_file() else 0
    if there >= one.size_bytes:  # more than it should be: begin anew. All of it: only the move was missing
        if there == one.size_bytes:
            return
        there = 0
    request = urllib.request.Request(url)  # noqa: S310 - the scheme was checked
    if there:
        request.add_header("Range", f"bytes={there}-")
    with urllib.request.urlopen(request, timeout=_SOCKET_S_MAX) as answer:  # noqa: S310 - as above
        goes_on = there > 0 and answer.status == http.HTTPStatus.PARTIAL_CONTENT
        there = there if goes_on else 0
        with part.open("ab" if goes_on else "wb") as file:
            while data := answer.read(_READ_BYTES):
                there += len(data)
                if there > one.size_bytes:  # never fill the disk with what is not wanted
                    break
                file.write(data)
                told(there)
    if there < one.size_bytes:
        raise ConnectionError(f"it broke off after {there} of {one.size_bytes} bytes")


# ------------------------------------------------------------------------------------------------- Maven


def from_maven(maven: str) -> Source:
    """Return a source that has the command ``maven`` fetch the artifacts, and only them."""

    def fetch(wanted: tuple[Artifact, ...], staging: Path, tell: Tell) -> None:
        total = _total(wanted)
        with tempfile.TemporaryDirectory(prefix="trayecto-maven-") as name:
            folder = Path(name)
            (folder / "pom.xml").write_text(_pom(wanted, folder / "copies"), encoding="utf-8")
            command = [maven, "-B", "-U", "-f", str(folder / "pom.xml"), f"-Dmaven.repo.local={staging}"]
            log = folder / "log"
            child = Child.start([*command, f"{_PLUGIN}:copy"], log=log, cwd=folder, environment=os.environ)
            try:
                _watch(
                    child,
                    lambda: _staged(wanted, staging),
                    lambda done: tell(done, total, _note(done, total)),
                )
            finally:
                child.kill()
            if child.code != 0:
                raise FetchError(f"Maven cannot download: {_complaint(log)}", _AWAY)

    return fetch


def _watch(child: Child, staged: Callable[[], int], told: Callable[[int], None]) -> None:
    """Wait for Maven to end, as long as something arrives; Maven's own messages count as well."""
    seen, since = (0, 0), time.monotonic()
    while child.running:
        time.sleep(_POLL_S)
        now = (staged(), child.log.stat().st_size)
        if now[0] != seen[0]:
            told(now[0])
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > IDLE_S_MAX:
            raise FetchError(f"nothing has arrived for {IDLE_S_MAX:.0f} seconds", _AWAY)


def _staged(wanted: tuple[Artifact, ...], staging: Path) -> int:
    """Bytes that have arrived, those of files that are still being written included."""
    total = 0
    for one in wanted:
        place = staging / one.path
        with contextlib.suppress(OSError):  # a file may be renamed while it is looked at
            sizes = [path.stat().st_size for path in place.parent.glob(f"*{one.filename}*")]
            total += min(max(sizes, default=0), one.size_bytes)
    return total


def _pom(wanted: tuple[Artifact, ...], out: Path) -> str:
    """A project that only copies: no dependency of an artifact is looked at, since the list is whole."""
    items = "".join(
        f"<artifactItem><groupId>{one.group}</groupId><artifactId>{one.name}</artifactId>"
        f"<version>{one.version}</version><type>{one.type}</type>"
        + (f"<classifier>{one.classifier}</classifier>" if one.classifier else "")
        + "</artifactItem>\n"
        for one in wanted
    )
    group, name, version = _PLUGIN.split(":")
    return (
        "<project><modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>broker</artifactId>"
        "<version>1</version><packaging>pom</packaging><build><plugins><plugin>"
        f"<groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>"
        f"<configuration><outputDirectory>{out}</outputDirectory>"
        f"<artifactItems>\n{items}</artifactItems></configuration></plugin></plugins></build></project>\n"
    )


def _complaint(log: Path) -> str:
    """The first thing that Maven calls an error, without what it says about itself."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line.removeprefix("[ERROR]").strip() for line in lines if line.startswith("[ERROR]")]
    return next((line for line in errors if line), lines[-1] if lines else "it says nothing")[:500]


# --------------------------------------------------------------------------------------------------- jgo


def from_jgo(wanted: tuple[Artifact, ...], staging: Path, tell: Tell) -> None:
    """Download with the Python package ``jgo``, which finds Maven Central by itself. A :class:`Source`."""
    maven = importlib.import_module("jgo.maven")
    total, done = _total(wanted), 0

    @contextlib.contextmanager
    def shown(name: str, size_bytes: int) -> Iterator[Callable[[int], None]]:
        def more(bytes_more: int) -> None:
            nonlocal done
            done += bytes_more
            tell(done, total, _note(done, total))

        yield more

    context = maven.MavenContext(
        resolver=maven.PythonResolver(progress_callback=shown), repo_cache=staging, local_repos=[]
    )
    for one in wanted:
        # One of an earlier try that was killed is not whole, and jgo would take it as it is.
        (staging / one.path).unlink(missing_ok=True)
        component = context.project(one.group, one.name).at_version(one.version)
        try:
            component.artifact(classifier=one.classifier, packaging=one.type).resolve()
        except (OSError, RuntimeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise FetchError(f"{one.filename} cannot be downloaded: {reason[:300]}", _AWAY) from None
