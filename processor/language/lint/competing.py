"""Rules about programs that compete: hierarchies, budgets, arbitration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from processor.core.model import Arbitration, Budget, Program, Topology
from processor.core.nodes import Send, Series
from processor.core.time import DAY_MS, WEEK_MS, format_duration
from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import instead, quoted
from processor.language.records import Form

__all__ = ["RULES"]

_PERIODS_MS: Final = {"day": DAY_MS, "week": WEEK_MS, "month": 31 * DAY_MS}


def _alone(lint: Lint) -> Iterator[Finding]:
    groups: dict[str, list[str]] = {}
    for program in lint.programs:
        if program.group:
            groups.setdefault(program.group, []).append(program.name)
    for program in lint.programs:
        if not program.group:
            continue
        mark = lint.form(program)["hierarchy"].mark
        others = [name for name in groups[program.group] if name != program.name]
        if not others:
            near = [name for name in groups if name != program.group]
            message = f"no other program is in the hierarchy {quoted(program.group)}"
            yield Finding(mark, message, instead(program.group, near, "take it out, or put others into it"))
        elif all(lint.topology.programs[name].rank == program.rank for name in others):
            message = f"all programs of the hierarchy {quoted(program.group)} have the same value"
            yield Finding(mark, message, "give those that go before the others a higher value")


def _sends(lint: Lint, rule: Budget | Arbitration) -> Iterator[tuple[Program, Send | Series]]:
    """Yield the sends that a rule covers, on the first of their channels."""
    programs = rule.programs if isinstance(rule, Budget) else frozenset[str]()
    for program in lint.programs:
        if programs and program.name not in programs:
            continue
        for node in program.nodes.values():
            if isinstance(node, Send | Series) and _covers(lint.topology, rule, node):
                yield program, node


def _covers(topology: Topology, rule: Budget | Arbitration, node: Send | Series) -> bool:
    channel, purpose = topology.channels.get(node.channel), topology.purposes.get(node.purpose)
    if channel is None or channel.kind != "message" or purpose is None or purpose.transactional:
        return False
    return (not rule.channels or node.channel in rule.channels) and (
        not rule.purposes or node.purpose in rule.purposes
    )


def _free(lint: Lint) -> Iterator[Finding]:
    for form, budget in zip(_written(lint, "budgets"), lint.topology.policies.budgets, strict=True):
        covered = [node for _, node in _sends(lint, budget)]
        costs = [n for n in covered if n.cost is not None or lint.topology.channels[n.channel].cost]
        if budget.money and covered and not costs:
            message = f"the budget {quoted(budget.name)} is of money, and nothing that it covers costs any"
            fix = "write cost: below the channels or in the steps, or at_most: in place of amount:"
            yield Finding(form.at("amount"), message, fix)


def _never_freed(lint: Lint) -> Iterator[Finding]:
    for budget in lint.topology.policies.budgets:
        for program, node in _sends(lint, budget):
            if node.when_spent != "wait":
                continue
            period_ms = _PERIODS_MS.get(budget.per, 0)
            if not period_ms:
                message = (
                    f"the budget {quoted(budget.name)} is spent once and for all, so nothing waits for it"
                )
                yield Finding(
                    lint.step(program, node), message, "write per: month in the budget, or when_spent: skip"
                )
            elif node.hold_ms < period_ms:
                held = format_duration(node.hold_ms)
                message = (
                    f"held {held} at most, {quoted(node.id)} is skipped before the next {budget.per} of "
                )
                message += f"the budget {quoted(budget.name)} if that is spent early"
                fix = f"write hold_at_most: {format_duration(period_ms)}, or when_spent: skip"
                yield Finding(lint.step(program, node), message, fix)


def _worthless(lint: Lint) -> Iterator[Finding]:
    for form, rule in zip(_written(lint, "arbitration"), lint.topology.policies.arbitration, strict=True):
        covered = {program.name: program for program, _ in _sends(lint, rule)}
        if rule.by_value and covered and all(program.value is None for program in covered.values()):
            message = "none of the programs that it chooses from says what its sends are worth"
            yield Finding(form.at("choose"), message, "write value: in the programs, or choose: priority")
        elif len(covered) == 1 and len(lint.programs) > 1:
            message = f"only the program {quoted(next(iter(covered)))} sends what it covers"
            yield Finding(form.mark, message, "name further channels or purposes, or take it out")


def _written(lint: Lint, key: str) -> list[Form]:
    policies = lint.section("policies")
    return list(policies.get(key, ())) if isinstance(policies, Form) else []


RULES: Final = (
    Rule(
        name="hierarchy-without-order",
        severity="warning",
        summary="A hierarchy of one program, or of programs of one value.",
        why="A hierarchy says which program ends the others and keeps contacts out of them. Where there is "
        "only one, or all have the same value, it does nothing. Often its name is written in two ways.",
        example="""\
# programs/p.yaml
hierarchy: {group: shop, value: 10}
steps: [{wait: 1d}]
# programs/q.yaml
hierarchy: {group: shops, value: 20}
steps: [{wait: 1d}]
""",
        better="""\
# programs/p.yaml
hierarchy: {group: shop, value: 10}
steps: [{wait: 1d}]
# programs/q.yaml
hierarchy: {group: shop, value: 20}
steps: [{wait: 1d}]
""",
        check=_alone,
    ),
    Rule(
        name="budget-without-cost",
        severity="warning",
        summary="A budget of money over sends that cost nothing.",
        why="What a send costs is its channel's `cost` and its own. Where neither is written, an `amount` is "
        "never used up.",
        example="""\
# topology.yaml
policies:
  budgets: {name: mails, amount: 500, per: month}
# programs/p.yaml
steps: [{send: email, template: welcome}]
""",
        better="""\
# topology.yaml
policies:
  budgets: {name: mails, amount: 500, per: month}
# programs/p.yaml
steps: [{send: email, template: welcome, cost: 0.02}]
""",
        check=_free,
    ),
    Rule(
        name="starved-by-budget",
        severity="info",
        summary="A send that waits for a budget may not wait long enough.",
        why="With `when_spent: wait` a send waits for the budget's next period, at most `hold_at_most`. A "
        "budget without a period is not filled again.",
        example="""\
# topology.yaml
policies:
  budgets: {name: mails, at_most: 500, per: month}
# programs/p.yaml
steps: [{send: email, template: welcome, when_spent: wait}]
""",
        better="""\
# topology.yaml
policies:
  budgets: {name: mails, at_most: 500, per: day}
# programs/p.yaml
steps: [{send: email, template: welcome, when_spent: wait}]
""",
        check=_never_freed,
    ),
    Rule(
        name="arbitration-without-choice",
        severity="warning",
        summary="Arbitration that has nothing to choose by, or nothing to choose from.",
        why="`choose: value` compares what programs say their sends are worth; without a `value` in any of "
        "them it falls back on priorities. Where a single program sends what the rule covers, it only delays "
        "that.",
        example="""\
# topology.yaml
policies:
  arbitration: {channels: [email], choose: value}
# programs/p.yaml
steps: [{send: email, template: welcome}]
# programs/q.yaml
steps: [{send: email, template: tips}]
""",
        better="""\
# topology.yaml
policies:
  arbitration: {channels: [email], choose: value}
# programs/p.yaml
value: 5
steps: [{send: email, template: welcome}]
# programs/q.yaml
value: event.seconds / 10
steps: [{send: email, template: tips}]
""",
        check=_worthless,
    ),
)
