"""What the files of a topology promise, read from the YAML without the product's own loader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

__all__ = ["Budget", "Cap", "Rules", "minutes", "ms"]

_SHARE: Final = re.compile(r"event\.(\w+) \* ([0-9.]+)")
_UNITS: Final = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000}
GOAL_WITHIN: Final = "30d"  # where a goal does not say


def ms(text: str) -> int:
    """The ms of a duration such as 1h30m."""
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([wdhms])", text))


def _steps(value: Any) -> Iterator[dict[str, Any]]:
    """Every map inside the steps."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _steps(one)


def minutes(clock: str) -> int:
    """Minutes after midnight of a clock time."""
    hours, _, rest = clock.partition(":")
    return int(hours) * 60 + int(rest)


@dataclass(frozen=True)
class Cap:
    """At most so many sends in so many ms, of these channels and purposes (none: all)."""

    name: str
    at_most: int
    per_ms: int
    channels: frozenset[str]
    purposes: frozenset[str]

    def counts(self, channel: str, purpose: str) -> bool:
        """Whether such a send counts."""
        return (not self.channels or channel in self.channels) and (
            not self.purposes or purpose in self.purposes
        )


@dataclass(frozen=True)
class Budget:
    """So much money, or so many sends, in each week (from Monday), month or day of the topology's clock."""

    name: str
    amount: float
    counted: bool
    per: str
    channels: frozenset[str]
    programs: frozenset[str]
    purposes: frozenset[str]

    def covers(self, program: str, channel: str, purpose: str) -> bool:
        """Whether such a send counts."""
        wanted = ((self.channels, channel), (self.programs, program), (self.purposes, purpose))
        return all(not among or one in among for among, one in wanted)

    def period(self, local: datetime) -> str:
        """The period that an instant lies in."""
        if self.per == "week":
            year, week, _ = local.isocalendar()
            return f"{year}-w{week}"
        return local.strftime({"month": "%Y-%m", "day": "%Y-%m-%d"}.get(self.per, "ever"))


class Rules:
    """The promises of a topology's folder, as plain data."""

    def __init__(self, folder: Path) -> None:
        yaml = YAML(typ="safe")
        self.top: dict[str, Any] = yaml.load(folder / "topology.yaml")
        self.programs: dict[str, dict[str, Any]] = {
            path.stem: yaml.load(path)
            for path in sorted((folder / "programs").glob("*.yaml"))
            if not path.name.endswith(".test.yaml")
        }
        policies = self.top.get("policies", {})
        self.caps = [
            Cap(
                cap["name"], cap["at_most"], ms(cap["per"]),
                frozenset(cap.get("channels", ())), frozenset(cap.get("purposes", ())),
            )
            for cap in policies.get("caps", ())
        ]  # fmt: skip
        quiet = policies.get("quiet_hours", [])
        self.quiet = [quiet] if isinstance(quiet, dict) else list(quiet)
        dark = policies.get("blackouts", [])
        self.blackouts = [dark] if isinstance(dark, dict) else list(dark)
        given = policies.get("budgets", [])
        self.budgets = [
            Budget(
                one["name"], float(one["amount"] if "amount" in one else one["at_most"]), "at_most" in one,
                one.get("per", ""), frozenset(one.get("channels", ())), frozenset(one.get("programs", ())),
                frozenset(one.get("purposes", ())),
            )
            for one in ([given] if isinstance(given, dict) else given)
        ]  # fmt: skip
        self.dormant: dict[str, Any] = policies.get("dormant", {})
        self.needs_consent = {
            name: given.get("consent", "required") == "required" and not given.get("transactional", False)
            for name, given in self.top["purposes"].items()
        }
        self.messages = {
            name for name, given in self.top["channels"].items() if given.get("kind", "message") == "message"
        }
        self.transactional = {
            name for name, given in self.top["purposes"].items() if given.get("transactional", False)
        }
        self.address = {name: given.get("address", "") for name, given in self.top["channels"].items()}
        self.zone: str = self.top.get("timezone", "UTC")

    def cost(self, program: str, channel: str, template: str, values: dict[str, Any]) -> float:
        """What a send costs: its channel's cost and its own, where that is a share of a value it carries."""
        made = float(self.top["channels"][channel].get("cost", 0))
        for step in _steps(self.programs[program]["steps"]):
            if step.get("template") == template and "cost" in step:
                share = _SHARE.fullmatch(step["cost"])
                assert share is not None, "the checker knows costs that are a share of a property"
                made += values[share[1]] * float(share[2])
        return made

    def group_of(self, program: str) -> tuple[str, float]:
        """The program's hierarchy: its group ("" for none) and its value."""
        given = self.programs[program].get("hierarchy", {})
        return given.get("group", ""), given.get("value", 0)

    def goal_ms(self, program: str) -> int:
        """How long after entry the goal counts; 0 for a program without one."""
        goal = self.programs[program].get("goal")
        return ms(goal.get("within", GOAL_WITHIN)) if goal else 0

    def ends(self, program: str) -> dict[str, int]:
        """Event types that end an enrollment whatever they hold: type -> within so many ms (0: always)."""
        given = self.programs[program]
        goal = given.get("goal") or {}
        found: dict[str, int] = {}
        if "on" in goal and "if" not in goal:
            kinds = goal["on"] if isinstance(goal["on"], list) else [goal["on"]]
            found.update(dict.fromkeys(kinds, self.goal_ms(program)))
        ways = given.get("exit", [])
        for way in ways if isinstance(ways, list) else [ways]:
            if isinstance(way, str) and way != "consent_withdrawn":
                found[way] = 0
            elif isinstance(way, dict) and "on" in way and "if" not in way:
                found[way["on"]] = 0
        return found

    def leaves_on_withdrawal(self, program: str) -> bool:
        """Whether the bare consent_withdrawn is an exit: of the program's purpose, or of all."""
        ways = self.programs[program].get("exit", [])
        return "consent_withdrawn" in (ways if isinstance(ways, list) else [ways])

    def plain_entries(self) -> dict[str, list[str]]:
        """Event type -> programs that it is the entry of, whatever it holds."""
        found: dict[str, list[str]] = {}
        for name, given in self.programs.items():
            entries = given["entry"]
            for entry in entries if isinstance(entries, list) else [entries]:
                if "on" in entry and "if" not in entry and isinstance(entry["on"], str):
                    found.setdefault(entry["on"], []).append(name)
        return found

    def once(self, program: str) -> bool:
        """Whether nobody enters it twice (with the same key)."""
        return self.programs[program].get("reenter") == "never"
