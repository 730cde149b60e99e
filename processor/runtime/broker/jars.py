"""What the broker and the registry are made of: pinned, checked, downloaded once into a cache folder.

``jars.toml`` names every file with its size and sha256. A file comes into its place in one step and only when
it matches, so whatever stands there is whole. What was downloaded before a download broke off stays: the next
one goes on from it. Processes that want the same at once take turns by a lock; the second finds it done.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tarfile
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from processor.runtime.broker.artifacts import Artifact, Source, Tell, quiet
from processor.runtime.broker.errors import FetchError
from processor.runtime.broker.sources import choose_source

__all__ = ["Bundle", "bundle", "bytes_missing", "cache_folder", "kafka_jars", "registry_folder"]

LOCK_WAIT_S_MAX: Final = 1800.0  # another process may be downloading over a slow line
_LOCK_POLL_S: Final = 0.2
_READ_BYTES: Final = 1 << 20
_LIST: Final = Path(__file__).with_name("jars.toml")


class Bundle(NamedTuple):
    """Everything that one program is made of."""

    name: str
    version: str
    artifacts: tuple[Artifact, ...]

    @property
    def bytes_total(self) -> int:
        """What is to be downloaded when nothing is there, in bytes."""
        return sum(one.size_bytes for one in self.artifacts)


@cache
def bundle(name: str) -> Bundle:
    """Return what is pinned for ``kafka`` or ``registry``."""
    found = tomllib.loads(_LIST.read_text(encoding="utf-8"))[name]
    return Bundle(name, found["version"], tuple(map(Artifact.parse, found["artifacts"])))


def cache_folder() -> Path:
    """Return where downloads are kept: TRAYECTO_CACHE, else ``trayecto`` in the user's cache folder (XDG)."""
    if own := os.environ.get("TRAYECTO_CACHE"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says that a relative path is to be ignored.
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "trayecto"


def bytes_missing(name: str) -> int:
    """Return how much has to be downloaded before ``kafka`` or ``registry`` can run, in bytes; 0: nothing."""
    wanted = bundle(name)
    folder = _folder(wanted)
    if name == "registry":
        return 0 if folder.is_dir() else wanted.bytes_total
    return sum(one.size_bytes for one in _missing(wanted.artifacts, folder))


def _folder(wanted: Bundle) -> Path:
    return cache_folder() / f"{wanted.name}-{wanted.version}"


def kafka_jars(tell: Tell = quiet, *, source: Source | None = None) -> tuple[Path, ...]:
    """Return the jars of a broker, its class path, after downloading what is missing.

    Args:
        tell: is told of the download's progress; never called when nothing is missing.
        source: where to download from, by default what :func:`choose_source` finds.

    Raises:
        FetchError: it cannot be downloaded, or what came is not what is pinned.
    """
    wanted = bundle("kafka")
    folder = _folder(wanted)
    if not _missing(wanted.artifacts, folder):
        return _paths(wanted, folder)
    with _turn(tell):
        missing = _missing(wanted.artifacts, folder)
        _download(missing, folder, tell, source)
    return _paths(wanted, folder)


def registry_folder(tell: Tell = quiet, *, source: Source | None = None) -> Path:
    """Return the folder of the unpacked registry, after downloading it when it is missing.

    Args and errors as :func:`kafka_jars`.
    """
    wanted = bundle("registry")
    folder = _folder(wanted)
    if folder.is_dir():
        return folder
    with _turn(tell):
        if not folder.is_dir():
            _download(_missing(wanted.artifacts, cache_folder()), cache_folder(), tell, source)
            (archive,) = (cache_folder() / one.filename for one in wanted.artifacts)
            tell(0, 0, "unpacking")
            _unpack(archive, folder)
            archive.unlink()
    return folder


def _paths(wanted: Bundle, folder: Path) -> tuple[Path, ...]:
    return tuple(folder / one.filename for one in wanted.artifacts)


def _missing(artifacts: tuple[Artifact, ...], folder: Path) -> tuple[Artifact, ...]:
    """What is not there, or not of its size. Nothing comes here unchecked, so no sum is taken anew."""

    def there(one: Artifact) -> bool:
        path = folder / one.filename
        return path.is_file() and path.stat().st_size == one.size_bytes

    return tuple(one for one in artifacts if not there(one))


def _download(missing: tuple[Artifact, ...], folder: Path, tell: Tell, source: Source | None) -> None:
    """Download into a staging folder laid out as a Maven repository, check, and move into place."""
    if not missing:
        return
    staging = cache_folder() / "downloads"
    wanted = tuple(one for one in missing if not _place(one, staging, folder))
    staging.mkdir(parents=True, exist_ok=True)
    if wanted:
        fetch = source or choose_source()
        try:
            fetch(wanted, staging, tell)
        finally:  # what did arrive need not come again
            refused = [one for one in wanted if not _place(one, staging, folder)]
        if refused:
            names = ", ".join(one.filename for one in refused)
            raise FetchError(
                f"what was downloaded is not what is pinned (size or sha256): {names}",
                "try again; if it stays so, the repository that you download from serves other files",
            )
    shutil.rmtree(staging, ignore_errors=True)


def _place(one: Artifact, staging: Path, folder: Path) -> bool:
    """Move a staged file into its place when it is what is pinned; one that is not is thrown away."""
    staged, place = staging / one.path, folder / one.filename
    if not staged.is_file():
        return False
    if staged.stat().st_size != one.size_bytes or _sha256(staged) != one.sha256:
        staged.unlink()
        return False
    folder.mkdir(parents=True, exist_ok=True)
    staged.replace(place)
    return True


def _sha256(path: Path) -> str:
    made = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_READ_BYTES):
            made.update(data)
    return made.hexdigest()


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack beside the folder and give it its name at the end: a folder of that name is whole."""
    for left in folder.parent.glob(f"{folder.name}.part-*"):  # of one that was killed; the lock is ours
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.part-", dir=folder.parent))
    try:
        with tarfile.open(archive) as packed:
            if hasattr(tarfile, "data_filter"):
                packed.extractall(part, filter="data")
            else:  # an early 3.11; the archive's sha256 was checked, so its members are known
                packed.extractall(part)  # noqa: S202 - as said
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


@contextlib.contextmanager
def _turn(tell: Tell) -> Iterator[None]:
    """Hold the cache's lock; the system lets go of it however this process ends."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        _lock(file.fileno(), tell, time.monotonic)
        yield


def _lock(descriptor: int, tell: Tell, clock: Callable[[], float]) -> None:
    end = clock() + LOCK_WAIT_S_MAX
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if clock() > end:
                raise FetchError(
                    "another process has been downloading for too long", "end it and try again"
                ) from None
        if not told:
            tell(0, 0, "waiting for another process that downloads")
            told = True
        time.sleep(_LOCK_POLL_S)
