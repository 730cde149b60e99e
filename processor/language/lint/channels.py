"""Rules about what a send can ever do: which channels it takes, and what blackouts leave of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from processor.core.model import Topology
from processor.core.nodes import Send, Series
from processor.core.time import format_duration, local_span, zone
from processor.language.lint.registry import Finding, Lint, Rule
from processor.language.problems import quoted

__all__ = ["RULES"]


def _never_taken(lint: Lint) -> Iterator[Finding]:
    topology = lint.topology
    for program in lint.programs:
        for node in program.nodes.values():
            if not isinstance(node, Send) or not node.fallbacks or node.within_ms:
                continue
            purpose = topology.purposes.get(node.purpose)
            asks = purpose is not None and purpose.consent and not purpose.transactional
            for name in (node.channel, *(way.channel for way in node.fallbacks[:-1])):
                if not asks and not topology.channels[name].address:
                    message = f"{quoted(name)} never fails: it needs no address, and the purpose no consent"
                    fix = f"write address: below the channel {name}, or fallback: {{to: …, within: 1h}}"
                    yield Finding(lint.step(program, node), message, fix)
                    break


def _blacked_out(lint: Lint) -> Iterator[Finding]:
    for program in lint.programs:
        for node in program.nodes.values():
            if isinstance(node, Send) and node.when_quiet == "wait":
                too_long = _longer_blackout(lint.topology, node)
                if too_long:
                    name, length_ms = too_long
                    held = format_duration(node.hold_ms)
                    message = (
                        f"held {held} at most, {quoted(node.id)} is skipped early in the blackout {name}"
                    )
                    fix = f"write hold_at_most: {format_duration(length_ms)} or more, or when_quiet: skip"
                    yield Finding(lint.step(program, node), message, fix)


def _longer_blackout(topology: Topology, node: Send) -> tuple[str, int] | None:
    channel, purpose = topology.channels.get(node.channel), topology.purposes.get(node.purpose)
    if channel is None or channel.kind != "message" or purpose is None or purpose.transactional:
        return None
    for blackout in topology.policies.blackouts:
        begin, end = local_span(blackout.begin, blackout.end, blackout.zone or zone("UTC"))
        covers = not blackout.channels or node.channel in blackout.channels
        covers = covers and (not blackout.purposes or node.purpose in blackout.purposes)
        if covers and node.hold_ms < end - begin:
            return blackout.name, end - begin
    return None


def _capped_series(lint: Lint) -> Iterator[Finding]:
    topology = lint.topology
    for program in lint.programs:
        for node in program.nodes.values():
            purpose = topology.purposes.get(node.purpose) if isinstance(node, Series) else None
            if not isinstance(node, Series) or purpose is None or purpose.transactional:
                continue
            for cap in topology.policies.caps:
                covers = not cap.channels or node.channel in cap.channels
                covers = covers and (not cap.purposes or node.purpose in cap.purposes)
                if covers and len(node.pieces) > cap.at_most and node.every_ms * cap.at_most < cap.per_ms:
                    per = format_duration(cap.per_ms)
                    message = (
                        f"a piece every {format_duration(node.every_ms)} is more than the cap {cap.name} "
                    )
                    message += f"allows, {cap.at_most} in {per}: the series ends before all are sent"
                    fix = "write a longer every:, or when_capped: wait with a hold_at_most as long as the cap"
                    if node.when_capped == "skip" or node.hold_ms < cap.per_ms:
                        yield Finding(lint.step(program, node), message, fix)
                        break


RULES: Final = (
    Rule(
        name="series-capped",
        severity="warning",
        summary="A series with a piece more often than a cap allows.",
        why="A round whose piece the cap suppresses is used up, and a series has as many rounds as pieces. "
        "So the contact goes on without having had them all.",
        example="""\
# topology.yaml
policies: {caps: {at_most: 1, per: 7d, channels: [push]}}
# programs/tips.yaml
steps:
  - series: push
    every: 2d
    pieces: [tip-1, tip-2, tip-3]
""",
        better="""\
# topology.yaml
policies: {caps: {at_most: 1, per: 7d, channels: [push]}}
# programs/tips.yaml
steps:
  - series: push
    every: 7d
    pieces: [tip-1, tip-2, tip-3]
""",
        check=_capped_series,
    ),
    Rule(
        name="starved-by-blackout",
        severity="info",
        summary="A send that waits for the end of a blackout may not wait long enough.",
        why="A send that falls into a blackout waits for its end, for `hold_at_most` at the longest; then it "
        "is skipped (`held_too_long`). Where the blackout is longer, what is due early in it is never sent.",
        example="""\
# topology.yaml
policies: {blackouts: {from: 2026-12-24, to: 2026-12-27}}
# programs/tips.yaml
steps:
  - send: email
    template: tips
""",
        better="""\
# topology.yaml
policies: {blackouts: {from: 2026-12-24, to: 2026-12-27}}
# programs/tips.yaml
steps:
  - send: email
    template: tips
    hold_at_most: 5d
""",
        check=_blacked_out,
    ),
    Rule(
        name="fallback-never",
        severity="warning",
        summary="A fallback that no contact ever gets.",
        why="A send goes on to the next channel where the contact has no address or no consent for this one, "
        "or where the channel reports a failure in time. Here none of that can come about.",
        example="""\
# topology.yaml
channels: {push: {}, email: {}, crm: {kind: task}}
# programs/receipt.yaml
purpose: receipts
steps:
  - send: push
    template: receipt
    fallback: email
""",
        better="""\
# topology.yaml
channels: {push: {address: email}, email: {}, crm: {kind: task}}
# programs/receipt.yaml
purpose: receipts
steps:
  - send: push
    template: receipt
    fallback: email
""",
        check=_never_taken,
    ),
)
