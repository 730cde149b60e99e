"""A scenario's expectations against what came: what matches, differs, is missing, was not asked for.

Commands are compared in order. To say "the second one has another time" instead of "one is missing and one
too many", both lists are aligned at the least cost first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from processor.core.outputs import Command, Decision
from processor.core.time import local
from processor.language.scenarios import Expected, Held

__all__ = ["Difference", "Pair", "aligned_commands", "aligned_held", "shown", "unequal", "values_text"]

_GAP: Final = 10  # the cost of a missing or a surplus item
_SAME_KIND: Final = 2  # of the right template, with another time, value, …
_OTHER: Final = 19  # of something else in its place: a little less than both at once
_TEXT_MAX: Final = 60


class Pair(msgspec.Struct, frozen=True):
    """A line of a comparison side by side. ``sign``: "=" as expected, "!" differs, "-" missing, "+" extra."""

    sign: str
    expected: str
    got: str
    line: int = 0


class Difference(msgspec.Struct, frozen=True):
    """What did not come as expected. ``about`` is the scenario's key, ``line`` its place."""

    about: str
    expected: str
    got: str
    line: int = 0


def shown(at_ms: int, zone: ZoneInfo, *, brief: bool = False) -> str:
    """An instant on a clock of the zone: "2026-03-01 10:00", with seconds where there are any.

    ``brief`` leaves the seconds out.
    """
    at = local(at_ms, zone)
    if brief:
        return at.strftime("%Y-%m-%d %H:%M")
    text = at.strftime("%Y-%m-%d %H:%M:%S" if at.second or at.microsecond else "%Y-%m-%d %H:%M")
    return f"{text}.{at.microsecond // 1000:03d}" if at.microsecond else text


def values_text(values: Any) -> str:
    """A value on one short line, as JSON."""
    text = values if isinstance(values, str) else msgspec.json.encode(values).decode()
    return text if len(text) <= _TEXT_MAX else text[: _TEXT_MAX - 1] + "…"


def unequal(expected: Any, got: Any) -> bool:
    """Whether two values differ; 3 and 3.0 are one number, true and 1 are not."""
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is not got
    return bool(expected != got)


def aligned_commands(
    expected: Sequence[Expected], got: Sequence[Command], zone: ZoneInfo, program: str
) -> list[Pair]:
    """Return expected and given commands side by side; all signs are "=" when they match."""
    steps = _align(expected, got, lambda e, c: not _wrong(e, c), _same_template)
    return [_command_pair(e, c, zone, program) for e, c in steps]


def aligned_held(expected: Sequence[Held], got: Sequence[Decision], zone: ZoneInfo) -> list[Pair]:
    """Return expected and recorded refusals of the policies side by side."""
    pairs = []
    for held, decision in _align(expected, got, _is_held, lambda h, d: h.step == d.step):
        left = _held_text(held, zone) if held is not None else ""
        right = ""
        if decision is not None:
            parts = [shown(decision.at_ms, zone), decision.step, decision.reason]
            right = "  ".join(parts)
        sign = _sign(
            held, decision, right=held is not None and decision is not None and _is_held(held, decision)
        )
        pairs.append(Pair(sign, left, right, held.line if held is not None else 0))
    return pairs


def _is_held(held: Held, decision: Decision) -> bool:
    wanted = (held.at_ms, held.program, held.step)
    found = (decision.at_ms, decision.program, decision.step)
    if any(one is not None and one != other for one, other in zip(wanted, found, strict=True)):
        return False
    return held.reason is None or held.reason in {decision.reason, decision.reason.partition(":")[0]}


def _held_text(held: Held, zone: ZoneInfo) -> str:
    at = shown(held.at_ms, zone) if held.at_ms is not None else ""
    return "  ".join(part for part in (at, held.program or "", held.step or "", held.reason or "") if part)


def _sign(expected: object, got: object, *, right: bool) -> str:
    if expected is None:
        return "+"
    if got is None:
        return "-"
    return "=" if right else "!"


def _same_template(expected: Expected, command: Command) -> bool:
    if expected.channel != command.channel:
        return False
    # A task or an alert has no template: it is called by its kind, or by the team it goes to.
    named = {command.template} if command.template else {"", command.kind, command.values.get("team")}
    return expected.template in named


def _wrong(expected: Expected, command: Command) -> list[str]:
    """The names of what differs."""
    wrong = [] if _same_template(expected, command) else ["template"]
    times = (
        ("at", expected.at_ms, command.decided_ms),
        ("not_before", expected.not_before_ms, command.not_before_ms),
        ("expires", expected.expires_ms, command.expires_ms),
        ("step", expected.step, command.step),
        ("program", expected.program, command.program),
        ("purpose", expected.purpose, command.purpose),
    )
    wrong += [name for name, wanted, found in times if wanted is not None and wanted != found]
    if expected.variant is not None and expected.variant not in _variants(command):
        wrong.append("variant")
    values = expected.values or {}
    missing = object()
    wrong += [
        f"values.{name}"
        for name, wanted in values.items()
        if unequal(wanted, command.values.get(name, missing))
    ]
    return wrong


def _variants(command: Command) -> set[str]:
    parts = command.variant.split(",") if command.variant else []
    return {command.variant, *parts, *(part.partition("=")[2] for part in parts)}


def _command_pair(expected: Expected | None, command: Command | None, zone: ZoneInfo, program: str) -> Pair:
    left = right = ""
    if expected is not None:
        left = _line(expected.at_ms, f"{expected.channel}: {expected.template}", zone)
        left += _more(expected, expected, zone)
    if command is not None:
        name = command.template or command.values.get("team") or command.kind
        right = _line(command.decided_ms, f"{command.channel}: {name}", zone)
        if expected is not None:
            right += _more(expected, command, zone)
        elif command.program != program:
            right += f"  program {command.program}"
    good = expected is not None and command is not None and not _wrong(expected, command)
    return Pair(
        _sign(expected, command, right=good), left, right, expected.line if expected is not None else 0
    )


def _line(at_ms: int | None, what: str, zone: ZoneInfo) -> str:
    return f"{shown(at_ms, zone) if at_ms is not None else 'any time':16}  {what}"


def _more(asked: Expected, of: Expected | Command, zone: ZoneInfo) -> str:
    """What else is compared, in the same order for both sides."""
    parts = [f"{name} {getattr(of, name)}" for name in ("program", "step", "purpose") if getattr(asked, name)]
    if asked.variant is not None:
        parts.append(f"variant {of.variant}")
    if asked.not_before_ms is not None:
        parts.append(f"not before {shown(of.not_before_ms or 0, zone)}")
    if asked.expires_ms is not None:
        parts.append(f"expires {shown(of.expires_ms or 0, zone)}")
    parts += [f"{name}={values_text((of.values or {}).get(name))}" for name in asked.values or {}]
    return "".join(f"  {part}" for part in parts)


def _align(
    expected: Sequence[Any],
    got: Sequence[Any],
    good: Callable[[Any, Any], bool],
    alike: Callable[[Any, Any], bool],
) -> list[tuple[Any, Any]]:
    """Pair two lists in order at the least cost; None stands for what has no partner."""

    def cost(one: Any, other: Any) -> int:
        if good(one, other):
            return 0
        return _SAME_KIND if alike(one, other) else _OTHER

    rows, columns = len(expected), len(got)
    table = [[_GAP * (i + j) if not i or not j else 0 for j in range(columns + 1)] for i in range(rows + 1)]
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            table[i][j] = min(
                table[i - 1][j - 1] + cost(expected[i - 1], got[j - 1]),
                table[i - 1][j] + _GAP,
                table[i][j - 1] + _GAP,
            )
    pairs: list[tuple[Any, Any]] = []
    i, j = rows, columns
    while i or j:
        if i and j and table[i][j] == table[i - 1][j - 1] + cost(expected[i - 1], got[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((expected[i], got[j]))
        elif i and table[i][j] == table[i - 1][j] + _GAP:
            i -= 1
            pairs.append((expected[i], None))
        else:
            j -= 1
            pairs.append((None, got[j]))
    return pairs[::-1]
