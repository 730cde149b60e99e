"""Budgets and arbitration, from what was read to what the machine runs."""

from __future__ import annotations

from collections.abc import Iterable

from processor.core.budgets import MICRO
from processor.core.model import Arbitration, Budget, Program
from processor.core.time import zone
from processor.language.problems import Problems, instead, quoted
from processor.language.records import Form

__all__ = ["competition"]


def competition(
    form: Form, problems: Problems, programs: Iterable[Program]
) -> tuple[tuple[Budget, ...], tuple[Arbitration, ...]]:
    """Return the budgets and the rules of arbitration of a topology."""
    given = form.get("policies", Form(form.mark))
    groups: dict[str, set[str]] = {}
    for program in programs:
        if program.group:
            groups.setdefault(program.group, set()).add(program.name)
    budgets: dict[str, Budget] = {}
    for item in given.get("budgets", ()):
        if item.broken:
            continue
        if item["name"] in budgets:
            message = f"there is a budget {quoted(item['name'])} already"
            problems.error(item.at("name"), "duplicate-name", message, "give each a name of its own")
        budgets[item["name"]] = _budget(item, form, problems, groups)
    rules: dict[str, Arbitration] = {}
    for item in given.get("arbitration", ()):
        if item.broken:
            continue
        rule = _arbitration(item, problems)
        if rule.name in rules:
            message = f"there is a rule {quoted(rule.name)} already"
            problems.error(item.at("name"), "duplicate-name", message, "give each a name of its own")
        rules[rule.name] = rule
    return tuple(budgets.values()), tuple(rules.values())


def _budget(item: Form, form: Form, problems: Problems, groups: dict[str, set[str]]) -> Budget:
    programs = set(item.get("programs", ()))
    for group in item.get("groups", ()):
        if group not in groups:
            message = f"no program is in a hierarchy {quoted(group)}"
            fix = instead(group, groups, f"write hierarchy: {{group: {group}, value: 10}} in its programs")
            problems.error(item.at("groups"), "unknown-group", message, fix)
        programs |= groups.get(group, set())
    money = item.kind == "amount"
    return Budget(
        name=item["name"],
        limit=round(item["amount"] * MICRO) if money else item["at_most"],
        money=money,
        per=item.get("per", ""),
        zone=zone(item.get("zone", form.get("timezone", "UTC"))),
        channels=frozenset(item.get("channels", ())),
        purposes=frozenset(item.get("purposes", ())),
        programs=frozenset(programs),
    )


def _arbitration(item: Form, problems: Problems) -> Arbitration:
    narrowed = [*item.get("channels", ()), *item.get("purposes", ())]
    within_ms = item.get("within", 0)
    waits = item.get("losers", "skip") == "wait"
    if waits and not within_ms:
        message = "the others cannot wait for the next choice: without within there is none"
        problems.error(item.at("losers"), "bad-arbitration", message, "write within: 1h, or losers: skip")
    return Arbitration(
        name=item.get("name", "-".join(narrowed) or "all"),
        within_ms=within_ms,
        by_value=item.get("choose", "priority") == "value",
        losers_wait=waits,
        channels=frozenset(item.get("channels", ())),
        purposes=frozenset(item.get("purposes", ())),
    )
