"""``backtest``: the same run over a recorded log, with nothing sent: a summary, and outputs where asked for.

It is the core, the driver and the loop of ``run``, over a state that is thrown away: so its commands are
those that ``run`` gives for the same log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from processor.codec.outputs import DeadLetter
from processor.codec.sizes import check_outputs
from processor.codec.writers import Format, OutputFolder
from processor.core.model import Topology
from processor.core.outputs import Output
from processor.runtime.erasures import Erasures
from processor.runtime.position import Position, RunError
from processor.runtime.replay import CHUNK_RECORDS, Progress, Replay, Sink, wall_clock
from processor.runtime.summary import RunReport
from processor.store import MemoryStore, Store, open_rocks

__all__ = ["BacktestOptions", "backtest"]

PARTITIONS: Final = 8


class BacktestOptions(msgspec.Struct, kw_only=True, frozen=True):
    """What to replay.

    Attributes:
        topology: compiled.
        sources: paths of event files in order, "-" for standard input (once).
        out: folder for commands, decisions and dead letters, which must be empty; None: only the summary.
        until_ms: replay to this instant; 0: to the end of the sources.
        output: "jsonl" or "avro".
        partitions: logical partitions, as many as the run that it is compared with has.
        chunk_records: records read at a time.
        on_disk: keep rows in a temporary RocksDB instead of memory (about 700 bytes a contact), for logs of
            many millions of contacts.
        now: the wall clock in ms since 1970 UTC.
        erasures: the ledger's key, and who was erased elsewhere: nothing of them is replayed.
    """

    topology: Topology
    sources: tuple[str, ...]
    out: Path | None = None
    until_ms: int = 0
    output: Format = "jsonl"
    partitions: int = PARTITIONS
    chunk_records: int = CHUNK_RECORDS
    on_disk: bool = False
    now: Callable[[], int] = wall_clock
    erasures: Erasures | None = None


def backtest(options: BacktestOptions, on_progress: Callable[[Progress], None] | None = None) -> RunReport:
    """Replay the sources through the topology, from the first record, and report.

    Raises:
        RunError: the output folder is not empty.
        SourceError: a source cannot be read (on).
        StateError, OutputError: the disk failed.
    """
    with _store(options) as store, _sink(options) as sink:
        position = Position.new(options.topology.digest, options.partitions, options.output, options.now())
        replay = Replay(
            options.topology,
            store,
            sink,
            position,
            until_ms=options.until_ms,
            chunk_records=options.chunk_records,
            now=options.now,
            on_progress=on_progress,
            erasures=options.erasures,
        )
        return replay.run(options.sources)


class _Nowhere:
    """Outputs that nobody asked for: they are counted, and gone."""

    def seal(self, outputs: Sequence[Output]) -> None:
        """Refuse what no shell can write."""
        check_outputs(outputs)

    def write(self, *, dead_letters: Sequence[DeadLetter]) -> None:
        """Let go of them."""

    def flush(self) -> dict[str, int]:
        """There are no files."""
        return {}


@contextmanager
def _store(options: BacktestOptions) -> Iterator[Store]:
    store: Store
    if not options.on_disk:
        store = MemoryStore(options.partitions)
        try:
            yield store
        finally:
            store.close()
        return
    with TemporaryDirectory(prefix="trayecto-backtest-") as folder:
        store = open_rocks(Path(folder), partitions=options.partitions, sync=False)
        try:
            yield store
        finally:
            store.close()


@contextmanager
def _sink(options: BacktestOptions) -> Iterator[Sink]:
    if options.out is None:
        yield _Nowhere()
        return
    if options.out.is_dir() and any(options.out.iterdir()):
        raise RunError(f"{options.out} is not empty: give a new folder for the outputs of a backtest")
    with OutputFolder(options.out, options.output, sync=False) as out:
        yield out
