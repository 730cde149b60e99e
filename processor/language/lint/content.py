"""Rules about variants and blocks of sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from processor.core.content import Pick
from processor.core.nodes import Send
from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import quoted

__all__ = ["RULES"]


def _shadowed(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        for node in program.nodes.values():
            if not isinstance(node, Send):
                continue
            for picks in (node.variants, *(shown for _, shown in node.blocks)):
                for number, later in enumerate(picks):
                    earlier = next((one for one in picks[:number] if _covers(one, later)), None)
                    if earlier is not None:
                        message = (
                            f"{quoted(later.name)} is never taken: {quoted(earlier.name)} fits before it"
                        )
                        fix = "write the narrower one first"
                        yield Finding(lint.step(program, node), message, fix)


def _covers(earlier: Pick, later: Pick) -> bool:
    """Whether the earlier one fits wherever the later one does, as far as can be told."""
    if earlier.when is not None or (earlier.begin, earlier.end) not in {("", ""), (later.begin, later.end)}:
        return False
    if not earlier.locales:
        return True
    return bool(later.locales) and all(
        any(locale == known or locale.startswith(f"{known}-") for known in earlier.locales)
        for locale in later.locales
    )


RULES: Final = (
    Rule(
        name="variant-never",
        severity="warning",
        summary="A variant, or what a block could show, is never taken.",
        why="The first that fits is taken. One that stands behind another which fits wherever it does itself "
        "is never seen: `de-AT` behind `de`, or anything behind one without conditions.",
        example="""
# topology.yaml
profile: {locale: string}
# programs/p.yaml
steps:
  - send: push
    template: hello
    variants:
      - {locale: de, template: hello-de}
      - {locale: de-AT, template: servus}
""",
        better="""
# topology.yaml
profile: {locale: string}
# programs/p.yaml
steps:
  - send: push
    template: hello
    variants:
      - {locale: de-AT, template: servus}
      - {locale: de, template: hello-de}
""",
        check=_shadowed,
    ),
)
