"""``run``: files or standard input in, rows in RocksDB, output files, without a broker.

Killed at any point and started again with the same arguments, it leaves the very bytes of an uninterrupted
run: see :mod:`processor.runtime.replay` for the order of a commit, and ``position`` for what is kept in it.

The rows' commits are not waited for by the disk, and the outputs' are, before them: so a crash of the machine
can only take the state back behind the outputs, which are then cut and written again.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

import msgspec

from processor.codec.writers import RUN_MARKER, Format, OutputFolder
from processor.core.model import Topology
from processor.runtime.erasures import Erasures
from processor.runtime.garbage import few_collections
from processor.runtime.intake import look_into
from processor.runtime.position import STDIN, Position, RunError, check_sources, check_topology
from processor.runtime.replay import CHUNK_RECORDS, Progress, Replay, wall_clock
from processor.runtime.summary import RunReport
from processor.store import RocksStore, StateError, open_rocks

__all__ = ["PARTITIONS", "RunOptions", "run"]

PARTITIONS: Final = 8
_ROCKS_FILE: Final = "CURRENT"  # there is one in every RocksDB database
_ANEW: Final = "or give a new state and output folder to begin from the first event"


class RunOptions(msgspec.Struct, kw_only=True, frozen=True):
    """What to run.

    Attributes:
        topology: compiled.
        sources: paths of event files in order, "-" for standard input (once).
        state: folder of the RocksDB database, made where it is missing.
        out: folder of the output files, made where it is missing.
        until_ms: run to this instant and not beyond it; 0: to the end of the sources.
        output: "jsonl" or "avro".
        partitions: logical partitions; a state keeps the number it was made with.
        chunk_records: records a commit. Blocks of Avro output are chunks, so it decides their boundaries.
        rows_held_max: rows in memory before a commit in the middle of a chunk.
        sync: whether outputs are brought to the disk before a commit; without it a crash of the machine (not
            of the process) may leave a state that its outputs are too short for.
        signals: stop cleanly on SIGINT and SIGTERM; the second one kills. Only in the main thread.
        now: the wall clock in ms since 1970 UTC.
        erasures: the key of the ledger of erasures, and what is known of them from elsewhere. A run that is
            started again is given the same.
        hook: called with each name of :data:`processor.runtime.replay.STEPS` when that step was done.
    """

    topology: Topology
    sources: tuple[str, ...]
    state: Path
    out: Path
    until_ms: int = 0
    output: Format = "jsonl"
    partitions: int = PARTITIONS
    chunk_records: int = CHUNK_RECORDS
    rows_held_max: int = 20_000
    sync: bool = True
    signals: bool = True
    now: Callable[[], int] = wall_clock
    hook: Callable[[str], None] | None = None
    erasures: Erasures | None = None


def run(options: RunOptions, on_progress: Callable[[Progress], None] | None = None) -> RunReport:
    """Run to the end of the sources or to ``until_ms``; go on where the state is, if there is one.

    ``on_progress`` is called after each chunk. A report with outcome "stopped" is one to start again.

    Raises:
        RunError: the state, the sources or the output folder do not go together.
        SourceError: a source cannot be read (on).
        StateError, OutputError: the state or an output cannot be opened or written, another process has it.
    """
    if options.sources.count(STDIN) > 1:
        raise RunError("standard input is given twice: give - once")
    if options.sources and not (options.state / _ROCKS_FILE).exists():
        look_into(options.sources[0])  # a start that cannot be made leaves nothing behind
    with (
        _open_state(options) as store,
        OutputFolder(options.out, options.output, sync=options.sync) as out,
        _locked(options.out),
        _stoppable(enabled=options.signals) as stopped,
        few_collections(),
    ):
        replay = Replay(
            options.topology,
            store,
            out,
            _opened(options, store, out),
            until_ms=options.until_ms,
            chunk_records=options.chunk_records,
            rows_held_max=options.rows_held_max,
            now=options.now,
            hook=options.hook,
            stopped=stopped,
            on_progress=on_progress,
            erasures=options.erasures,
        )
        return replay.run(options.sources)


@contextmanager
def _open_state(options: RunOptions) -> Iterator[RocksStore]:
    store = open_rocks(
        options.state, partitions=options.partitions, sync=False, topology=options.topology.digest
    )
    try:
        yield store
    except BaseException:
        with suppress(StateError):  # what went wrong first is what to say
            store.close()
        raise
    store.close()


def _opened(options: RunOptions, store: RocksStore, out: OutputFolder) -> Position:
    """Return the position to go on from, with the output files cut back to it."""
    data = store.position()
    if data is None:
        if found := out.names():
            raise RunError(
                f"{options.out} holds outputs of another run ({', '.join(found[:3])}) and the state in "
                f"{options.state} is new: give an empty output folder, or the state that goes with it"
            )
        return _begun(options, store, out, secrets.token_hex(16))
    position = Position.decode(data)
    _check_folder(options, position, out)
    if position.untouched:
        out.truncate_to({})
        return _begun(options, store, out, position.run)
    check_topology(position, options.topology)
    if position.output != options.output:
        raise RunError(
            f"the outputs of this state are written as {position.output}: give that format, or a new state "
            "and output folder to begin from the first event"
        )
    check_sources(position, options.sources)
    out.truncate_to(position.lengths)
    return position


def _begun(options: RunOptions, store: RocksStore, out: OutputFolder, run: str) -> Position:
    """Return a position before the first record, with state and output folder tied to each other."""
    topology = options.topology.digest
    position = Position.new(topology, options.partitions, options.output, options.now(), run=run)
    # First the folder, then the state: killed in between, the state is new and the folder empty as before.
    if out.marker() != run:
        out.mark(run)
    if store.meta.topology != topology:
        store.adopt(topology)
    # From now on, what lies in the output folder is this state's, and may be cut.
    store.commit({}, position.encode())
    return position


def _check_folder(options: RunOptions, position: Position, out: OutputFolder) -> None:
    """Refuse a folder that is not the state's own, before anything in it is cut or removed."""
    marker = out.marker()
    if marker == position.run:
        return
    found = out.names()
    if marker:
        what = "belongs to another run"
    elif found:
        what = f"holds outputs of another run ({', '.join(found[:3])})"
    elif position.lengths:
        what = f"does not hold the outputs of that state ({', '.join(sorted(position.lengths)[:3])})"
    else:  # nothing was written so far, and nothing is there: any folder will do
        out.mark(position.run)
        return
    raise RunError(
        f"{options.out} {what}, and the state in {options.state} goes on where its own outputs end: give the "
        f"output folder that this state was run with, with its file {RUN_MARKER}, {_ANEW}"
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the output folder; the lock goes with the process, however that ends, and leaves no file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(
                f"{folder} is in use by another run: stop that one, or give this one another output folder"
            ) from error
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _stoppable(*, enabled: bool) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether a signal asked to stop. A second signal has its usual effect."""
    asked: list[int] = []
    if not enabled or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, ask)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
