"""Topologies and decisions made up for reports: as many programs, contacts and days as a test wants."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from processor.core.model import Topology
from processor.core.outputs import Decision
from processor.core.time import DAY_MS, HOUR_MS, MINUTE_MS, parse_time
from processor.language import load_topology
from processor.runtime.report import Accumulator, Report, build

__all__ = ["PROGRAM", "START_MS", "TOP", "day", "of", "report_of", "topology", "year"]

Moment = tuple[Any, ...]
START_MS = parse_time("2026-01-05T00:00:00Z")  # a Monday
TOP = """
topology: made
currency: EUR
timezone: Europe/Madrid
events: {came: {}, bought: {value: number?}}
purposes: {service: {consent: not_required}}
channels: {email: {cost: 0.01}, sms: {cost: 0.1}, push: {}}
scores: {heat: {grades: {cold: 0, warm: 10, hot: 30}, rules: [{on: came, add: 6}]}}
"""
PROGRAM = """
program: NAME
purpose: service
entry: {on: came}
reenter: always
holdout: 10
goal: {on: bought, within: 14d, value: event.value}
steps:
  - {send: email, template: hello}
  - wait: 2d
  - split:
      plain: {share: 34, steps: [{send: email, template: plain}]}
      bold: {share: 33, steps: [{send: email, template: bold}]}
      text: {share: 33, steps: [{send: sms, template: text}]}
"""


def day(days: float) -> int:
    """An instant so many days after the start."""
    return START_MS + round(days * DAY_MS)


def topology(folder: Path, programs: Mapping[str, str] | Sequence[str], top: str = TOP) -> Topology:
    """A topology of programs: by name, with their files, or PROGRAM for all."""
    files = programs if isinstance(programs, Mapping) else dict.fromkeys(programs, PROGRAM)
    (folder / "programs").mkdir(parents=True, exist_ok=True)
    (folder / "topology.yaml").write_text(top, encoding="utf-8")
    for name, text in files.items():
        (folder / "programs" / f"{name}.yaml").write_text(text.replace("NAME", name), encoding="utf-8")
    return load_topology(folder).topology


def of(
    contact: str, name: str, *moments: Moment, start_ms: int = START_MS, key: str = ""
) -> Iterator[Decision]:
    """Decisions of one enrollment: (day, kind, step, reason, detail); the last three may be missing."""
    for moment in moments:
        missing: list[Any] = ["", "", None]
        at, kind, step, reason, detail = [*moment, *missing[len(moment) - 2 :]]
        at_ms = start_ms + round(at * DAY_MS)
        yield Decision(kind, contact, at_ms, name, 1, f"{contact}/{name}/{key}", step, reason, detail)


def report_of(made: Topology, decisions: Iterable[Decision], **bounds: object) -> Report:
    """The report of decisions."""
    found = Accumulator(made.timezone, **bounds)  # type: ignore[arg-type]
    for one in decisions:
        found.add(one)
    return build(found, made)


def year(
    names: Sequence[str],
    contacts: int,
    *,
    days: float = 365,
    seed: int = 1,
    treated: float = 0.24,
    held_out: float = 0.16,
    variants: Mapping[str, float] | None = None,
) -> Iterator[Decision]:
    """Contacts that come into programs over a time, as PROGRAM has them, with effects of a known size.

    ``variants``: what each adds to the rate of goals. Sends are suppressed now and then, grades come and go.
    """
    rng = random.Random(seed)
    adds = variants if variants is not None else {"plain": 0.0, "bold": 0.09, "text": -0.04}
    for number in range(contacts):
        contact = f"c-{number}"
        begin = rng.random() ** 0.7 * days
        grade = rng.random()
        if grade < 0.5:
            yield _graded(contact, begin, "cold", "warm")
            if grade < 0.2:
                yield _graded(contact, min(days, begin + 20), "warm", "hot")
            elif grade < 0.3:
                yield _graded(contact, min(days, begin + 30), "warm", "cold")
        for name in names:
            if rng.random() < 1.6 / len(names):
                yield from _walk(rng, contact, name, begin, days, (treated, held_out, adds))


def _graded(contact: str, at: float, before: str, after: str) -> Decision:
    detail = {"score": "heat", "from": before, "to": after}
    return Decision("graded", contact, day(at), "", 0, "", "", "", detail)


def _walk(
    rng: random.Random,
    contact: str,
    name: str,
    begin: float,
    days: float,
    rates: tuple[float, float, Mapping[str, float]],
) -> Iterator[Decision]:
    treated, held_out, adds = rates
    apart = rng.random() < 0.1
    variant = rng.choice(list(adds))
    rate = held_out if apart else treated + adds[variant]
    after = begin + rng.expovariate(0.25) if rng.random() < rate else 1e9
    moments: list[Moment] = []
    if apart:
        moments.append((begin, "holdout", "", "program"))
    else:
        email = {"channel": "email", "template": "hello"}
        moments += [
            (begin, "entered"),
            _send(rng, begin, "send-email-hello", email),
            (begin, "waiting", "wait-2d"),
            (begin + 2, "split", "split-plain-bold-text", variant),
            _send(
                rng,
                begin + 2,
                f"send-{'sms' if variant == 'text' else 'email'}-{variant}",
                {"channel": "sms" if variant == "text" else "email", "template": variant},
            ),
            (begin + 2, "completed"),
        ]
    goal = min(after, begin + 14)
    moments = [one for one in moments if one[0] <= goal]
    if after < begin + 14:
        moments.append((after, "goal", "", "bought", {"value": round(rng.lognormvariate(3.5, 0.6), 2)}))
    else:
        moments.append((begin + 14, "observed_out", "", "window_closed"))
    yield from of(contact, name, *(one for one in moments if one[0] <= days))


def _send(rng: random.Random, at: float, step: str, detail: dict[str, str]) -> Moment:
    chance = rng.random()
    if chance < 0.07:
        return (at, "suppressed", step, "no_consent", detail)
    if chance < 0.1:
        return (at, "suppressed", step, "cap:weekly", detail)
    return (at + rng.random() * (HOUR_MS + MINUTE_MS) / DAY_MS, "commanded", step, "", detail)
