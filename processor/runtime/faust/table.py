"""The state of the partitions this worker owns: RocksDB databases, and the Faust table that stands for them.

To Faust the table is what makes it create the changelog topic and assign its partitions beside the sources'.
It is never read or written through Faust: a read would look in the wrong database outside of a stream, and a
write would send to the changelog outside of the transaction.

Faults of Faust 0.15.3 designed around here:

- ``db.close()`` is commented out in its RocksDB store, so a partition that is revoked keeps its lock until
  the garbage collector comes by. Databases are closed explicitly, and the next owner on this disk finds no
  lock.
- Its block cache is 2 GiB for each partition's database. All databases here share one memory.
- It persists the changelog offset after the data, in a second write. Here it is in the same batch.
- The table's contents are served to anyone by its web server (``/table``), which is off.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

import faust
from faust.stores.base import Store
from faust.types import TP

from processor.runtime.faust.settings import WorkerSettings
from processor.store import RocksMemory, RocksStore, StateError, open_rocks
from processor.store.changelog import mark_of, stamp

__all__ = ["Restoring", "StateTable", "States"]

log = logging.getLogger(__name__)

_FOLDER: Final = "partition-{}"


class Restoring(NamedTuple):
    """How far a partition's restore has come: rows read, and the share of what there is to read, 0 to 1."""

    rows: int
    share: float


class States:
    """The databases of this worker, one for each partition it owns, in ``settings.state``.

    ``restoring`` says of each partition how far its latest restore has come.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._memory: RocksMemory | None = None
        self._open: dict[int, RocksStore] = {}
        self.restoring: dict[int, Restoring] = {}

    def path(self, partition: int) -> Path:
        """Where the database of a partition lies."""
        return self._settings.state / _FOLDER.format(partition)

    def open(self, partition: int) -> RocksStore:
        """Return the database of a partition, opened if it is not.

        Raises:
            StateError: it cannot be opened.
        """
        store = self._open.get(partition)
        if store is None:
            if self._memory is None:
                self._memory = RocksMemory(self._settings.state_memory_bytes)
            # Not synced: after a crash of the machine the state may lack the latest writes, as a whole, and
            # the changelog has them.
            store = open_rocks(
                self.path(partition), partitions=self._settings.partitions, sync=False, memory=self._memory
            )
            self._open[partition] = store
        return store

    def anew(self, partition: int, reason: str) -> RocksStore:
        """Throw the database of a partition away and open an empty one; the changelog brings it all back."""
        log.warning("partition %d: local state is thrown away and restored whole: %s", partition, reason)
        store = self._open.pop(partition, None)
        if store is not None:
            store.close()
        shutil.rmtree(self.path(partition), ignore_errors=True)
        return self.open(partition)

    def close(self, partition: int, *, current: bool = True) -> None:
        """Close the database of a partition.

        ``current``: nobody else can have written to the partition until now; the database is told so.
        """
        store = self._open.get(partition)
        if store is None:
            return
        try:
            mark = mark_of(store)
            if mark is not None and current:
                stamp(store, mark[0], self._settings.now_ms())
        except StateError as error:  # a full disk must not keep a worker from stopping
            log.warning(
                "partition %d: it could not be written that the state is current: %s", partition, error
            )
        self.give_up(partition)

    def give_up(self, partition: int) -> None:
        """Close the database of a partition as it is.

        Also after a write that failed, because RocksDB then refuses every other one until the database is
        opened anew, whether the disk has room again or not.
        """
        store = self._open.pop(partition, None)
        if store is not None:
            with contextlib.suppress(StateError):
                store.close()

    def opened(self) -> list[int]:
        """Return the partitions whose databases are open."""
        return sorted(self._open)


class _TableStore(Store[bytes, bytes]):
    """What Faust asks of a table's store, answered for databases that it does not manage."""

    def persisted_offset(self, tp: TP) -> int | None:
        """Nothing: recovery is the lanes', and asks the database itself."""
        return None

    def reset_state(self) -> None:
        """Remove all local state (``faust reset``)."""
        app: Any = self.app
        shutil.rmtree(app.settings.state, ignore_errors=True)

    def apply_changelog_batch(self, batch: Any, to_key: Any, to_value: Any) -> NoReturn:
        """Never called: no changelog is read through Faust."""
        raise _untouchable()

    async def backup_partition(
        self,
        tp: Any,
        flush: bool = True,  # noqa: FBT001, FBT002 - Faust's signature
        purge: bool = False,  # noqa: FBT001, FBT002
        keep: int = 1,
    ) -> NoReturn:
        """Never called: the changelog is the copy."""
        raise _untouchable()

    def restore_backup(
        self,
        tp: Any,
        latest: bool = True,  # noqa: FBT001, FBT002 - Faust's signature
        backup_id: int = 0,
    ) -> NoReturn:
        """Never called, as above."""
        raise _untouchable()

    def __getitem__(self, key: bytes) -> NoReturn:
        raise _untouchable()

    def __setitem__(self, key: bytes, value: bytes) -> NoReturn:
        raise _untouchable()

    def __delitem__(self, key: bytes) -> NoReturn:
        raise _untouchable()

    def __iter__(self) -> Iterator[bytes]:
        raise _untouchable()

    def __len__(self) -> int:
        raise _untouchable()


def _untouchable() -> TypeError:
    return TypeError(
        "the state is read and written by engines only: a write through Faust would leave the transaction"
    )


class StateTable(faust.Table[bytes, bytes]):
    """The table of the app; see the module."""

    def _new_store_by_url(self, url: Any) -> _TableStore:
        return _TableStore(
            url, self.app, self, table_name=self.name, key_type=bytes, value_type=bytes, loop=self.loop
        )
