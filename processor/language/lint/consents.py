"""Rules about consent: what has to be confirmed, and what needs a purpose of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from processor.core.nodes import Alert, Send, Series
from processor.core.time import format_duration
from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import quoted

__all__ = ["RULES"]


def _never_confirmed(lint: Lint) -> Iterator[Finding]:
    asked: set[tuple[str, str]] = set()
    for program in lint.programs:
        for node in program.nodes.values():
            if isinstance(node, Send):
                asked.update((node.purpose, way.template) for way in node.fallbacks)
                asked.add((node.purpose, node.template))
            elif isinstance(node, Series):
                asked.update((node.purpose, piece) for piece, _ in node.pieces)
    for name, purpose in lint.topology.purposes.items():
        if purpose.confirm_ms and not any((name, template) in asked for template in purpose.confirmations):
            first = min(purpose.confirmations)
            message = f"nobody is asked to confirm {quoted(name)}: no program sends {quoted(first)} for it"
            fix = f"write a program that enters on consent_granted and sends it with purpose: {name}"
            yield Finding(lint.at("purposes", name), message, fix)


def _emptied(lint: Lint) -> Iterator[Finding]:
    personalising = lint.topology.policies.personalising
    if personalising is None:
        return
    for program in lint.programs:
        for node in program.nodes.values():
            if not isinstance(node, Alert) or not node.personal:
                continue
            if not personalising.channels or node.channel in personalising.channels:
                message = (
                    f"the alert has no message where the contact does not agree to {personalising.needs}"
                )
                fix = "list the channels that reach contacts under policies, personalising, channels"
                yield Finding(lint.step(program, node), message, fix)


def _forgotten_before(lint: Lint) -> Iterator[Finding]:
    forget_ms = lint.topology.policies.forget_ms
    if not forget_ms:
        return
    for program in lint.programs:
        for entry in program.entries:
            if entry.kind == "inactive" and entry.inactive_ms >= forget_ms:
                after = format_duration(forget_ms)
                message = f"whoever is silent for that long is forgotten before: forget_after is {after}"
                fix = "write a shorter inactive:, or a longer forget_after:"
                yield Finding(lint.place(program, "entry"), message, fix)


RULES: Final = (
    Rule(
        name="forgotten-before",
        severity="warning",
        summary="A program waits for a silence that is longer than contacts are kept.",
        why="`policies.forget_after` lets go of contacts of whom nothing came for so long. A program whose "
        "entry waits for a longer inactivity never starts.",
        example="""\
# topology.yaml
policies:
  forget_after: 365d
# programs/back.yaml
entry: {inactive: 400d}
steps:
  - {send: email, template: welcome}
""",
        better="""\
# topology.yaml
policies:
  forget_after: 730d
# programs/back.yaml
entry: {inactive: 400d}
steps:
  - {send: email, template: welcome}
""",
        check=_forgotten_before,
    ),
    Rule(
        name="alert-without-message",
        severity="warning",
        summary="An alert loses its message where a contact does not agree to be personalised.",
        why="`policies.personalising` leaves out of every command what says something of the contact, and "
        "of an alert that is its whole message. Name the channels that reach contacts, if people who work "
        "for you may know more; else write a message without profile values.",
        example="""\
# topology.yaml
purposes:
  marketing: {consent: required}
  personal: {consent: required}
policies:
  personalising: {needs: personal}
# programs/hot.yaml
steps:
  - {alert: slack, message: "see {profile.email}"}
""",
        better="""\
# topology.yaml
purposes:
  marketing: {consent: required}
  personal: {consent: required}
policies:
  personalising: {needs: personal, channels: [email, push]}
# programs/hot.yaml
steps:
  - {alert: slack, message: "see {profile.email}"}
""",
        check=_emptied,
    ),
    Rule(
        name="never-confirmed",
        severity="warning",
        summary="A consent has to be confirmed, and no program asks for it.",
        why="With double opt-in a consent counts only once the contact has confirmed it, which it can do "
        "when it is asked: a program has to send one of the purpose's confirmation templates, for that "
        "purpose. Without one every consent lapses, unless another system asks.",
        example="""\
# topology.yaml
purposes:
  marketing: {consent: required, double_opt_in: {confirmation: tips}}
  receipts: {transactional: true}
# programs/hello.yaml
entry: {on: consent_granted}
steps:
  - {send: email, template: welcome}
""",
        better="""\
# topology.yaml
purposes:
  marketing: {consent: required, double_opt_in: {confirmation: tips}}
  receipts: {transactional: true}
# programs/hello.yaml
entry: {on: consent_granted}
steps:
  - {send: email, template: tips}
""",
        check=_never_confirmed,
    ),
)
