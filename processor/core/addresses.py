r"""Suppression by address: a bounce or a complaint stops an *address*, whichever contacts have it.

What is known of an address is kept in a row of its own, its **home**, under a keyed hash of channel and
address: the address itself is in no key, no message and no log. The home row is an alias of nobody, so that
no schedule visits it and nobody counts it. It says which rule suppresses the address, which contacts have
asked about it, and who got which message lately.

A contact asks once for each address, before the first send on a channel that guards its addresses; the send
is **held** until the answer has come, by messages in the log. From then on the home tells whoever has asked.
What a contact knows lies among its lists, under names that no list can have: ``\1email/-HASH`` (it may be
sent to), ``\1email/?HASH`` (asked), ``\1email/!HASH complained``. Since that is of the address, it stays
right when two contacts become one.

With ``one_copy``, each send also asks whether another contact with the address got the same step's message.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from processor.core.events import Message
from processor.core.lifecycle import ACTIVE, HELD, move_track
from processor.core.outputs import Decision
from processor.core.time import DAY_MS

if TYPE_CHECKING:
    from processor.core.sending import Channel
    from processor.core.turn import Turn

__all__ = [
    "MARK", "copy_standing", "is_known_list", "leave_addresses", "release_address", "standing", "suppress",
    "suppress_address", "take_address",
]  # fmt: skip

MARK: Final = "\1"  # before names that nobody can give
HOLDERS_MAX: Final = 1_000  # contacts that a home tells; the one that asked first is let go ("holders_full")
COPIES_MAX: Final = 256  # messages that a home remembers for one_copy; the oldest is let go
ASK_MS: Final = DAY_MS  # an answer that has not come by then is asked for again
_DIGEST_BYTES: Final = 12
_DIGEST_CHARS: Final = 24
_RULE_CHARS_MAX: Final = 100


def is_known_list(name: str) -> bool:
    """Whether a name among a row's lists is a list, and not what is known of an address."""
    return not name.startswith(MARK)


def standing(turn: Turn, channel: Channel) -> tuple[str, int]:
    """What holds for the contact's address: (rule that suppresses it or "", 0), or ("", held until ms)."""
    digest = _digest(turn, channel.name, turn.row.attributes.get(channel.address))
    known = _known(turn, channel.name, digest)
    state = known[:1]
    if state == "-":
        return "", 0
    if state == "!":
        return known[_DIGEST_CHARS + 2 :], 0
    asked_ms = turn.row.lists[_name(channel.name, known)] if known else 0
    if turn.now_ms >= asked_ms + ASK_MS:
        _know(turn, channel.name, "?", digest, "", others=True)
        _ask(turn, channel, digest, "")
        asked_ms = turn.now_ms
    return "", asked_ms + ASK_MS


def copy_standing(turn: Turn, channel: Channel) -> tuple[bool, int]:
    """Whether this step's message may go to the address: (True, 0), (False, 0), or (False, held until ms)."""
    enrollment, track = turn.enrollment, turn.track
    assert enrollment is not None, "a send belongs to an enrollment"
    assert track is not None, "a send belongs to a track"
    digest = _digest(turn, channel.name, turn.row.attributes.get(channel.address))
    copy = _hash(turn, enrollment.program, track.step, enrollment.key)
    lists = turn.row.lists
    for answer in ("+", "-"):
        name = f"{MARK}{channel.name}={answer}{copy}"
        if name in lists:
            del turn.row.change_lists()[name]
            return answer == "+", 0
    name = f"{MARK}{channel.name}=?{copy}"
    asked_ms = lists.get(name, 0)
    if turn.now_ms >= asked_ms + ASK_MS:
        asked_ms = turn.row.change_lists()[name] = turn.now_ms
        _ask(turn, channel, digest, copy)
    return False, asked_ms + ASK_MS


def suppress(turn: Turn, channels: tuple[str, ...]) -> None:
    """An event of a contact that suppresses its address (or the one that it names) on these channels."""
    for name in channels:
        _suppress(turn, name, turn.event_type)


def suppress_address(turn: Turn, props: dict[str, Any]) -> None:
    """``address_suppressed``: somebody says so."""
    _suppress(turn, props["channel"], props.get("because") or "by_hand")


def release_address(turn: Turn, props: dict[str, Any]) -> None:
    """``address_released``: the address may be sent to again."""
    _suppress(turn, props["channel"], "")


def _suppress(turn: Turn, name: str, rule: str) -> None:
    """Tell the address's home; for the contact's own it counts at once. Without a rule it is released."""
    channel = turn.topology.channels[name]
    given = turn.props.get("address")
    own = turn.row.attributes.get(channel.address) if channel.address else None
    address = given if isinstance(given, str) and given else own
    if not (channel.guards and address):
        reason = "no_address" if channel.guards else "no_guard"
        _record(turn, "not_suppressed", reason, {"channel": name})
        return
    rule = rule[:_RULE_CHARS_MAX]
    digest = _digest(turn, name, address)
    mine = bool(own) and digest == _digest(turn, name, own)
    if mine:
        _learn(turn, name, digest, rule)
    else:
        _record(turn, *_change(rule), {"channel": name})
    body = {"channel": name, "digest": digest, "rule": rule, "contact": turn.contact_id if mine else ""}
    turn.out.append(Message("address_rule", _home(name, digest), turn.now_ms, body))


def take_address(turn: Turn, message: Message) -> None:
    """A message about an address: to its home, or from there to a contact that has asked."""
    if message.kind == "address_told":
        _told(turn, message)
        return
    row, body = turn.row, message.body
    known = row.change_attributes()
    row.alias = MARK
    holders: list[str] = known.setdefault("holders", [])
    contact = body["contact"]
    if message.kind == "address_left":
        if contact in holders:
            holders.remove(contact)
        return
    if contact and contact not in holders:
        holders.append(contact)
        if len(holders) > HOLDERS_MAX:
            del holders[0]
            _record(turn, "limit", "holders_full", None, message.at_ms)
    told = {"channel": body["channel"], "digest": body["digest"]}
    if message.kind == "address_rule":
        known["rule"] = body["rule"]
        told |= {"rule": body["rule"], "copy": "", "ok": False}
        turn.out.extend([Message("address_told", name, message.at_ms, told) for name in holders])
        return
    copy = body["copy"]
    ok = bool(copy) and _may_have(known, body, message.at_ms)
    told |= {"rule": known.get("rule", ""), "copy": copy, "ok": ok}
    turn.out.append(Message("address_told", contact, message.at_ms, told))


def _may_have(known: dict[str, Any], body: dict[str, Any], now_ms: int) -> bool:
    """Whether no other contact with the address got the message in its window; then this one has it."""
    copies: dict[str, list[Any]] = {
        copy: held for copy, held in known.get("copies", {}).items() if held[1] > now_ms
    }
    known["copies"] = copies
    held = copies.get(body["copy"])
    if held is not None and held[0] != body["contact"]:
        return False
    copies[body["copy"]] = [body["contact"], now_ms + body["within"]]
    if len(copies) > COPIES_MAX:
        del copies[min(copies, key=lambda copy: copies[copy][1])]
    return True


def _told(turn: Turn, message: Message) -> None:
    """The home has answered, or says that something has changed."""
    body = message.body
    name, digest = body["channel"], body["digest"]
    channel = turn.topology.channels.get(name)
    if channel is None or not channel.guards:
        return
    known = _known(turn, name, digest)
    own = turn.row.attributes.get(channel.address)
    if known or (own and digest == _digest(turn, name, own)):
        _learn(turn, name, digest, body["rule"])
    lists = turn.row.lists
    asked = f"{MARK}{name}=?{body['copy']}"
    if body["copy"] and asked in lists:
        lists = turn.row.change_lists()
        del lists[asked]
        lists[f"{MARK}{name}={'+' if body['ok'] else '-'}{body['copy']}"] = turn.now_ms
    _wake(turn, name)


def _learn(turn: Turn, channel: str, digest: str, rule: str) -> None:
    """Write down what holds for an address; a change of it is on record."""
    was = _known(turn, channel, digest)
    _know(turn, channel, "!" if rule else "-", digest, rule, others=False)
    now = _known(turn, channel, digest)
    if was != now and (rule or was[:1] == "!"):
        _record(turn, *_change(rule), {"channel": channel})


def _change(rule: str) -> tuple[str, str]:
    return ("address_suppressed", rule) if rule else ("address_released", "")


def _wake(turn: Turn, channel: str) -> None:
    """Ask again about the sends that wait for the answer."""
    row = turn.row
    if not row.inside:
        return
    until_ms = turn.now_ms + ASK_MS
    for enrollment in row.enrollments:
        program = turn.topology.programs.get(enrollment.program)
        if program is None or enrollment.state != ACTIVE:
            continue
        for track in enrollment.tracks:
            node = program.nodes.get(track.step)
            # Without a mark: a brake or a budget holds for reasons of its own.
            if node is None or track.state != HELD or track.mark or not 0 < track.due_ms <= until_ms:
                continue
            ways = [getattr(node, "channel", ""), *[way.channel for way in getattr(node, "fallbacks", ())]]
            if channel in ways:
                row.change_enrollment(enrollment)
                track.due_ms = 0
                move_track(track, "due")
                track.mark = "due"
                turn.retimed = True
                turn.runnable.append(enrollment)


def leave_addresses(turn: Turn) -> None:
    """The contact is erased: the homes of its addresses forget it. What is suppressed stays so."""
    for name in turn.row.lists:
        channel, slash, known = name[1:].partition("/")
        if name.startswith(MARK) and slash:
            home = _home(channel, known[1 : _DIGEST_CHARS + 1])
            turn.out.append(Message("address_left", home, turn.now_ms, {"contact": turn.contact_id}))


def _ask(turn: Turn, channel: Channel, digest: str, copy: str) -> None:
    body = {
        "channel": channel.name,
        "digest": digest,
        "contact": turn.contact_id,
        "copy": copy,
        "within": channel.one_copy_ms,
    }
    turn.out.append(Message("address_asked", _home(channel.name, digest), turn.now_ms, body))


def _know(turn: Turn, channel: str, state: str, digest: str, rule: str, *, others: bool) -> None:
    """Note a state in place of what was known of the address; ``others``: of all addresses but this one."""
    lists = turn.row.change_lists()
    begin = f"{MARK}{channel}/"
    for name in [name for name in lists if name.startswith(begin)]:
        if others or name[len(begin) + 1 : len(begin) + 1 + _DIGEST_CHARS] == digest:
            del lists[name]
    lists[_name(channel, f"{state}{digest} {rule}" if rule else f"{state}{digest}")] = turn.now_ms


def _known(turn: Turn, channel: str, digest: str) -> str:
    """What the row knows of an address: its state, the hash, a space and the rule; or nothing."""
    begin = f"{MARK}{channel}/"
    for name in turn.row.lists:
        if name.startswith(begin) and name[len(begin) + 1 : len(begin) + 1 + _DIGEST_CHARS] == digest:
            return name[len(begin) :]
    return ""


def _name(channel: str, known: str) -> str:
    return f"{MARK}{channel}/{known}"


def _home(channel: str, digest: str) -> str:
    return f"{MARK}address/{channel}/{digest}"


def _digest(turn: Turn, channel: str, address: Any) -> str:
    """The hash of an address, which is the same however it is written in small or capital letters."""
    return _hash(turn, "address", channel, str(address).strip().casefold())


def _hash(turn: Turn, *parts: str) -> str:
    key = turn.topology.policies.salt.encode()[:64]
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=_DIGEST_BYTES, key=key).hexdigest()


def _record(turn: Turn, kind: str, reason: str, detail: dict[str, Any] | None, at_ms: int = 0) -> None:
    at_ms = at_ms or turn.now_ms
    turn.out.append(Decision(kind, turn.contact_id, at_ms, "", 0, "", "", reason, detail))
