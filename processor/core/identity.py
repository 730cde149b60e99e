"""Two contacts become one: an anonymous visitor becomes known, or two known contacts turn out to be one.

The event lies in the partition of the contact that stays; the one that goes may live elsewhere. So a message
asks its row to **depart**; the row travels as a message and leaves an **alias** behind, which passes on
whatever comes later; and where it **arrives** it is taken in (``merging`` has the rules).

Partitions run at different speeds, so two contacts can become each other at once, or five in a circle. Then
every one of them is an alias and every row travels. Three rules make one row of them in any case:

- A message notes the aliases that it passes, each with its **stamp**, the alias's clock at departure. One
  that comes to an alias it has passed before has gone round a circle.
- It then goes to the alias in that circle that departed last (by stamp, then name). All that go round agree
  on which that is; it is no alias any more and takes in what comes.
- Whoever takes in what has passed two aliases or more tells all but the last that it is where they lead, so
  that chains do not grow. Its own clock is then later than the stamps of those that are passed over: so the
  one that departed last in a circle is never one of them.

``contact_identified`` makes a known contact of an anonymous one, once: an anonymous id that has become
somebody already (one browser, two people) merges nothing. ``contacts_merged`` merges whatever its ids have
become.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from processor.core.events import Event, Message
from processor.core.merging import take_in
from processor.core.outputs import Decision
from processor.core.rows import Row

if TYPE_CHECKING:
    from processor.core.turn import Turn

__all__ = ["IDENTIFYING", "IMPORT_MARK", "ask_to_depart", "event_of", "forward", "point_here", "travel"]

IDENTIFYING: Final = frozenset({"contact_identified", "contacts_merged"})
IMPORT_MARK: Final = "\1import/"  # before the ids of files, among the lists of a row
HOPS_MAX: Final = 256  # aliases that a message passes; beyond it it ends there, recorded ("alias_chain")


def ask_to_depart(turn: Turn) -> None:
    """The event at hand names a contact that is this one: ask its row to come here."""
    once = turn.event_type == "contact_identified"
    other = turn.props.get("anonymous_id" if once else "other_id")
    if isinstance(other, str) and other and other != turn.contact_id:
        body = {"to": turn.contact_id, "once": once, "path": [], "muted": turn.muted}
        turn.out.append(Message("depart", other, turn.now_ms, body))


def travel(turn: Turn, message: Message) -> bool:
    """A row is asked to depart, arrives, or learns where its alias leads; False for other messages."""
    if message.kind == "depart":
        _depart(turn, message)
    elif message.kind == "arrive":
        _arrive(turn, message)
    elif message.kind == "shorten":
        _shorten(turn, message)
    elif message.kind == "address_told" and _pass_on(turn, message.kind, message.body, message.at_ms):
        pass  # what is known of an address is for whoever has it now
    else:
        return False
    return True


def _depart(turn: Turn, message: Message) -> None:
    """Send this row to the contact it becomes, and leave an alias."""
    row = turn.row
    body = message.body
    to = body["to"]
    passed = _path(body)
    if to in {turn.contact_id, row.alias} or _pass_on(turn, message.kind, body, message.at_ms):
        return
    if to in [name for name, _ in passed]:
        return  # it has become this one
    if passed and body.get("once"):
        turn.out.append(_decision(turn, "not_merged", "identified_before", {"with": to, "id": passed[0][0]}))
        return
    muted = body.get("muted", False)
    travelling = {"row": row.encode(), "from": turn.contact_id, "path": [], "muted": muted}
    turn.out.append(Message("arrive", to, turn.now_ms, travelling))
    turn.out.append(_decision(turn, "merged", "departed", {"into": to}))
    gone = Row.new(row.swept)
    lines = {name: line for name, line in row.lists.items() if name.startswith(IMPORT_MARK)}
    if lines:
        gone.change_lists().update(lines)
    gone.alias = to
    gone.clock_ms = row.clock_ms
    gone.recent = row.recent
    turn.row = gone
    turn.retimed = True


def _arrive(turn: Turn, message: Message) -> None:
    """Take in the row of a contact that has become this one."""
    body = message.body
    if _pass_on(turn, message.kind, body, message.at_ms):
        return
    point_here(turn, body)
    was = body["from"]
    turn.muted = bool(body.get("muted"))
    take_in(turn, Row.decode(body["row"]), was)
    if was == turn.contact_id:
        turn.out.append(_decision(turn, "merged", "stays", None))
    else:
        turn.out.append(_decision(turn, "merged", "arrived", {"from": was}))


def _pass_on(turn: Turn, kind: str, body: dict[str, Any], at_ms: int) -> bool:
    """Pass a message on to the contact that this one has become; False where it is for this row."""
    row = turn.row
    if not row.alias:
        return False
    me = turn.contact_id
    if body.get("elected", -1) == row.clock_ms:
        _stay(turn)
        return False
    path = _path(body)
    begin = next((at for at, (name, stamp) in enumerate(path) if name == me and stamp == row.clock_ms), -1)
    if begin >= 0:
        stamp, last = max((stamp, name) for name, stamp in path[begin:])
        if last == me:
            _stay(turn)
            return False
        turn.out.append(Message(kind, last, at_ms, body | {"path": [], "elected": stamp}))
    elif len(path) >= HOPS_MAX:
        turn.out.append(_decision(turn, "limit", "alias_chain", None))
    else:
        further = body | {"path": [*path, [me, row.clock_ms]], "elected": -1}
        turn.out.append(Message(kind, row.alias, at_ms, further))
    return True


def _stay(turn: Turn) -> None:
    """This contact is no alias any more. Should it depart again, that has a stamp of its own."""
    row = turn.row
    row.alias = ""
    row.clock_ms = turn.now_ms = row.clock_ms + 1


def point_here(turn: Turn, body: dict[str, Any]) -> None:
    """Something has come here past aliases: all but the last of them are to lead here at once."""
    path = _path(body)
    if len(path) < 2:  # noqa: PLR2004 - the last one leads here
        return
    row = turn.row
    row.clock_ms = turn.now_ms = max(row.clock_ms, *[stamp + 1 for _, stamp in path])
    for name, stamp in path[:-1]:
        if name != turn.contact_id:
            turn.out.append(Message("shorten", name, turn.now_ms, {"to": turn.contact_id, "stamp": stamp}))


def _shorten(turn: Turn, message: Message) -> None:
    """An alias learns where it leads in the end."""
    row = turn.row
    if row.alias and row.clock_ms == message.body["stamp"]:
        row.alias = message.body["to"]


def forward(turn: Turn, event: Event, body: dict[str, Any]) -> bool:
    """Pass an event on to the contact that this one has become; False where it is for this row after all.

    ``body`` is of the message that brought it, empty for an event from the log.
    """
    further = body or {
        "path": [],
        "event_id": event.event_id,
        "type": event.type,
        "occurred_ms": event.occurred_ms,
        "properties": event.properties,
        "fingerprint": event.fingerprint,
        "append_ms": event.append_ms,
    }
    to = turn.row.alias
    if not _pass_on(turn, "event", further, event.occurred_ms):
        return False
    turn.out.append(_decision(turn, "forwarded", "", {"event": event.event_id, "to": to}))
    return True


def event_of(message: Message) -> Event:
    """The event that a message forwards."""
    body = message.body
    return Event(
        body["event_id"],
        message.contact_id,
        body["type"],
        body["occurred_ms"],
        body["properties"],
        body["fingerprint"],
        body["append_ms"],
    )


def _path(body: dict[str, Any]) -> list[tuple[str, int]]:
    """The aliases passed, as (contact, stamp); none in a message of an earlier release."""
    return [(name, stamp) for name, stamp in body.get("path", ())]


def _decision(turn: Turn, kind: str, reason: str, detail: dict[str, Any] | None) -> Decision:
    return Decision(kind, turn.contact_id, turn.row.clock_ms, "", 0, "", "", reason, detail)
