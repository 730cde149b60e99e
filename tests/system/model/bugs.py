"""Bugs planted in transactions and positions, over the log in memory: which scenario shows each, and as what.

Those of ``tests/system/mutations`` are planted here as well; what only a real broker can show stays there.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

from processor.runtime.faust.commit import Committer
from processor.runtime.faust.engine import POSITION_KEY
from processor.runtime.faust.lanes import Lane
from processor.runtime.faust.producers import PartitionProducer
from processor.store import RocksStore
from tests.system.model.planting import BUGS, Bug, Patch, planted
from tests.system.mutations import MUTATIONS

__all__: list[str] = []

# Modules whose names are planted over; to a type checker they are not for others to write.
lanes: Any = importlib.import_module("processor.runtime.faust.lanes")
restoring: Any = importlib.import_module("processor.runtime.faust.restoring")
merging: Any = importlib.import_module("processor.runtime.faust.merge")
producers: Any = importlib.import_module("processor.runtime.faust.producers")
mutations: Any = importlib.import_module("tests.system.mutations")


def _also_here(name: str, scenario: str, symptom: str) -> None:
    """A bug that is planted in worker processes as well; what it changes is put back afterwards."""

    def plant(patch: Patch) -> None:
        for owner, attribute in mutations.CHANGED:
            patch.setattr(owner, attribute, getattr(owner, attribute))
        MUTATIONS[name]()

    BUGS[name] = Bug(plant, scenario, symptom, MUTATIONS[name].__doc__ or "")


_also_here("written_before_the_commit", "killed_at_every_step", "missing")
_also_here("outputs_outside_of_the_transaction", "killed_at_every_step", "twice")
_also_here("position_from_the_group", "the_groups_offsets_are_stale", "twice")
_also_here("begins_at_earliest_when_lost", "retention_took_the_position", "skipped")
_also_here("fenced_after_the_restore", "a_zombie_during_the_restore", "twice")
_also_here("nobody_is_fenced", "a_zombie_during_the_restore", "twice")
_also_here("markers_not_counted", "killed_at_every_step", "stuck")
_also_here("restores_what_was_aborted", "killed_at_every_step", "missing")
_also_here("timers_not_rebuilt", "a_wiped_disk", "unfired")
_also_here("the_transaction_is_tried_again", "outcomes_unknown", "twice")
_also_here("restarts_without_a_restore", "outcomes_unknown", "twice")


# --- a transaction


@planted("killed_at_every_step", "missing")
def rows_outside_of_the_transaction(patch: Patch) -> None:
    """The changelog is written by a producer without transactions."""

    async def changelog_(self: Any, items: Any) -> Any:
        settings = self._settings
        plain = producers.AIOKafkaProducer(bootstrap_servers=settings.brokers)
        await plain.start()
        batch = plain.create_batch()
        for key, value in items:
            while batch.append(key=key, value=value, timestamp=None, headers=[]) is None:
                await plain.send_batch(batch, settings.changelog, partition=self._partition)
                batch = plain.create_batch()
        sent = await (await plain.send_batch(batch, settings.changelog, partition=self._partition))
        return int(sent.offset) + batch.record_count()

    patch.setattr(PartitionProducer, "changelog", changelog_)


@planted("a_batch_is_refused", "missing")
def a_failed_produce_is_silent(patch: Patch) -> None:
    """Futures of batches are not looked at."""

    async def all_of(sent: Any) -> Any:
        return [(-1, count) for _, count in sent]

    patch.setattr(producers, "_all_of", all_of)


@planted("outcomes_unknown", "missing")
def a_time_out_is_taken_for_success(patch: Patch) -> None:
    """A transaction whose end is not known counts as committed."""
    once = Committer.commit

    async def commit_(self: Any, work: Any) -> None:
        try:
            await once(self, work)
        except TimeoutError:
            await self._producer.discard()
            await self._producer.start()
            work.write(self._changelog_offset)

    patch.setattr(Committer, "commit", commit_)


@planted("outcomes_unknown", "stuck")
def the_producer_is_used_again_after_an_error(patch: Patch) -> None:
    """The transaction that an error left open is never settled, and the changelog does not go on."""
    start, begin = PartitionProducer.start, PartitionProducer.begin
    kept: dict[int, Any] = {}

    async def start_(self: Any) -> None:
        if self._partition in kept:
            self._producer = kept[self._partition]
        else:
            await start(self)
            kept[self._partition] = self._producer

    async def begin_(self: Any) -> None:
        if not self._producer._in_transaction:
            await begin(self)

    async def discard(self: Any) -> None:
        self._producer = None

    patch.setattr(PartitionProducer, "start", start_)
    patch.setattr(PartitionProducer, "begin", begin_)
    patch.setattr(PartitionProducer, "discard", discard)


# --- the position


class _Committing:
    """A work whose changelog is changed on its way into the transaction."""

    def __init__(self, work: Any, rows: Any) -> None:
        self._work, self.changelog = work, rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)


@planted("a_wiped_disk", "twice")
def no_position_in_the_changelog(patch: Patch) -> None:
    """Rows alone are in the changelog, and nothing asserts otherwise."""
    changelog_ = PartitionProducer.changelog

    async def without(self: Any, items: Any) -> Any:
        return await changelog_(self, [item for item in items if item[0] != POSITION_KEY])

    patch.setattr(PartitionProducer, "changelog", without)


@planted("a_wiped_disk", "twice")
def the_position_of_the_work_before(patch: Patch) -> None:
    """The position in the changelog is one work late."""
    changelog_ = PartitionProducer.changelog
    before: dict[int, bytes] = {}

    async def late(self: Any, items: Any) -> Any:
        now = dict(items)[POSITION_KEY]
        kept = before.get(self._partition, now)
        before[self._partition] = now
        return await changelog_(self, [(k, kept if k == POSITION_KEY else v) for k, v in items])

    patch.setattr(PartitionProducer, "changelog", late)


@planted("killed_at_every_step", "twice")
def no_position_in_the_local_write(patch: Patch) -> None:
    """Rows and mark are written locally, the position is not."""
    commit = RocksStore.commit

    def without(self: Any, changes: Any, position: bytes, mark: bytes | None = None) -> None:
        commit(self, changes, self.position() or position, mark)

    patch.setattr(RocksStore, "commit", without)


@planted("killed_at_every_step", "stuck")
def no_seek(patch: Patch) -> None:
    """The consumer stays where the group's offsets had it begin."""
    seek = Lane._seek

    async def not_sought(self: Any, positions: Any) -> None:
        source = self._source
        asked = source.seek

        async def elsewhere(offsets: Any, epoch: int) -> bool:
            return True

        with contextlib.ExitStack() as stack:
            stack.callback(setattr, source, "seek", asked)
            source.seek = elsewhere
            await seek(self, positions)

    patch.setattr(Lane, "_seek", not_sought)
