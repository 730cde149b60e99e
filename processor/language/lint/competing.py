"""Rules about programs that compete: hierarchies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import instead, quoted

__all__ = ["RULES"]


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
)
