"""Rules about hand-overs to people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from processor.core.nodes import Route, Send, Series
from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import quoted

__all__ = ["RULES"]


def _territory_gap(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        for node in program.nodes.values():
            if isinstance(node, Route) and node.territories and node.territories[-1].when is not None:
                message = f"who belongs to no territory of {quoted(node.id)} goes to nobody"
                yield Finding(lint.step(program, node), message, "end with a team that has no if:")


def _reply_to_nobody(lint: Lint) -> Iterator[Finding]:
    topology = lint.topology
    owners = any(isinstance(node, Route) for one in lint.programs for node in one.nodes.values())
    reachable = any("email" in known for team in topology.teams.values() for known in team.addresses.values())
    for program in lint.programs:
        for node in program.nodes.values():
            if isinstance(node, (Send, Series)) and node.reply_to and not (owners and reachable):
                if owners:
                    message = "answers are to go to the owner, and no member of a team has an email"
                    fix = "write members: [{name: ana, email: ana@shop.example}] below the team"
                else:
                    message = "answers are to go to the owner, and no step gives contacts one"
                    fix = "use assign: or route: before, or take reply_to: out"
                yield Finding(lint.step(program, node), message, fix)


RULES: Final = (
    Rule(
        name="territory-gap",
        severity="warning",
        summary="Some contacts belong to no territory, and go to nobody.",
        why="The first territory whose condition holds gets the contact. Where none holds, nobody is told "
        "and nobody becomes the owner; it is recorded as `no_territory`, which few people read.",
        example="""
steps:
  - route:
      - {if: profile.tier == "gold", to: inbound-sales}
""",
        better="""
steps:
  - route:
      - {if: profile.tier == "gold", to: inbound-sales, member: ana}
      - {to: inbound-sales}
""",
        check=_territory_gap,
    ),
    Rule(
        name="reply-to-nobody",
        severity="warning",
        summary="Answers are to go to an owner, and there is none or none with an address.",
        why="`reply_to: owner` lets the channel send answers to the contact's own rep. Without a step that "
        "gives contacts an owner, or without addresses of the members, that is empty every time.",
        example="""
steps:
  - {send: email, template: tips, reply_to: owner}
""",
        better="""
# topology.yaml
teams: {inbound-sales: {channel: crm, members: [{name: ana, email: ana@shop.example}]}}
# programs/p.yaml
steps:
  - assign: inbound-sales
  - {send: email, template: tips, reply_to: owner}
""",
        check=_reply_to_nobody,
    ),
)
