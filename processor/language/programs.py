"""Programs, from the form of a file to what the machine runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import msgspec

from processor.core.expressions import Names
from processor.core.expressions.tree import Node as ConstantTree
from processor.core.model import Audience, Channel, Entry, Exit, Expression, Fn, Goal, Node, Program
from processor.core.nodes import Leave
from processor.core.time import DAY_MS, format_duration, parse_time
from processor.core.ways_out import ANY, GOAL
from processor.language.entries import entries, entry_types
from processor.language.expressions import Compiler
from processor.language.problems import Mark, instead, quoted
from processor.language.records import Form
from processor.language.step_best import with_goal
from processor.language.wiring import Steps, name_steps, variants, walk, wire

if TYPE_CHECKING:
    from processor.core.turn import Turn

__all__ = ["ProgramSource", "program"]

GOAL_MS: Final = 30 * DAY_MS  # how long a goal counts where the program does not say
PRIORITY: Final = 50
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class ProgramSource(msgspec.Struct, frozen=True):
    """Where a program comes from: its file, what was read from it, and where each step stands, by id.

    ``form.at("entry")`` and its like say where anything else stands.
    """

    file: str
    form: Form
    steps: dict[str, Mark]


class _Site(msgspec.Struct):
    """What compiling the parts of one program needs; ``later`` collects what is read after the entry."""

    form: Form
    compiler: Compiler
    base: Names
    entry_types: tuple[str, ...]
    later: list[Expression] = []

    def condition(self, form: Form, key: str, types: tuple[str, ...] = ()) -> Fn | None:
        """Compile a condition of a goal or an exit, in which ``event.`` is an event of ``types``."""
        return self.compiled(form, key, types, "boolean")

    def compiled(self, form: Form, key: str, types: tuple[str, ...], want: str) -> Fn | None:
        """Compile an expression about an event of ``types`` that gives a ``want``, or None."""
        if key not in form:
            return None
        known = tuple(name for name in types if name in self.compiler.known.events)
        if types and not known:
            return None
        names = msgspec.structs.replace(self.base, event_types=known, entry_types=self.entry_types)
        made = self.compiler.expression(form[key], names, want)
        self.later.append(made)
        return made.fn


def program(
    form: Form, file: str, compiler: Compiler, channels: dict[str, Channel], timezone: ZoneInfo
) -> tuple[Program, ProgramSource]:
    """Return a compiled program and where it comes from; problems are in the compiler's collection.

    Only what could be read is compiled; the result is fit to run when no error was reported.
    """
    problems = compiler.problems
    compiler.known.constants = _constants(form, compiler)
    entry_forms = form.get("entry", [])
    types = entry_types(entry_forms, compiler)
    steps = name_steps(form, compiler)
    base = msgspec.structs.replace(compiler.known.names(), splits=variants(steps))
    site = _Site(form, compiler, base, types)
    nodes = wire(
        steps, _step_names(steps, base, types, compiler), compiler, channels, form.get("purpose", ""), types
    )
    if "steps" in form and not form["steps"]:
        problems.error(form.at("steps"), "no-steps", "the program has no steps", "write at least one step")
    goal = _goal(site)
    bests = with_goal(nodes, {steps.ids[id(step)]: step for step in walk(steps.every)}, goal, problems)
    exits = _exits(site)
    for node in nodes.values():
        site.later.extend(node.expressions)
    made_entries = entries(entry_forms, form.get("program", ""), compiler, timezone)
    opens_ms, closes_ms = _window(form, compiler, timezone)
    made = Program(
        value=_value(site),
        **_plain(form),
        entries=made_entries,
        audience=_audience(site),
        opens_ms=opens_ms,
        closes_ms=closes_ms,
        reenter_ms=form.get("reenter", _usual_reentry(made_entries)),
        goal=goal,
        exits=exits,
        nodes=nodes,
        first=steps.ids[id(steps.forms[0])] if steps.forms else "",
        keeps=_read(site.later, "entry_props"),
        answers=_read(site.later, "answer_props"),
        listeners=_listeners(nodes),
        goal_events=frozenset(goal.events if goal else ()),
        exit_events=_by_event(exits),
        exit_conditions=tuple(way for way in exits if way.condition is not None),
        exit_after_ms=min((way.after_ms for way in exits if way.after_ms), default=0),
        ways_out=_ways_out(site, steps, nodes, exits),
        bests=bests,
        best_events=frozenset(name for rule in bests for name in rule.events),
        timed=frozenset(
            step for node in nodes.values() if (step := getattr(node, "after_step", "")) in nodes
        ),
        keyed=any(entry.key is not None for entry in made_entries),
        file=file,
    )
    marks = {steps.ids[id(step)]: step.mark for step in walk(steps.every)}
    return made, ProgramSource(file, form, marks)


def _constants(form: Form, compiler: Compiler) -> dict[str, ConstantTree]:
    compiler.known.constants = {}  # a constant is made of no other
    given = form.get("let", Form(form.mark)).values
    names = compiler.known.names()
    made = {name: compiler.constant(text, names) for name, text in given.items()}
    return {name: tree for name, tree in made.items() if tree is not None}


def _plain(form: Form) -> dict[str, Any]:
    """Return what a program says in one word or number, by the field of :class:`Program`."""
    group, rank = _hierarchy(form)
    return {
        "name": form.get("program", ""),
        "version": form.get("version", 1),
        "description": form.get("description", ""),
        "purpose": form.get("purpose", ""),
        "priority": form.get("priority", PRIORITY),
        "entrants_max": form["entrants"].get("at_most", 0) if "entrants" in form else 0,
        "holdout_share": float(form.get("holdout", 0)),
        "group": group,
        "rank": rank,
    }


def _step_names(steps: Steps, base: Names, types: tuple[str, ...], compiler: Compiler) -> Names:
    heard: dict[str, None] = {}
    for form in walk(steps.every):
        if form.kind == "wait_for":
            heard.update(
                dict.fromkeys(name for name in form.get("wait_for", ()) if name in compiler.known.events)
            )
    return msgspec.structs.replace(
        base, event_types=types, entry_types=types, answer_types=tuple(heard), event_is_entry=True
    )


def _audience(site: _Site) -> Audience:
    given = site.form.get("audience", Form(site.form.mark))
    names = msgspec.structs.replace(site.base, event_types=site.entry_types, splits={})
    fns = [
        site.compiler.expression(given[key], names, "boolean").fn if key in given else None
        for key in ("only", "never")
    ]
    return Audience(fns[0], fns[1])


def _usual_reentry(entries: tuple[Entry, ...]) -> int:
    """Return 0 (always) where every entry comes round by itself, as a birthday does; else -1 (never)."""
    recurring = all(entry.yearly or entry.cron is not None for entry in entries)
    return 0 if entries and recurring else -1


def _window(form: Form, compiler: Compiler, timezone: ZoneInfo) -> tuple[int, int]:
    given = form.get("window", Form(form.mark))
    opens_ms = parse_time(given["opens"], timezone) if "opens" in given else 0
    closes_ms = 0
    if "closes" in given:
        text = given["closes"]
        closes_ms = parse_time(text, timezone)
        if _DATE.fullmatch(text.strip()):
            # A date that is not a time counts to its end, as people mean it.
            closes_ms = parse_time(f"{text.strip()} 23:59:59.999", timezone) + 1
        if closes_ms <= opens_ms:
            message = "the window closes before it opens"
            compiler.problems.error(
                given.at("closes"), "bad-window", message, "write a later date for closes"
            )
    return opens_ms, closes_ms


def _value(site: _Site) -> Fn | None:
    """Return what a send of the program is worth; as in steps, ``event.`` is the entry event."""
    if "value" not in site.form:
        return None
    names = msgspec.structs.replace(
        site.base, event_types=site.entry_types, entry_types=site.entry_types, event_is_entry=True
    )
    made = site.compiler.expression(site.form["value"], names, "number")
    site.later.append(made)
    return made.fn


def _hierarchy(form: Form) -> tuple[str, float]:
    """Return the hierarchy that the program is in, and its place there."""
    given = form.get("hierarchy")
    if given is None or given.broken:
        return "", 0.0
    return given["group"], float(given["value"])


def _goal(site: _Site) -> Goal | None:
    given = site.form.get("goal")
    if given is None or given.broken:
        return None
    events = tuple(dict.fromkeys(given.get("on", ())))
    return Goal(
        events=events,
        when=site.condition(given, "if", events),
        condition=site.condition(given, "when"),
        within_ms=given.get("within", GOAL_MS),
        value=site.compiled(given, "value", events, "number"),
    )


def _exits(site: _Site) -> tuple[Exit, ...]:
    made: list[Exit] = []
    for given in site.form.get("exit", ()):
        if not isinstance(given, Form):
            when = _withdrawal(site.form.get("purpose", "")) if given == "consent_withdrawn" else None
            made.append(Exit(reason=given, events=(given,), when=when))
        elif given.broken:
            continue
        elif given.kind == "on":
            for name in dict.fromkeys(given["on"]):
                reason = given.get("reason", name)
                made.append(Exit(reason=reason, events=(name,), when=site.condition(given, "if", (name,))))
        elif given.kind == "when":
            condition = site.condition(given, "when")
            reason = given.get("reason", " ".join(given["when"].text.split()))
            made.append(Exit(reason=reason, condition=condition))
        else:
            made.append(Exit(reason=f"after {format_duration(given['after'])}", after_ms=given["after"]))
    return tuple(made)


def _ways_out(site: _Site, steps: Steps, nodes: dict[str, Node], exits: tuple[Exit, ...]) -> dict[str, str]:
    """Return where the steps of each way out begin; a reason for which nobody leaves is reported."""
    given = site.form.get("on_exit")
    if given is None:
        return {}
    reasons = {way.reason for way in exits} | {ANY, GOAL, "removed", "outranked", "date_passed"}
    reasons |= {node.reason for node in nodes.values() if isinstance(node, Leave)}
    for reason in given:
        if reason not in reasons:
            message = f"nobody leaves this program for the reason {quoted(reason)}"
            fix = instead(reason, sorted(reasons))
            site.compiler.problems.error(given.at(reason), "unknown-exit", message, fix)
    return {reason: steps.ids[id(forms[0])] for reason, forms in steps.outs.items() if forms}


def _withdrawal(purpose: str) -> Fn:
    """Return a condition on consent_withdrawn: for this purpose or for all, and not for one channel only."""

    def concerns(turn: Turn) -> Any:
        props = turn.props
        return props.get("purpose") in (None, purpose) and not props.get("channel")

    return concerns


def _by_event(exits: tuple[Exit, ...]) -> dict[str, tuple[Exit, ...]]:
    found: dict[str, list[Exit]] = {}
    for way in exits:
        for name in way.events:
            found.setdefault(name, []).append(way)
    return {name: tuple(ways) for name, ways in found.items()}


def _listeners(nodes: dict[str, Node]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for name, node in nodes.items():
        for heard in node.listens():
            found.setdefault(heard, set()).add(name)
    return {heard: frozenset(names) for heard, names in found.items()}


def _read(expressions: list[Expression], field: str) -> tuple[str, ...]:
    """Return the properties that any of the expressions reads, sorted."""
    return tuple(sorted({name for made in expressions for name in getattr(made.uses, field)}))
