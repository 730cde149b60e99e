"""What may be sent to whom, and when: consent, blackouts, quiet hours, the dormant, caps, holdouts.

:func:`judge` is asked once for each send that a step wants to make. Its answer is a verdict with the name of
the rule, so that every send held back can be listed and explained. A transactional purpose (a receipt, a
password) is free of consent, blackouts, quiet hours, caps and holdouts; so are channels that reach no contact
(a task for a sales rep, an alert, a webhook).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mypy_extensions import i64

from processor.core.addresses import copy_standing, standing
from processor.core.dormant import covers, keep_sends_after, spared_until
from processor.core.ids import share_of
from processor.core.named import PENDING
from processor.core.test_list import is_test
from processor.core.time import local_span, next_quiet_start, quiet_until
from processor.core.turn import zone_of

if TYPE_CHECKING:
    from processor.core.model import Blackout, Cap, Channel, Program, Purpose, QuietHours
    from processor.core.turn import Turn

__all__ = [
    "ASKED", "SEND", "Verdict", "expiry", "has_consent", "in_holdout", "is_confirmation", "judge",
    "remember_send",
]  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """``outcome``: send, wait (until ``until_ms``) or skip; ``rule`` names what decided.

    "stand" is an answer of ``admission``: the track is held already. ``detail`` goes onto the record.
    """

    outcome: str
    rule: str = ""
    until_ms: int = 0
    detail: dict[str, Any] | None = None


SEND: Final = Verdict("send")
ASKED: Final = "address_asked"  # the rule that holds a send until the address's home has answered


def has_consent(turn: Turn, purpose: str, channel: str = "") -> bool:
    """Whether the contact consents to a purpose (on a channel).

    A channel's own answer goes before the general one.
    """
    consents = turn.row.consents
    if channel:
        own = consents.get(f"{purpose}/{channel}")
        if own is not None:
            return own.granted
    general = consents.get(purpose)
    return general is not None and general.granted


def is_confirmation(turn: Turn, purpose: Purpose, channel: str, template: str) -> bool:
    """Whether a send asks the contact to confirm a consent that is pending."""
    if template not in purpose.confirmations:
        return False
    consents = turn.row.consents
    answer = consents.get(f"{purpose.name}/{channel}")
    if answer is None:
        answer = consents.get(purpose.name)
    return answer is not None and answer.state == PENDING


def judge(
    turn: Turn, purpose: Purpose, channel: Channel, when_quiet: str, when_capped: str, template: str = ""
) -> Verdict:
    """May this send be made now? ``when_quiet`` and ``when_capped`` are "wait" or "skip"."""
    if channel.kind != "message":
        return SEND
    if channel.address and not turn.row.attributes.get(channel.address):
        return Verdict("skip", "no_address")
    free = purpose.transactional or is_confirmation(turn, purpose, channel.name, template)
    if not free and purpose.consent and not has_consent(turn, purpose.name, channel.name):
        return Verdict("skip", "no_consent")
    if channel.guards:
        barred = _of_address(turn, channel)
        if barred is not None:
            return barred
    if free:
        return SEND
    if turn.topology.test_list is not None and is_test(turn):
        return SEND
    policies = turn.topology.policies
    silent = _silent_now(turn, purpose.name, channel.name, when_quiet)
    if silent is not None:
        return silent
    for rule in policies.dormant:
        if covers(rule, purpose.name, channel.name):
            until = spared_until(turn, rule)
            if until:
                return Verdict(when_capped, f"dormant:{rule.name}", until)
    verdict = _under_caps(turn, purpose.name, channel.name, when_capped)
    return _one_copy(turn, channel) if verdict is SEND and channel.one_copy_ms else verdict


def _under_caps(turn: Turn, purpose: str, channel: str, when_capped: str) -> Verdict:
    """The verdict of the caps."""
    for cap in turn.topology.policies.caps:
        if _covers(cap, purpose, channel):
            until = _free_at(turn, cap)
            if until:
                return Verdict(when_capped, f"cap:{cap.name}", until)
    return SEND


def _of_address(turn: Turn, channel: Channel) -> Verdict | None:
    """The verdict of a suppressed address, or of one that is still asked about; None where it is free."""
    rule, held_until = standing(turn, channel)
    if held_until:
        return Verdict("wait", ASKED, held_until)
    return Verdict("skip", f"address:{rule}") if rule else None


def _one_copy(turn: Turn, channel: Channel) -> Verdict:
    """The verdict where contacts with one address get one copy."""
    goes, held_until = copy_standing(turn, channel)
    if held_until:
        return Verdict("wait", ASKED, held_until)
    return SEND if goes else Verdict("skip", "one_copy")


def _silent_now(turn: Turn, purpose: str, channel: str, when_quiet: str) -> Verdict | None:
    """The verdict of a blackout or of quiet hours, None outside of both."""
    policies = turn.topology.policies
    for blackout in policies.blackouts:
        if _covers(blackout, purpose, channel):
            begin, end = local_span(blackout.begin, blackout.end, blackout.zone or zone_of(turn))
            if begin <= turn.now_ms < end:
                return Verdict(when_quiet, f"blackout:{blackout.name}", end)
    for quiet in policies.quiet_hours:
        if _covers(quiet, purpose, channel):
            until = quiet_until(
                turn.now_ms, quiet.from_minutes, quiet.to_minutes, zone_of(turn), quiet.weekdays
            )
            if until is not None:
                return Verdict(when_quiet, "quiet_hours", until)
    return None


def _covers(rule: Cap | QuietHours | Blackout, purpose: str, channel: str) -> bool:
    return (not rule.channels or channel in rule.channels) and (not rule.purposes or purpose in rule.purposes)


def _free_at(turn: Turn, cap: Cap) -> int:
    """0 while the cap leaves room, else the instant at which its oldest counted send leaves the window."""
    since_ms = turn.now_ms - cap.per_ms
    sends = turn.row.sends
    kinds = sends.kinds
    left = cap.at_most
    index: i64 = len(kinds) - 1  # the latest first
    while index >= 0:
        at_ms = sends.at_ms(index)
        if at_ms <= since_ms:
            break
        kind = kinds[index]
        if _covers(cap, sends.purposes[kind], sends.channels[kind]):
            left -= 1
            if left == 0:
                return at_ms + cap.per_ms
        index -= 1
    return 0


def remember_send(turn: Turn, purpose: Purpose, channel: Channel, template: str = "") -> None:
    """Count a send toward the caps; what is older than the longest cap, or beyond SENT_MAX, is let go."""
    if purpose.confirm_ms and is_confirmation(turn, purpose, channel.name, template):
        return
    policies = turn.topology.policies
    caps = policies.caps
    if channel.kind != "message" or purpose.transactional or not (caps or policies.dormant):
        return
    if is_test(turn):
        return
    longest_ms = 0
    for cap in caps:
        longest_ms = max(longest_ms, cap.per_ms)
    keep_after_ms = turn.now_ms - longest_ms
    if policies.dormant:
        keep_after_ms = keep_sends_after(turn, policies.dormant, keep_after_ms)
    turn.row.change_sends().add(turn.now_ms, channel.name, purpose.name, keep_after_ms)


def expiry(turn: Turn, purpose: Purpose, channel: Channel, expires_ms: int) -> int:
    """When a command decided now expires: ``expires_ms`` later, but when quiet hours or a blackout begin."""
    at = turn.now_ms + expires_ms
    if channel.kind != "message" or purpose.transactional:
        return at
    for quiet in turn.topology.policies.quiet_hours:
        if _covers(quiet, purpose.name, channel.name):
            start = next_quiet_start(
                turn.now_ms, quiet.from_minutes, quiet.to_minutes, zone_of(turn), quiet.weekdays
            )
            at = min(at, start)
    for blackout in turn.topology.policies.blackouts:
        if _covers(blackout, purpose.name, channel.name):
            begin, _ = local_span(blackout.begin, blackout.end, blackout.zone or zone_of(turn))
            if turn.now_ms < begin:
                at = min(at, begin)
    return at


def in_holdout(turn: Turn, program: Program) -> str:
    """Return "global" or "program" when the contact is kept apart from this program, else the empty text."""
    purpose = turn.topology.purposes.get(program.purpose)
    if purpose is not None and purpose.transactional:
        return ""
    policies = turn.topology.policies
    if (
        policies.holdout_share
        and share_of(policies.salt, "holdout", turn.contact_id) < policies.holdout_share
    ):
        return "global"
    if program.holdout_share:
        share = share_of(policies.salt, "holdout", program.name, turn.contact_id)
        if share < program.holdout_share:
            return "program"
    return ""
