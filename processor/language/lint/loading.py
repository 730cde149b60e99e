"""The rules that are checked while the files are read; a topology that breaks one is refused."""

from __future__ import annotations

from typing import Final

from processor.language.lint.registry import Rule

__all__ = ["RULES"]


RULES: Final = (
    Rule(
        name="unknown-event",
        severity="error",
        summary="An event type that is not declared.",
        why="Nothing would ever set it off, and nobody would notice. Declare the type under `events`, or "
        "mend the name. Names inside expressions are checked too and reported as `bad-expression`.",
        example="""\
entry: {on: page_veiwed}
steps:
  - send: email
    template: welcome
""",
        better="""\
entry: {on: page_viewed}
steps:
  - send: email
    template: welcome
""",
    ),
    Rule(
        name="unknown-attribute",
        severity="error",
        summary="A profile attribute that is not declared.",
        why="It would always be missing. Declare it under `profile` with its type, or mend the name.",
        example="""\
entry: {date: profile.birtday, yearly: true}
steps:
  - send: email
    template: welcome
""",
        better="""\
entry: {date: profile.birthday, yearly: true}
steps:
  - send: email
    template: welcome
""",
    ),
    Rule(
        name="unknown-template",
        severity="error",
        summary="A template that the channel does not have.",
        why="The channel would refuse the command, after the contact has been counted as reached. A "
        "channel that lists no templates takes any name.",
        example="""\
steps:
  - send: email
    template: welcom
""",
        better="""\
steps:
  - send: email
    template: welcome
""",
    ),
    Rule(
        name="unknown-channel",
        severity="error",
        summary="A channel that is not declared.",
        why="Nobody would carry the command out.",
        example="""\
steps:
  - send: e-mail
    template: welcome
""",
        better="""\
steps:
  - send: email
    template: welcome
""",
    ),
    Rule(
        name="unknown-program",
        severity="error",
        summary="A program that is not there.",
        why="The step would start nothing. Programs are files in `programs/`, named after the program.",
        example="""\
entry: {after_program: welcom}
steps:
  - send: email
    template: welcome
""",
        better="""\
# programs/next.yaml
entry: {after_program: welcome}
steps:
  - send: email
    template: welcome
# programs/welcome.yaml
steps:
  - send: email
    template: welcome
""",
    ),
    Rule(
        name="unknown-purpose",
        severity="error",
        summary="A purpose that is not declared.",
        why="Consent for it could never be given.",
        example="""\
steps:
  - send: email
    template: welcome
    purpose: marketting
""",
        better="""\
steps:
  - send: email
    template: welcome
    purpose: marketing
""",
    ),
    Rule(
        name="unknown-segment",
        severity="error",
        summary="A segment that is not declared.",
        why="Nobody is in it, so nobody would enter.",
        example="""\
entry: {segment: big-spenders}
steps:
  - send: email
    template: welcome
""",
        better="""\
entry: {segment: big-spender}
steps:
  - send: email
    template: welcome
""",
    ),
    Rule(
        name="unknown-score",
        severity="error",
        summary="A score model that is not declared.",
        why="The points would go nowhere.",
        example="""\
steps:
  - score: engagment
    add: 5
""",
        better="""\
steps:
  - score: engagement
    add: 5
""",
    ),
    Rule(
        name="unknown-list",
        severity="error",
        summary="A list that is not declared.",
        why="A list that only one step knows serves nobody.",
        example="""\
steps:
  - add_to: newsleter
""",
        better="""\
steps:
  - add_to: newsletter
""",
    ),
    Rule(
        name="unknown-team",
        severity="error",
        summary="A team that is not declared.",
        why="The lead would reach nobody.",
        example="""\
steps:
  - route: inbound
""",
        better="""\
steps:
  - route: inbound-sales
""",
    ),
    Rule(
        name="goto-parallel",
        severity="error",
        summary="A goto into a branch of a parallel step, or out of it.",
        why="A branch begins with the parallel step and ends after its last step; what would jump out of it "
        "would run what follows beside the step that waits for it. Within a branch a goto may lead anywhere.",
        example="""\
steps:
  - id: start
    wait: 1d
  - parallel:
      mail: [{send: email, template: welcome}, {goto: start}]
      calls: [{wait: 3d}]
""",
        better="""\
steps:
  - wait: 1d
  - parallel:
      mail: [{id: again, send: email, template: welcome}, {wait: 9d}, {goto: again}]
      calls: [{wait: 3d}]
    until: first
""",
    ),
    Rule(
        name="unknown-step",
        severity="error",
        summary="A goto to a step that is not in the program.",
        why="There is no place to go on at. Steps are called by their `id`, or by the name that `graph` "
        "shows.",
        example="""\
steps:
  - id: reminder
    wait: 1d
  - goto: remindr
""",
        better="""\
steps:
  - id: reminder
    wait: 1d
  - goto: reminder
""",
    ),
    Rule(
        name="not-enrollable",
        severity="error",
        summary="An enroll step for a program that other programs cannot start.",
        why="A program says itself how it is entered, so that nobody is surprised by contacts.",
        example="""\
# programs/start.yaml
steps:
  - enroll: follow-up
# programs/follow-up.yaml
steps:
  - send: email
    template: welcome
""",
        better="""\
# programs/start.yaml
steps:
  - enroll: follow-up
# programs/follow-up.yaml
entry: {from_program: true}
steps:
  - send: email
    template: welcome
""",
    ),
    Rule(
        name="split-shares",
        severity="error",
        summary="The shares of a split do not add up to 100.",
        why="Some contacts would have no variant, or one would get less than it says.",
        example="""\
steps:
  - split:
      a: {share: 50, steps: [{wait: 1d}]}
      b: {share: 40}
""",
        better="""\
steps:
  - split:
      a: {share: 50, steps: [{wait: 1d}]}
      b: {share: 50}
""",
    ),
    Rule(
        name="else-not-last",
        severity="error",
        summary="Branches of a decide step after its else.",
        why="`else` takes whoever gets to it, so nothing after it is ever looked at.",
        example="""\
steps:
  - decide:
      - else: [{wait: 1d}]
      - if: event.seconds > 5
        steps: [{wait: 2d}]
""",
        better="""\
steps:
  - decide:
      - if: event.seconds > 5
        steps: [{wait: 2d}]
      - else: [{wait: 1d}]
""",
    ),
    Rule(
        name="bad-expression",
        severity="error",
        summary="An expression that cannot be understood, or whose types do not fit.",
        why="The message says what is wrong with it and the column where. The guide to expressions lists "
        "all that can be written.",
        example="""\
steps:
  - decide:
      - if: profile.frist_name == "Ana"
        steps: [{wait: 1d}]
""",
        better="""\
steps:
  - decide:
      - if: profile.first_name == "Ana"
        steps: [{wait: 1d}]
""",
    ),
)
