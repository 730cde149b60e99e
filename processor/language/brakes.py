"""Pacing of channels and circuit breakers of programs, from what was read to what the machine runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from processor.core.brakes import HOLD_MS
from processor.core.model import Breaker, Channel, Program
from processor.core.sending import Pacing
from processor.language.problems import Problems, quoted
from processor.language.programs import ProgramSource
from processor.language.records import Form

__all__ = ["breakers", "paced", "stops"]

_AT_LEAST: Final = 100


def paced(form: Form, channels: dict[str, Channel], problems: Problems) -> dict[str, Channel]:
    """Return the channels, each with the pacing that the policies give it."""
    made = dict(channels)
    for item in form.get("policies", Form(form.mark)).get("pacing", ()):
        channel = None if item.broken else made.get(item["channel"])
        if channel is None:
            continue  # reported already
        if channel.pacing is not None:
            message = f"the channel {quoted(channel.name)} is paced already"
            problems.error(item.at("channel"), "paced-twice", message, "write one pacing for each channel")
        elif channel.kind != "message":
            message = f"{quoted(channel.name)} is of the kind {channel.kind}: only messages are paced"
            problems.error(item.at("channel"), "paced-without-messages", message, "take it out")
        else:
            made[channel.name] = dataclasses.replace(channel, pacing=Pacing(item["at_most"], item["per"]))
    return made


def breakers(
    form: Form, sources: Mapping[str, ProgramSource], channels: Mapping[str, Channel], problems: Problems
) -> dict[str, Breaker]:
    """Return the breaker of each program that has one. ``sources``: where the programs come from, by name."""
    policies = form.get("policies", Form(form.mark))
    usual = _breaker(policies["breaker"], channels, problems) if "breaker" in policies else None
    found: dict[str, Breaker] = {}
    for name, source in sources.items():
        own = source.form.get("breaker")
        made = _breaker(own, channels, problems) if isinstance(own, Form) else None if own else usual
        if made is not None:
            found[name] = made
    return found


def stops(programs: Mapping[str, Program], channels: Mapping[str, Channel]) -> dict[str, Any]:
    """Return what a topology says at a glance: whether a channel is paced, and the breakers by program."""
    return {
        "paced": any(one.pacing is not None for one in channels.values()),
        "breakers": {name: one.breaker for name, one in programs.items() if one.breaker is not None},
    }


def _breaker(given: Form, channels: Mapping[str, Channel], problems: Problems) -> Breaker | None:
    if given.broken:
        return None
    if "more_than" not in given and "times_usual" not in given:
        message = "the breaker does not say what trips it"
        fix = "write more_than: and a number of commands, or times_usual: and a number, or both"
        problems.error(given.mark, "empty-breaker", message, fix)
    channel = channels.get(given["alert"])
    if channel is not None and channel.kind == "message":
        message = f"the channel {quoted(channel.name)} reaches contacts, and an alarm is for people"
        problems.error(given.at("alert"), "alarm-to-contacts", message, "name a channel with kind: alert")
    return Breaker(
        given["per"],
        given["alert"],
        given.get("more_than", 0),
        float(given.get("times_usual", 0)),
        given.get("at_least", _AT_LEAST),
        given.get("hold_at_most", HOLD_MS),
    )
