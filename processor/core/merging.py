"""What becomes of each part of two rows whose contacts become one. The guide (identity.md) gives the reasons.

The row that is here **stays**, the other one **arrives**. Nothing depends on which partition was ahead: what
both hold is added, united, or decided by the time of each answer.

- What the staying contact has of the profile wins: which of two values is later cannot be told.
- Of two answers about consent the later wins, a withdrawal on a tie; a withdrawal from every channel takes
  the other contact's earlier answers for single channels with it.
- Histories are added and interleaved; scores are added; thresholds and grades that neither had reached are
  events, others are not. What both used of a rule's cap is added.
- Memberships of lists and segments are united (segments are then looked at again).
- Sends of both count toward the caps. Event ids of both are known, in turn from the latest.
- Enrollments are united. Where both are in one program with one key, the staying contact's goes on; one that
  the staying contact's re-entry rule would have kept out ends. One that waits for a unit of a cap on entrants
  queues here. What one of them has done since ends what the other was in, where it is a goal or an exit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.core.brakes import let_go_arrived
from processor.core.consenting import note_arrived
from processor.core.enrollments import end
from processor.core.entries import granted, take_unit
from processor.core.hierarchies import settle_hierarchies
from processor.core.history import merge
from processor.core.lifecycle import ACTIVE, ENDED, HELD, PENDING, move_enrollment
from processor.core.limits import (
    ATTRIBUTES_MAX,
    CONSENTS_MAX,
    ENROLLMENTS_MAX,
    LISTS_MAX,
    MERGED_MAX,
    RECENT_MAX,
)
from processor.core.named import GRANTED, WITHDRAWN, Past
from processor.core.outputs import Decision
from processor.core.pacing import ask_again
from processor.core.profiling import delete_scores
from processor.core.recording import record
from processor.core.rivalry import LEASE, NEXT
from processor.core.score_merge import merge_scores, predict_anew

if TYPE_CHECKING:
    from processor.core.named import Consent, History
    from processor.core.rows import Row
    from processor.core.sections import Enrollment
    from processor.core.turn import Turn

__all__ = ["take_in"]

_FINGERPRINT_BYTES = 8


def take_in(turn: Turn, other: Row, was: str) -> None:
    """Merge another contact's row into the turn's; ``was``: the id of that contact."""
    row = turn.row
    turn.now_ms = turn.occurred_ms = row.clock_ms = max(turn.now_ms, row.clock_ms, other.clock_ms)
    row.active_ms = max(row.active_ms, other.active_ms)
    row.recent = _merge_recent(row.recent, other.recent)
    over = _over(turn, row.enrollments, other.history) + _over(turn, other.enrollments, row.history)
    taken = _merge_profile(turn, other)
    _merge_consents(turn, other)
    merge(row.history, other.history)
    merge_scores(turn, other)
    delete_scores(turn)
    segments = row.change_segments()
    for name, since_ms in other.segments.items():
        segments[name] = min(since_ms, segments.get(name, since_ms))
    _merge_sends(row, other)
    _merge_enrollments(turn, other)
    _merge_past(row, other)
    for enrollment, signal, reason in over:
        if enrollment.state != ENDED:
            end(turn, enrollment, signal, reason)
    _end_withdrawn(turn)
    settle_hierarchies(turn)
    row.inside = sorted({enrollment.program for enrollment in row.enrollments})
    _merge_timers(turn, other, taken)
    row.armed = sum([timer.kind == "idle" for timer in row.timers])
    _note_ids(turn, [*other.origin.merged, was])
    turn.redated.append("")
    turn.stale.extend(turn.topology.segments)
    if turn.shared.brakes:
        let_go_arrived(turn)
    turn.retimed = True
    turn.zone = None
    predict_anew(turn, other)


def _merge_recent(mine: bytes, theirs: bytes) -> bytes:
    """The event ids that both remember, in turn from the latest, as many as a row keeps."""
    found: list[bytes] = []
    for at in range(RECENT_MAX):
        for ids in (theirs, mine):
            begin = len(ids) - (at + 1) * _FINGERPRINT_BYTES
            one = ids[begin : begin + _FINGERPRINT_BYTES] if begin >= 0 else b""
            if one and one not in found and len(found) < RECENT_MAX:
                found.append(one)
    found.reverse()
    return b"".join(found)


def _note_ids(turn: Turn, names: list[str]) -> None:
    """Remember which ids became this contact: they are erased with it."""
    origin = turn.row.change_origin()
    kept = [name for name in origin.merged if name not in names]
    kept.extend([name for name in names if name != turn.contact_id])
    if len(kept) > MERGED_MAX:
        kept = kept[len(kept) - MERGED_MAX :]
        _limit(turn, "ids_full", "")
    origin.merged = kept


def _limit(turn: Turn, reason: str, name: str) -> None:
    detail = {"name": name} if name else None
    turn.out.append(Decision("limit", turn.contact_id, turn.now_ms, "", 0, "", "", reason, detail))


def _merge_profile(turn: Turn, other: Row) -> list[str]:
    """Returns the attributes that come from the other contact."""
    row = turn.row
    taken: list[str] = []
    attributes = row.change_attributes()
    for name, value in other.attributes.items():
        if name in attributes:
            continue
        if len(attributes) >= ATTRIBUTES_MAX:
            _limit(turn, "profile_full", name)
            continue
        attributes[name] = value
        taken.append(name)
    lists = row.change_lists()
    for name, since in other.lists.items():
        if name.startswith("\1import/"):
            continue  # stays with the alias
        if name not in lists and len(lists) >= LISTS_MAX:
            _limit(turn, "lists_full", name)
        else:
            lists[name] = min(since, lists.get(name, since))
    return taken


def _merge_timers(turn: Turn, other: Row, taken: list[str]) -> None:
    """Timers that the staying contact lacks; one for a date only with the attribute that it stands for."""
    timers = turn.row.change_timers()
    known = {(timer.kind, timer.name) for timer in timers}
    for timer in other.timers:
        if (timer.kind, timer.name) in known:
            continue
        if timer.kind == "date":
            program, _, name = timer.name.partition("/")
            entry = turn.topology.entry_named(program, name)
            if entry is None or entry.attribute not in taken:
                continue
        timers.append(timer)


def _merge_consents(turn: Turn, other: Row) -> None:
    """The later answer wins; a withdrawal on a tie, and where there is no room for all."""
    consents = turn.row.consents
    theirs = other.consents.all()
    mine = {key: _rank(answer) for key, answer in consents.all().items()}
    taken: list[str] = []
    for key in sorted(theirs, key=lambda key: (theirs[key].state != WITHDRAWN, key)):
        answer = theirs[key]
        if key in mine and _rank(answer) <= mine[key]:
            continue
        if key in mine or len(consents.names()) < CONSENTS_MAX or answer.state == WITHDRAWN:
            consents.answer(key, answer.state, answer.at_ms, answer.wording, answer.by)
            taken.append(key)
        else:
            _limit(turn, "consents_full", key)
    for key, answer in consents.all().items():
        purpose, _, channel = key.partition("/")
        general = consents.get(purpose) if channel else None
        if general is None or general.state != WITHDRAWN or answer.state == WITHDRAWN:
            continue
        if general.at_ms >= answer.at_ms:  # what was agreed to for one channel, elsewhere and before
            consents.answer(key, WITHDRAWN, general.at_ms, general.wording, general.by)
            taken.append(key)
    note_arrived(turn, taken)


def _rank(answer: Consent) -> tuple[int, int]:
    return answer.at_ms, 1 if answer.state == WITHDRAWN else 0 if answer.state == GRANTED else -1


def _merge_past(row: Row, other: Row) -> None:
    for name, past in other.past.all().items():
        own = row.past.get(name)
        if own is None:
            row.past.put(name, Past(past.entries, past.entered_ms, past.ended_ms, past.keys))
            continue
        row.past.change(own)
        own.entries += past.entries
        own.entered_ms = max(own.entered_ms, past.entered_ms)
        own.ended_ms = max(own.ended_ms, past.ended_ms)
        keys = own.all_keys()
        for key, at in past.all_keys().items():
            keys[key] = max(at, keys.get(key, 0))
        own.keys = b""
        for key in sorted(keys, key=lambda key: (keys[key], key)):
            own.use_key(key, keys[key])


def _merge_sends(row: Row, other: Row) -> None:
    both = sorted([*row.sends.all(), *other.sends.all()])
    sends = row.change_sends()
    sends.times, sends.kinds = b"", b""
    for at_ms, channel, purpose in both:
        sends.add(at_ms, channel, purpose, 0)


def _merge_enrollments(turn: Turn, other: Row) -> None:
    mine = turn.row.change_enrollments()
    inside = {(enrollment.program, enrollment.key) for enrollment in mine if enrollment.state != ENDED}
    for enrollment in other.enrollments:
        program = turn.topology.programs.get(enrollment.program)
        walks = enrollment.state in {ACTIVE, PENDING}
        if (enrollment.program, enrollment.key) in inside:
            _leave(turn, enrollment, "merged_double")
        elif len(inside) >= ENROLLMENTS_MAX:
            _leave(turn, enrollment, "too_many_enrollments")
        elif walks and program is None:
            _leave(turn, enrollment, "program_removed")
        elif walks and program is not None and _kept_out(turn, enrollment):
            _leave(turn, enrollment, "merged_reentry")
        else:
            enrollment.changed = True
            mine.append(enrollment)
            if turn.topology.paced:
                ask_again(turn, enrollment)
            inside.add((enrollment.program, enrollment.key))
            _ask_anew(turn, enrollment)
            if enrollment.state == PENDING and program is not None and take_unit(turn, program, enrollment):
                granted(turn, program, enrollment, unit=True)


def _ask_anew(turn: Turn, enrollment: Enrollment) -> None:
    """What waits for its budget was answered in the other partition, if at all: it asks here, at once."""
    for track in enrollment.tracks:
        asks = track.mark.startswith(LEASE) or track.mark.startswith(NEXT)
        if track.state == HELD and asks and track.due_ms > 0:
            track.due_ms = turn.now_ms


def _leave(turn: Turn, enrollment: Enrollment, reason: str) -> None:
    """An enrollment does not come along. What is past of its program does."""
    step = enrollment.tracks[0].step if enrollment.tracks else ""
    record(turn, "exited", enrollment, step, reason)
    move_enrollment(enrollment, "exit")


def _kept_out(turn: Turn, enrollment: Enrollment) -> bool:
    """Whether the staying contact had been through the program, so that the other's entry was one too many.

    To be asked before what is past of both is added up.
    """
    program = turn.topology.programs[enrollment.program]
    past = turn.row.past.get(program.name)
    if past is None or not program.reenter_ms:
        return False
    if program.keyed:
        ended_ms = past.key_ms(enrollment.key)
        if ended_ms < 0:
            return False
    else:
        ended_ms = past.ended_ms
    return program.reenter_ms < 0 or enrollment.entered_ms < ended_ms + program.reenter_ms


def _over(turn: Turn, enrollments: list[Enrollment], history: History) -> list[tuple[Enrollment, str, str]]:
    """Enrollments of one contact that something the other has done since they began is the end of.

    Only goals and exits without a condition of their own can be told from a history, and only where something
    in the topology remembers the event: as (enrollment, signal, reason).
    """
    found: list[tuple[Enrollment, str, str]] = []
    for enrollment in enrollments:
        program = turn.topology.programs.get(enrollment.program)
        if program is None or enrollment.state == ENDED:
            continue
        goal = program.goal
        if goal is not None and goal.when is None and enrollment.state != PENDING:
            reached = [name for name in goal.events if _since(history, name, enrollment)]
            if reached and _last_ms(history, reached[0]) <= enrollment.goal_by_ms:
                found.append((enrollment, "goal", reached[0]))
                continue
        for way in program.exits:
            if way.when is None and [name for name in way.events if _since(history, name, enrollment)]:
                found.append((enrollment, "exit", way.reason))
                break
    return found


def _end_withdrawn(turn: Turn) -> None:
    """Programs that a withdrawal ends, and the other contact has withdrawn since they were entered."""
    consents = turn.row.consents
    for enrollment in turn.row.enrollments:
        program = turn.topology.programs.get(enrollment.program)
        if program is None or enrollment.state == ENDED:
            continue
        answer = consents.get(program.purpose)
        if answer is None or answer.state != WITHDRAWN or answer.at_ms <= enrollment.entered_ms:
            continue
        for way in program.exits:
            if "consent_withdrawn" in way.events:
                end(turn, enrollment, "exit", way.reason)
                break


def _last_ms(history: History, event: str) -> int:
    series = history.get(event)
    return 0 if series is None else series.last_ms


def _since(history: History, event: str, enrollment: Enrollment) -> bool:
    """Whether the last of these events came after the enrollment began."""
    return _last_ms(history, event) > enrollment.entered_ms
