"""The engine of the worker: records of a partition through the driver, what it decides into transactions.

For each record, in merged order: the watermark moves to its append time less the grace, what it passed acts,
then the record is applied. Where that is more than one transaction should hold, the work so far is yielded
first, with the positions before the record: how works are cut decides nothing, because the driver is the one
that files are run with.

Every work also says on the clock topic how far the partition had come. A record that cannot be taken becomes
a dead letter in the same transaction; one that lies in another partition than its contact is forwarded in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from processor.codec.events import Refusal
from processor.codec.murmur2 import partition_of
from processor.codec.outputs import DeadLetter
from processor.codec.records import Clock, Decoder, Encoder
from processor.codec.registry import SchemaSource
from processor.codec.sizes import check_message, check_size
from processor.codec.wire import EventDecoder, SchemaNeeded
from processor.core.events import Event, Message
from processor.core.model import Topology
from processor.core.outputs import Command
from processor.core.outputs import Decision as Decided
from processor.core.topics import TopicNames
from processor.runtime.driver import Driver, Failure, Taken
from processor.runtime.erasures import Erasures
from processor.runtime.faust.engine import (
    LEDGER_PREFIX,
    POSITION_KEY,
    ROW_PREFIX,
    SHARED_KEY,
    Output,
    SourceRecord,
    decode_positions,
    encode_positions,
)
from processor.runtime.letters import checked, letter_of_internal
from processor.store import RocksStore
from processor.store.base import Changes
from processor.store.changelog import encode_mark

__all__ = ["ROWS_HELD_MAX", "Deciding", "Decision", "Deployed", "Tally"]

BRAKE_KINDS: Final = frozenset({"held", "let_go"})
ROWS_HELD_MAX: Final = 4_000  # of one work: a chunk's records and as many timers that they passed

_FAULT: Final = "the processor failed on it, which is a fault of the processor: please report {}"


_NOT_OURS: Final = Refusal("not_ours", "the message is for another partition than the one it lies in")


class _Elsewhere:
    """A record whose contact lives in another partition, and the key that it should have."""

    def __init__(self, number: int, key: bytes) -> None:
        self.number = number
        self.key = key


_Item = Event | Message | Refusal | _Elsewhere | SchemaNeeded


class Deployed:
    """What the partitions of a worker share: topology, topics, the ledger's key, how values are written."""

    def __init__(
        self,
        topology: Topology,
        names: TopicNames,
        source: SchemaSource,
        encoders: Mapping[str, Encoder],
        erasures: Erasures | None = None,
    ) -> None:
        self.erasures = Erasures() if erasures is None else erasures
        self.topology = topology
        self.names = names
        self.fetch = source.fetch
        self.events = EventDecoder(source)
        self.messages = Decoder("message", source)
        self.encoders = encoders
        self.commands = {
            channel: (topic, encoders[topic].encode) for channel, topic in names.commands.items()
        }
        self.encode_decision = encoders[names.decisions].encode
        self.encode_clock = encoders[names.clock].encode
        self.encode_letter = encoders[names.dead_letters].encode
        self.encode_message = encoders[names.internal].encode


class Tally:
    """What a partition's engine has counted since the worker started, for metrics. Labels are bounded."""

    def __init__(self) -> None:
        self.events: dict[str, int] = {}  # by type of the topology
        self.dead: dict[str, int] = {}  # by reason
        self.commands: dict[tuple[str, str], int] = {}  # by channel and program
        self.decisions: dict[str, int] = {}  # by kind
        self.suppressed: dict[str, int] = {}  # by rule
        self.quarantined: dict[str, int] = {}  # timers by program, "" for none
        self.released: dict[str, int] = {}  # the same
        self.braked: dict[tuple[str, str], int] = {}  # tracks by program, and by what held them or let go
        self.brakes: dict[str, tuple[bool, bool]] = {}  # by program: paused, tripped
        self.forwarded = 0
        self.misplaced_keys = 0
        self.watermark_ms = 0

    def note_brake(self, decision: Decided) -> None:
        """Count what a brake holds and lets go of."""
        if decision.kind != "held" or decision.reason in {"breaker", "paused"}:
            what = decision.reason if decision.kind == "held" else decision.kind
            pair = (decision.program, what)
            self.braked[pair] = self.braked.get(pair, 0) + 1


class Decision:
    """One work; see :class:`processor.runtime.faust.engine.Work`."""

    def __init__(
        self,
        engine: Deciding,
        produce: list[Output],
        changes: Changes,
        positions: Mapping[str, int],
        taken: Taken,
    ) -> None:
        self.produce = produce
        self._taken = taken
        self.positions = positions
        self._engine = engine
        self._changes = changes
        self._position = encode_positions(positions)
        self.changelog: list[tuple[bytes, bytes | None]] = [
            (ROW_PREFIX + contact.encode(), data) for contact, data in changes.rows.items()
        ]
        self.changelog += [(LEDGER_PREFIX + hashed, entry) for hashed, entry in changes.ledger.items()]
        if changes.shared is not None:
            self.changelog.append((SHARED_KEY, changes.shared))
        self.changelog.append((POSITION_KEY, self._position))

    def write(self, changelog_offset: int) -> None:
        """Store the rows, their timers, the shared row, position and mark in one batch."""
        self._engine.store_changes(self._changes, self._position, changelog_offset)
        self._engine.count_up(self._taken)


class Deciding:
    """Decides for one partition.

    Args:
        deployed: what partitions share.
        number: the partition.
        partitions: how many there are.
        store: its database, restored.
        grace_ms: what the watermark stays behind append times.
        now_ms: the wall clock, for the age of local state only; it decides nothing.
        tally: what is counted, kept over restarts of the engine.
    """

    def __init__(
        self,
        deployed: Deployed,
        number: int,
        partitions: int,
        store: RocksStore,
        *,
        grace_ms: int,
        now_ms: Callable[[], int],
        tally: Tally | None = None,
    ) -> None:
        self.tally = tally if tally is not None else Tally()
        self._deployed = deployed
        self._number = number
        self._count = partitions
        self._store = store
        self._grace_ms = grace_ms
        self._now_ms = now_ms
        self._positions = decode_positions(store.position())
        self._driver = Driver(
            deployed.topology,
            store,
            partitions,
            owned=(number,),
            rows_held_max=ROWS_HELD_MAX,
            seal=self._seal,
            erasures=deployed.erasures,
        )
        self._partition = self._driver.partitions[0]
        self._outputs: list[Output] = []  # dead letters and forwarded records, in the order of the log
        self._sealed: list[Output] = []  # commands, decisions and messages, as they came about
        self._batch: Sequence[SourceRecord] = ()  # what was read ahead of `records`, and what it holds
        self._items: list[_Item] = []
        self._given: dict[int, SourceRecord] = {}  # what the driver holds, by the identity of the item

    @property
    def positions(self) -> Mapping[str, int]:
        """Next offset of each source topic."""
        return self._positions

    # --- records

    def lacking(self, batch: Sequence[SourceRecord]) -> bool:
        """See :class:`processor.runtime.faust.engine.Asks`. What can be read is, once."""
        if self._batch is not batch:
            self._batch, self._items = batch, [self._read(record) for record in batch]
        else:
            items = zip(batch, self._items, strict=True)
            self._items = [self._read(r) if type(i) is SchemaNeeded else i for r, i in items]
        return SchemaNeeded in {type(item) for item in self._items}

    def ask(self) -> None:
        """See :class:`processor.runtime.faust.engine.Asks`."""
        for key in dict.fromkeys([item.key for item in self._items if type(item) is SchemaNeeded]):
            self._deployed.fetch(key)

    def records(self, batch: Sequence[SourceRecord]) -> Iterator[Decision]:
        """See :class:`processor.runtime.faust.engine.Engine`."""
        driver, counts = self._driver, self.tally.events
        if self._batch is not batch:
            while self.lacking(batch):
                self.ask()
        items, self._items, self._batch = self._items, [], ()
        driver.prefetch(_contacts(items))
        for index, (record, item) in enumerate(zip(batch, items, strict=True)):
            watermark_ms = max(driver.watermark_ms, record.timestamp - self._grace_ms)
            if not driver.pass_some(watermark_ms):
                yield self._work()
                while not driver.pass_some(watermark_ms):
                    yield self._work()
                driver.prefetch(_contacts(items[index:]))  # their rows were let go of
            if type(item) is Event:
                self._given[id(item)] = record
                counts[item.type] = counts.get(item.type, 0) + 1
                driver.take_in(item)
            elif type(item) is Message:
                self._given[id(item)] = record
                driver.take_in_message(item)
            elif type(item) is Refusal:
                self._letter(item.reason, item.message, record)
            elif type(item) is _Elsewhere:
                self._forward(item, record)
            self._positions[record.topic] = record.offset + 1
        yield self._work()

    def idle(self, watermark_ms: int) -> Iterator[Decision]:
        """See :class:`processor.runtime.faust.engine.Engine`."""
        driver = self._driver
        if watermark_ms <= driver.watermark_ms:
            return
        acted = driver.acted
        while not driver.move_some(watermark_ms):
            yield self._work()
            acted = driver.acted
        if driver.acted > acted:
            yield self._work()
        self.tally.watermark_ms = watermark_ms

    # --- reading

    def _read(self, record: SourceRecord) -> _Item:
        """What a record holds: an event or message of this partition, or what is to be done instead."""
        deployed = self._deployed
        if record.topic == deployed.names.internal:
            message: Message | Refusal | SchemaNeeded = deployed.messages.decode(record.value)
            if isinstance(message, Message) and self._driver.number_of(message) != self._number:
                return _NOT_OURS
            return message
        found = deployed.events.decode(record.value, record.timestamp)
        if isinstance(found, SchemaNeeded):
            return found
        event = checked(deployed.topology, found)
        if isinstance(event, Refusal):
            return event
        number = partition_of(event.contact_id, self._count)
        if number != self._number:
            return _Elsewhere(number, event.contact_id.encode())
        if record.key != event.contact_id.encode():
            self.tally.misplaced_keys += 1
        return event

    def _forward(self, item: _Elsewhere, record: SourceRecord) -> None:
        """Send a record that lies in another partition than its contact to where it belongs."""
        self.tally.forwarded += 1
        headers = (*record.headers, ("trayecto-forwarded-from", b"%d" % self._number))
        self._outputs.append(Output(record.topic, item.number, item.key, record.value, headers))

    def _letter(self, reason: str, message: str, record: SourceRecord) -> None:
        letter = DeadLetter.of_record(
            reason, message, record.value, record.topic, record.partition, record.offset
        )
        self._put_letter(letter, record.key)

    def _put_letter(self, letter: DeadLetter, key: bytes | None) -> None:
        deployed = self._deployed
        dead = self.tally.dead
        dead[letter.reason] = dead.get(letter.reason, 0) + 1
        value = deployed.encode_letter(letter)
        self._outputs.append(Output(deployed.names.dead_letters, self._number, key, value))

    # --- works

    def _work(self) -> Decision:
        """Everything since the last work, as one."""
        taken = self._driver.take()
        for failure in taken.failures:
            self._fail(failure)
        self._given.clear()
        produce = self._produced()
        changes = taken.changes[self._number]
        return Decision(self, produce, changes, dict(self._positions), taken)

    def _fail(self, failure: Failure) -> None:
        """What the core could not take: its record, or the timer or message that is in no record of ours."""
        record = self._given.get(id(failure.item))
        if record is None:
            self._put_letter(letter_of_internal(failure), None)
        else:
            self._letter("failed", _FAULT.format(failure.reason), record)

    def _seal(self, outputs: Sequence[Command | Decided | Message]) -> None:
        """Make records of an input's outputs, or raise, and then none of them is kept.

        Here and not at the end of a work: there it would be too late to leave the input out, and the
        partition would begin anew with it for ever.
        """
        deployed, number = self._deployed, self._number
        made: list[Output] = []
        for output in outputs:
            if type(output) is Decided:
                value = deployed.encode_decision(output)
                check_size(output, len(value))
                made.append(Output(deployed.names.decisions, number, output.contact_id.encode(), value))
            elif type(output) is Command:
                topic, encode = deployed.commands[output.channel]
                value = encode(output)
                check_size(output, len(value))
                made.append(Output(topic, number, output.contact_id.encode(), value))
            elif type(output) is Message:
                check_message(output)
                home = self._driver.number_of(output)
                if home == number:
                    continue  # delivered at once, and written nowhere
                value = deployed.encode_message(output)
                made.append(Output(deployed.names.internal, home, output.contact_id.encode() or None, value))
        self._sealed += made

    def _produced(self) -> list[Output]:
        deployed, number = self._deployed, self._number
        outputs, self._outputs = self._outputs, []
        outputs += self._sealed
        self._sealed = []
        shared = self._partition.shared
        clock = Clock(
            dict(sorted(self._positions.items())),
            self._driver.watermark_ms,
            *self._driver.popped,
            shared.sweeps[0].number if shared.sweeps else 0,
            shared.cursor if shared.sweeps else "",
        )
        outputs.append(Output(deployed.names.clock, number, None, deployed.encode_clock(clock)))
        return outputs

    def count_up(self, taken: Taken) -> None:
        """Count what was committed."""
        tally = self.tally
        tally.watermark_ms = self._driver.watermark_ms
        brakes = self._partition.shared.brakes
        if brakes or tally.brakes:
            tally.brakes = {name: (brake.paused, brake.tripped) for name, brake in brakes.items()}
        for command in taken.commands:
            pair = (command.channel, command.program)
            tally.commands[pair] = tally.commands.get(pair, 0) + 1
        decisions, suppressed = tally.decisions, tally.suppressed
        for decision in taken.decisions:
            kind = decision.kind
            decisions[kind] = decisions.get(kind, 0) + 1
            if kind == "suppressed":
                suppressed[decision.reason] = suppressed.get(decision.reason, 0) + 1
            elif kind in BRAKE_KINDS:
                tally.note_brake(decision)
            elif kind in {"quarantined", "released"}:
                of = tally.quarantined if kind == "quarantined" else tally.released
                of[decision.program] = of.get(decision.program, 0) + 1

    def store_changes(self, changes: Changes, position: bytes, changelog_offset: int) -> None:
        """Step 5 of a commit."""
        self._store.commit({self._number: changes}, position, encode_mark(changelog_offset, self._now_ms()))
        self._driver.committed()


def _contacts(items: Sequence[_Item]) -> list[str]:
    """The contacts whose rows these items need; messages to the shared row have none."""
    return [item.contact_id for item in items if isinstance(item, Event | Message) and item.contact_id]
