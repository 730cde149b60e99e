"""One log through the driver, chunk by chunk, with a commit after each: what every shell over files does.

For a chunk: decode, check against the event schemas, read the rows ahead, feed record after record with the
watermark, each one's outputs made ready to be written as part of it; write those, flush them, then one commit
of rows and position. The order is what makes a
restart exact: outputs that are longer than the position says are cut back, never the other way round.

**Watermark.** The running maximum, over all sources, of a record's append time less a grace of 2 s, or of its
``occurred_at`` where the log keeps no append time. Refused records do not move it.

**The end.** Without ``until_ms`` time ends at the watermark. With it, reading stops before the first record
that lies beyond it (by its append time, where it has one), and time goes on to it; a later run with a larger
one begins with that record, so nothing is ever left out.

**The future.** Without ``until_ms`` a record more than 5 minutes ahead of the wall clock is refused. The wall
clock is an input, so it is recorded before it is used: once for a run, however often that is started again,
and anew when records come after a finished run, or after a stream made us wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from processor.codec.events import Refusal
from processor.codec.outputs import DeadLetter
from processor.codec.readers import Batch, Source
from processor.core.events import Event
from processor.core.model import Topology
from processor.core.outputs import Output
from processor.core.turn import NEVER_MS
from processor.runtime.driver import Driver, Failure
from processor.runtime.erasures import Erasures
from processor.runtime.intake import Chunk, checksum_of, chunks, open_when_ready
from processor.runtime.letters import (
    FUTURE_MS_MAX,
    letter_of_failed,
    letter_of_internal,
    letter_of_refused,
)
from processor.runtime.position import STDIN, Position, is_stream, mark_of
from processor.runtime.sorting import sort_out
from processor.runtime.summary import Outcome, RunReport, contacts_by_grade, report
from processor.store import Store

__all__ = ["CHUNK_RECORDS", "FUTURE_MS_MAX", "GRACE_MS", "STEPS", "Progress", "Replay", "Sink", "wall_clock"]

CHUNK_RECORDS: Final = 5_000
GRACE_MS: Final = 2_000  # producers' retries and clocks: what may still arrive behind an append time
WALL_MS_MAX: Final = 60_000  # a waiting stream's wall clock is looked at again after so long
STEPS: Final = ("read", "taken", "written", "flushed", "committed")
"""What ``hook`` is called with: a chunk was read; then the steps of a commit, each when it was done."""


class Sink(Protocol):
    """Where outputs go: :class:`processor.codec.writers.OutputFolder`, or nowhere."""

    def seal(self, outputs: Sequence[Output]) -> None:
        """Take the outputs of one input, or raise where one cannot be written, or is too large."""
        ...

    def write(self, *, dead_letters: Sequence[DeadLetter]) -> None:
        """Take dead letters."""
        ...

    def flush(self) -> dict[str, int]:
        """Bring them to the disk; returns the length of each file."""
        ...


class Progress(msgspec.Struct, frozen=True):
    """How far a run has come. ``total_bytes`` is 0 where it is not known (a stream).

    ``read_bytes`` reaches it with the last report of a run that came to its end, and not before: a reader is
    ahead of the records that were acted on.
    """

    records: int
    read_bytes: int
    total_bytes: int
    watermark_ms: int


class StopRequestedError(Exception):
    """Raised inside a checkpoint, after its commit, when the run was asked to stop."""


def wall_clock() -> int:
    """The wall clock in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


class Replay:
    """A run over a log, from a position on. See the module for what it promises."""

    def __init__(  # noqa: PLR0913 - a shell names them all
        self,
        topology: Topology,
        store: Store,
        sink: Sink,
        position: Position,
        *,
        until_ms: int = 0,
        chunk_records: int = CHUNK_RECORDS,
        rows_held_max: int = 20_000,
        now: Callable[[], int] = wall_clock,
        hook: Callable[[str], None] | None = None,
        stopped: Callable[[], bool] = lambda: False,
        on_progress: Callable[[Progress], None] | None = None,
        erasures: Erasures | None = None,
    ) -> None:
        assert 0 < chunk_records < rows_held_max, "a chunk's rows must fit into memory"
        self.position = position
        self._topology = topology
        self._store = store
        self._sink = sink
        self._until_ms = until_ms
        self._chunk_records = chunk_records
        self._now = now
        self._hook = hook or _no_hook
        self._stopped = stopped
        self._on_progress = on_progress
        self._driver = Driver(
            topology,
            store,
            position.partitions,
            checkpoint=self._checkpoint,
            rows_held_max=rows_held_max,
            seal=sink.seal,
            erasures=erasures,
        )
        self._watermark_ms = max(position.watermark_ms, self._driver.watermark_ms)
        self._records: Batch = []  # the chunk at hand, and how many of its records are done
        self._items: list[Event | Refusal] = []
        self._done = 0
        self._kept = 0  # and committed
        self._name = ""
        self._letters: list[tuple[int, DeadLetter]] = []
        self._checkpointed = False
        self._run_records = 0
        self._read_bytes = self._total_bytes = 0

    def run(self, sources: Sequence[str]) -> RunReport:
        """Read the sources from the position on, to their end or to ``until_ms``, and report.

        Raises:
            SourceError: a source cannot be read (on); what came before it is committed.
            StateError, OutputError: the disk failed; the state is as of the latest commit.
        """
        began = time.perf_counter()
        outcome: Outcome = "stopped"
        try:
            if self._read_all(sources):
                outcome = self._finish()
            if outcome == "finished":
                self._tell(self._total_bytes)
        except StopRequestedError:
            pass
        seconds = time.perf_counter() - began
        return self._report(outcome, seconds)

    def _report(self, outcome: Outcome, seconds: float) -> RunReport:
        # A stop is to be quick; the rest needs a pass over rows and timers.
        stores = [partition.store for partition in self._driver.partitions]
        waiting, next_ms = (0, NEVER_MS) if outcome == "stopped" else self._driver.waiting()
        return report(
            self._topology,
            self.position.tallies,
            outcome=outcome,
            rows=(0, {}) if outcome == "stopped" else contacts_by_grade(self._topology, stores),
            waiting=(waiting, 0 if next_ms == NEVER_MS else next_ms),
            watermark_ms=self.position.watermark_ms,
            run=(self._run_records, seconds),
        )

    # --- reading

    def _read_all(self, sources: Sequence[str]) -> bool:
        """Feed the sources. Returns whether the end was reached, and not a stop."""
        self._total_bytes = _total_bytes(sources)
        position = self.position
        first = max(0, len(position.sources) - 1)
        self._read_bytes = _total_bytes(sources[:first]) if self._total_bytes else 0
        for path in sources[first:]:
            source = open_when_ready(path, self._stopped)
            if source is None:
                return False
            with source:
                going_on = first < len(position.sources)
                reached = self._read_source(path, source, going_on=going_on)
                first = len(position.sources)
                if reached is not None:
                    return reached
                self._read_bytes += source.size_bytes
        return True

    def _read_source(self, path: str, source: Source, *, going_on: bool) -> bool | None:
        """Feed one source. Returns None at its end, True when the time is up, False for a stop."""
        position = self.position
        if not going_on:
            position.sources.append(mark_of(path))
            position.number = position.taken = position.checksum = 0
        self._name = source.name
        early = position.output != "avro"  # whose blocks are chunks, and must come out the same again
        for chunk in chunks(source, path, position, self._chunk_records, self._stopped, early=early):
            self._hook("read")
            self._record_wall(chunk)
            items, contacts, time_is_up = self._sort_out(chunk.records)
            if items:
                position.finished = False
                self._process(chunk.records, items, contacts)
                self._commit()
                self._tell(min(self._read_bytes + source.read_bytes, self._total_bytes - 1))
            if time_is_up:
                return True
            if self._stopped():
                return False
        if self._stopped():
            return False
        position.sources[-1] = mark_of(path, source.read_bytes)
        return None

    def _record_wall(self, chunk: Chunk) -> None:
        """Look at the wall clock where it may have moved on, and commit what it says before it is used."""
        position = self.position
        now_ms = self._now()
        if position.finished or (chunk.stalled and now_ms - position.wall_ms > WALL_MS_MAX):
            position.wall_ms = now_ms
            if not self._until_ms:  # with it, nothing asks
                position.finished = False
                self._store.commit({}, position.encode())

    def _tell(self, read_bytes: int) -> None:
        if self._on_progress is not None:
            position, total = self.position, self._total_bytes
            self._on_progress(Progress(position.total, max(0, read_bytes), total, position.watermark_ms))

    # --- one chunk

    def _process(self, records: Batch, items: list[Event | Refusal], contacts: list[str]) -> None:
        """Feed or refuse the records of one chunk, of which ``items`` may be the first part."""
        self._records = records
        self._items = items
        self._done = self._kept = 0
        self._checkpointed = False
        driver = self._driver
        driver.prefetch(contacts)
        feed = driver.feed
        watermark_ms = self._watermark_ms
        for index, item in enumerate(items):
            self._done = index
            if isinstance(item, Refusal):
                self._refuse(index, item)
                continue
            append_ms = item.append_ms
            reached_ms = append_ms - GRACE_MS if append_ms else item.occurred_ms
            if reached_ms > watermark_ms:
                self._watermark_ms = watermark_ms = reached_ms
            feed(item, watermark_ms)
            if self._checkpointed:
                # Rows were let go of in the middle. A restart from there reads ahead from here, too.
                self._checkpointed = False
                driver.prefetch([later.contact_id for later in items[index + 1 :] if type(later) is Event])
        self._done = len(items)

    def _sort_out(self, records: Batch) -> tuple[list[Event | Refusal], list[str], bool]:
        """Decode and check. Returns what to feed or refuse, the contacts, and whether the time is up."""
        until_ms = self._until_ms or NEVER_MS
        future_ms = NEVER_MS if self._until_ms else self.position.wall_ms + FUTURE_MS_MAX
        return sort_out(self._topology, records, until_ms, future_ms)

    def _refuse(self, index: int, refusal: Refusal) -> None:
        letter = letter_of_refused(refusal, self._name, *self._records[index])
        # Failures of the core come with the next take; this keeps the order of both, wherever that is.
        self._letters.append((self._driver.failed, letter))
        self.position.tallies.refuse(refusal.reason)

    # --- committing

    def _checkpoint(self) -> None:
        """The driver asks in the middle: the record at hand was not taken yet, its watermark was."""
        self._checkpointed = True
        self._commit()
        if self._stopped():
            raise StopRequestedError

    def _commit(self) -> None:
        position = self.position
        taken = self._driver.take()
        self._hook("taken")
        self._sink.write(dead_letters=self._dead_letters(taken.failures))  # all else was sealed
        self._hook("written")
        position.lengths = self._sink.flush()
        self._hook("flushed")
        self._advance()
        position.tallies.add(taken.commands, taken.decisions)
        position.watermark_ms = self._driver.watermark_ms
        self._store.commit(taken.changes, position.encode())
        self._hook("committed")
        self._driver.committed()

    def _advance(self) -> None:
        """Move the position over the records done since the last commit."""
        position, done, kept = self.position, self._done, self._kept
        if done == kept:
            return
        records = self._records[kept:done]
        position.number = records[-1][0]
        position.taken += done - kept
        position.total += done - kept
        if position.sources[-1].stream:
            position.checksum = checksum_of(records, position.checksum)
        position.tallies.records += done - kept
        self._run_records += done - kept
        self._kept = done

    def _dead_letters(self, failures: Sequence[Failure]) -> list[DeadLetter]:
        """Refusals, and what the core could not take, in the order of the log."""
        refused, self._letters = self._letters, []
        if not failures:
            return [letter for _, letter in refused]
        tallies = self.position.tallies
        tallies.failed += len(failures)
        indexes = {id(item): index for index, item in enumerate(self._items)}
        letters: list[DeadLetter] = []
        at = 0
        for number, failure in enumerate(failures):
            while at < len(refused) and refused[at][0] <= number:
                letters.append(refused[at][1])
                at += 1
            index = indexes.get(id(failure.item))
            if index is None:
                letters.append(letter_of_internal(failure))
            else:
                tallies.failed_events += 1
                letters.append(letter_of_failed(failure.reason, self._name, *self._records[index]))
        return letters + [letter for _, letter in refused[at:]]

    def _finish(self) -> Outcome:
        """Everything was read: let time go on to its end."""
        position = self.position
        target_ms = max(self._until_ms, self._watermark_ms)
        if position.finished and target_ms <= position.watermark_ms:
            return "nothing_new"
        position.finished = False  # a checkpoint on the way is not the end
        if target_ms:
            self._driver.move(target_ms)
        position.finished = True
        self._commit()
        return "finished"


def _no_hook(_: str) -> None:
    pass


def _total_bytes(sources: Sequence[str]) -> int:
    """The size of all files, 0 where there is a stream among them or one is missing (opening it says so)."""
    if any(path == STDIN or is_stream(path) or not Path(path).is_file() for path in sources):
        return 0
    return sum(Path(path).stat().st_size for path in sources)
