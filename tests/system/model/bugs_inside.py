"""Bugs planted in lanes, in the merge and in local state, over the log in memory."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from processor.runtime.faust.lanes import Lane
from processor.runtime.faust.merge import Merger, _Source
from processor.runtime.faust.table import States
from tests.system.model.planting import BUGS, Bug, Patch, planted

__all__: list[str] = []

# Modules whose names are planted over or looked into; to a type checker they are not for others.
changelog: Any = importlib.import_module("processor.store.changelog")
merging: Any = importlib.import_module("processor.runtime.faust.merge")
restoring: Any = importlib.import_module("processor.runtime.faust.restoring")


# --- the lane


@planted("outcomes_unknown", "missing")
def the_buffer_is_kept_after_an_error(patch: Patch) -> None:
    """What was taken for the work that failed is not fetched again."""
    seek = Lane._seek
    kept: dict[int, Any] = {}

    async def once(self: Any, positions: Any) -> None:
        if self.partition not in kept:
            await seek(self, positions)
            kept[self.partition] = self._merger
        self._merger = kept[self.partition]

    patch.setattr(Lane, "_seek", once)


@planted("outcomes_unknown", "missing")
def the_engine_is_kept_after_an_error(patch: Patch) -> None:
    """Rows in memory, which no transaction has, are counted on."""
    init = Lane.__init__

    def kept(self: Any, settings: Any, partition: int, factory: Any, *others: Any) -> None:
        engines: dict[int, Any] = {}

        def once(number: int, store: Any) -> Any:
            if number not in engines:
                engines[number] = factory(number, store)
            return engines[number]

        init(self, settings, partition, once, *others)

    patch.setattr(Lane, "__init__", kept)


@planted("a_backlog_when_timers_are_due", "early")
def the_wall_clock_moves_time(patch: Patch) -> None:
    """A lane with nothing to do takes the clock on the wall for the log's end."""

    def by_the_wall(self: Any, now_ms: int) -> int | None:
        return now_ms

    patch.setattr(Merger, "watermark_ms", by_the_wall)


@planted("stamps_behind_the_clock", "early")
def no_grace(patch: Patch) -> None:
    """The watermark is the log's end itself."""
    watermark_ms = Merger.watermark_ms

    def at_once(self: Any, now_ms: int) -> int | None:
        found = watermark_ms(self, now_ms)
        return None if found is None else found + 2_000

    patch.setattr(Merger, "watermark_ms", at_once)


# --- the merge


@planted("chunks_arrive_twice", "twice")
def no_skip(patch: Patch) -> None:
    """What lies below the expected offset is taken again."""
    patch.setattr(merging, "bisect_left", lambda *_, **__: 0)


@planted("chunks_are_lost", "missing")
def gaps_are_not_noticed(patch: Patch) -> None:
    """A chunk that begins behind what is expected is taken."""
    offer = Merger.offer

    def any_(self: Any, chunk: Any) -> Any:
        source = self._sources[chunk.topic]
        source.expected = max(source.expected, chunk.start)
        return offer(self, chunk)

    patch.setattr(Merger, "offer", any_)


@planted("two_topics_at_different_speeds", "wrong_order")
def the_merge_does_not_wait(patch: Patch) -> None:
    """A record is taken whether other topics have one or not."""
    take = Merger.take

    def unwaiting(self: Any, limit: int, now_ms: int) -> Any:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(Merger, "_at_end", lambda *_: True)
            return take(self, limit, now_ms)

    patch.setattr(Merger, "may_take", lambda self, _: self.has_records())
    patch.setattr(Merger, "take", unwaiting)


@planted("two_topics_at_different_speeds", "wrong_order")
def merged_by_topic(patch: Patch) -> None:
    """Append times do not count, one topic goes first."""
    pop = _Source.pop
    patch.setattr(_Source, "key", lambda self: (0, self.topic))
    patch.setattr(_Source, "pop", lambda self, limit, _: pop(self, limit, None))


@planted("two_topics_one_slow", "wrong_order")
def an_end_seen_once_counts_for_ever(patch: Patch) -> None:
    """A topic that was at its end is passed by, however long it was not heard of."""
    patch.setattr(Merger, "_at_end", lambda _, source, __: bool(source.empty_at_ms))


@planted("two_topics_one_in_pieces", "wrong_order")
def an_end_that_was_passed_counts(patch: Patch) -> None:
    """A topic stays at its end though its log went on."""
    offer = Merger.offer

    def kept(self: Any, chunk: Any) -> Any:
        source = self._sources[chunk.topic]
        before = source.empty_at_ms
        said = offer(self, chunk)
        source.empty_at_ms = max(source.empty_at_ms, before)
        return said

    patch.setattr(Merger, "offer", kept)


@planted("a_topic_that_lags_when_timers_are_due", "early")
def time_of_the_topic_that_is_ahead(patch: Patch) -> None:
    """The watermark is the greatest of the topics' ends instead of the least."""

    def greatest(self: Any, now_ms: int) -> int | None:
        ends = [source.empty_at_ms for source in self._sources.values() if not source.count]
        return max(ends, default=0) or None

    patch.setattr(Merger, "watermark_ms", greatest)


# --- local state


@planted("killed_in_the_middle_of_a_restore", "wrong_rows")
def the_mark_before_the_rows(patch: Patch) -> None:
    """A restore says how far it is before the rows are written."""

    def two_writes(store: Any, number: int, records: Any, mark: bytes) -> None:
        changelog.stamp(store, *changelog._MARK.unpack(mark))
        changelog.restore(store, number, records, mark)

    patch.setattr(restoring, "restore", two_writes)


@planted("a_wiped_disk", "unfired")
def the_floor_of_the_index_is_not_lowered(patch: Patch) -> None:
    """A restore brings timers back below where the index is said to begin."""

    def later(store: Any, number: int, records: Any, mark: bytes) -> None:
        changelog.restore(store, number, records, mark)
        batch = changelog.WriteBatch(raw_mode=True)
        batch.put(b"w" + number.to_bytes(2, "big"), changelog._DUE.pack(2**62))
        store.write(batch)
        store.forget()

    patch.setattr(restoring, "restore", later)


@planted("the_disk_is_full_for_a_while", "stuck")
def the_database_is_kept_after_a_failed_write(patch: Patch) -> None:
    """A lane begins anew on a database that will not be written any more."""
    patch.setattr(States, "give_up", lambda *_: None)


@planted("quiet_for_a_day", "restored")
def closed_without_a_stamp(patch: Patch) -> None:
    """A database is closed without saying that it is current."""

    def close(self: Any, partition: int, **_: Any) -> None:
        store = self._open.pop(partition, None)
        if store is not None:
            store.close()

    patch.setattr(States, "close", close)


def _believed(what: str) -> Callable[[Patch], None]:
    """Local state is believed although one thing speaks against it."""
    unprovable = restoring._unprovable

    def plant(patch: Patch) -> None:
        def without(*arguments: Any) -> str:
            said: str = unprovable(*arguments)
            return "" if what in said else said

        patch.setattr(restoring, "_unprovable", without)

    return plant


for _name, _what, _scenario, _symptom, _about in (
    ("old", "last current", "local_state_is_old", "local", "older than deletions are kept"),
    ("ahead", "beyond", "local_state_is_ahead", "local", "ahead of the changelog"),
    (
        "early",
        "the changelog begins",
        "local_state_is_behind_retention",
        "stuck",
        "behind the changelog's first",
    ),
):
    BUGS[f"{_name}_state_is_believed"] = Bug(
        _believed(_what), _scenario, _symptom, f"Local state is believed that is {_about}."
    )


@planted("handed_to_and_fro", "twice")
def what_is_on_the_disk_is_not_brought_up_to_date(patch: Patch) -> None:
    """A state that is there already is taken for the latest."""
    read = restoring._read

    async def only_when_empty(settings: Any, store: Any, *others: Any) -> int:
        return 0 if store.position() is not None else int(await read(settings, store, *others))

    patch.setattr(restoring, "_read", only_when_empty)
