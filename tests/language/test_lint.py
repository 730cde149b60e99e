"""Every rule fires on its example and not on what it says to write instead; and on more cases besides."""
# ruff: noqa: E501  a case is one line of a table

from __future__ import annotations

import re
from pathlib import Path

import pytest

from processor.language import load_topology
from processor.language.lint import RULES, lint_folder, lint_topology
from processor.language.lint.guide import guide

ROOT = Path(__file__).resolve().parents[2]

TOPOLOGY = {
    "topology": "topology: shop\n",
    "events": """\
events:
  page_viewed: {url: string, seconds: number?}
  order_completed: {order_id: string, value: number?}
  email_clicked: {template: string}
""",
    "profile": "profile: {email: string, first_name: string, birthday: date, trial_ends: time, tier: string}\n",
    "purposes": "purposes: {marketing: {consent: required}, receipts: {transactional: true}}\n",
    "channels": """\
channels:
  email: {templates: [welcome, tips, big-discount]}
  push: {expires_after: 4h}
  crm: {kind: task}
  slack: {kind: alert}
  erp: {kind: webhook}
""",
    "teams": "teams: {inbound-sales: {channel: crm, members: [ana, ben]}}\n",
    "lists": "lists: [newsletter]\n",
    "scores": """\
scores:
  engagement: {max: 100, grades: {cold: 0, hot: 60}, rules: [{on: page_viewed, add: 1}]}
""",
    "segments": 'segments:\n  big-spender: sum("order_completed", "value", within="90d") >= 500\n',
}
# What a snippet leaves out, and the order that does not matter.
DEFAULTS = {"program": "", "purpose": "purpose: marketing\n", "entry": "entry: {on: page_viewed}\n"}


def top_level(text: str) -> dict[str, str]:
    """The parts of a YAML text by their top-level keys."""
    parts = re.split(r"^(?=[a-z_]+:)", text, flags=re.MULTILINE)
    return {part.split(":", 1)[0]: part.rstrip("\n") + "\n" for part in parts if part.strip()}


def files(snippet: str) -> dict[str, str]:
    """Complete a snippet to the files of a topology."""
    made: dict[str, str] = {}
    pieces = re.split(r"^# ([\w/.-]+\.yaml)\n", snippet, flags=re.MULTILINE)
    if pieces[0].strip():
        made["programs/p.yaml"] = pieces[0]
    made.update(zip(pieces[1::2], pieces[2::2], strict=True))
    given = top_level(made.pop("topology.yaml", ""))
    whole = {"topology.yaml": "".join((TOPOLOGY | given).values())}
    for name, text in made.items():
        found = top_level(text)
        # Only a program that is written in full is tested for what it lacks.
        base = {} if "program" in found else DEFAULTS | {"program": f"program: {Path(name).stem}\n"}
        whole[name] = "".join((base | found).values())
    return whole


def lint(folder: Path, snippet: str) -> list[str]:
    """Names of the rules that a snippet sets off."""
    for name, text in files(snippet).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [problem.rule for problem in lint_folder(folder)]


EXAMPLES = [
    *((name, rule.example, True) for name, rule in RULES.items()),
    *((name, rule.better, False) for name, rule in RULES.items()),
]


@pytest.mark.parametrize(("rule", "snippet", "fires"), EXAMPLES, ids=[f"{r}-{f}" for r, _, f in EXAMPLES])
def test_examples(tmp_path, rule, snippet, fires):
    assert (rule in lint(tmp_path, snippet)) is fires


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_what_to_write_instead_has_no_errors(tmp_path, rule):
    lint(tmp_path, rule.better)
    assert [str(problem) for problem in lint_folder(tmp_path) if problem.severity == "error"] == []


SEND = "- send: email\n    template: welcome\n  "
QUIET = '# topology.yaml\npolicies:\n  quiet_hours: {from: "21:00", to: "09:00"}\n# programs/p.yaml\n'
CAP = "# topology.yaml\npolicies:\n  caps: {at_most: 1, per: 7d, channels: [email]}\n# programs/p.yaml\n"
PACED = "# topology.yaml\npolicies: {pacing: {channel: push, at_most: 9, per: 1h}}\n# programs/p.yaml\n"
DORMANT = "# topology.yaml\npolicies: {dormant: {inactive: 60d, at_most: 1, per: 90d}}\n# programs/p.yaml\n"
CASES = [
    # Reached by a goto only; and steps in a circle that nothing leads into.
    ("unreachable-step", f"steps:\n  {SEND}- goto: last\n  - id: last\n    wait: 1d", False),
    ("unreachable-step", f"steps:\n  {SEND}- exit: x\n  - id: a\n    wait: 1d\n  - goto: a", True),
    ("unreachable-step", "steps:\n  - decide:\n      - if: event.seconds > 3\n        steps: [exit]\n  - wait: 1d", False),
    # An exit after a time ends every wait; an event exit or a goal need not come.
    ("wait-without-end", "exit: {after: 30d}\nsteps:\n  - wait_for: email_clicked", False),
    ("wait-without-end", "exit: [order_completed]\nsteps:\n  - wait_for: email_clicked", True),
    ("wait-without-end", "goal: {on: order_completed, within: 3d}\nsteps:\n  - wait_for: email_clicked", True),
    ("wait-without-end", "steps:\n  - wait_until: hour() >= 9", False),
    ("wait-without-end", "steps:\n  - wait_until: days_until(profile.trial_ends) <= 3", True),
    ("wait-without-end", "steps:\n  - wait_until: score.engagement >= 50\n    timeout: 3d", False),
    # A clock time that it is already lasts no time, so such a loop sends many times at once.
    ("resend-loop", 'steps:\n  - repeat:\n      times: 3\n      steps: [{wait: {at: "09:00"}}, {send: push, template: a}]', False),
    ("resend-loop", "steps:\n  - repeat:\n      times: 3\n      steps: [{wait: 1d}, {send: push, template: a}]", False),
    ("resend-loop", "steps:\n  - id: a\n    send: push\n    template: a\n  - goto: a", True),
    ("resend-loop", "steps:\n  - id: a\n    send: push\n    template: a\n  - wait_for: email_clicked\n    timeout: 1d\n  - goto: a", False),
    ("resend-loop", "steps:\n  - repeat:\n      times: 2\n      steps: [{webhook: erp}]", True),
    ("resend-loop", "steps:\n  - repeat:\n      times: 2\n      steps: [{alert: slack, message: hello}]", True),
    ("resend-loop", "steps:\n  - repeat:\n      times: 2\n      steps: [{score: engagement, add: 1}]", False),
    ("endless-loop", "steps:\n  - repeat:\n      times: 2\n      steps: [{score: engagement, add: 1}]", False),
    ("endless-loop", "steps:\n  - id: a\n    send: push\n    template: a\n  - goto: a", False),
    # A parallel step takes as long as its branches, and a branch may end the others.
    ("resend-loop", "steps:\n  - repeat:\n      times: 3\n      steps:\n        - parallel: {a: [{send: push, template: a}], b: [{wait: 1d}]}", False),
    ("resend-loop", "steps:\n  - repeat:\n      times: 3\n      steps:\n        - parallel: {a: [{send: push, template: a}], b: [{wait: 1d}]}\n          until: first", True),
    ("wait-without-end", "steps:\n  - parallel: {a: [{wait_for: email_clicked}], b: [{wait: 1d}]}\n    until: first", False),
    ("wait-without-end", "steps:\n  - parallel: {a: [{wait_for: email_clicked}], b: [{wait: 1d}]}", True),
    ("wait-without-end", "steps:\n  - parallel: {a: [{wait_for: email_clicked}], b: [{wait_for: order_completed}]}\n    until: first", True),
    ("parallel-over-at-once", "steps:\n  - parallel: {a: [{send: push, template: a}], b: [{wait: 1d}]}", False),
    ("fallback-never", "# topology.yaml\nchannels: {email: {}, push: {}, crm: {kind: task}}\n# programs/p.yaml\nsteps:\n  - {send: push, template: a, fallback: email}", False),
    ("starved-by-blackout", f"# topology.yaml\npolicies: {{blackouts: {{from: 2026-12-24, to: 2026-12-27, channels: [push]}}}}\n# programs/p.yaml\nsteps:\n  {SEND}", False),
    ("starved-by-blackout", f"# topology.yaml\npolicies: {{blackouts: {{from: 2026-12-24, to: 2026-12-25}}}}\n# programs/p.yaml\nsteps:\n  {SEND}", False),
    ("starved-by-blackout", f"# topology.yaml\npolicies: {{blackouts: {{from: 2026-12-24, to: 2026-12-27}}}}\n# programs/p.yaml\nsteps:\n  {SEND}when_quiet: skip", False),
    ("starved-by-pacing", f"{PACED}steps:\n  - {{send: push, template: a, hold_at_most: 59m}}", True),
    ("starved-by-pacing", f"{PACED}steps:\n  - {{series: push, every: 1d, pieces: [a], hold_at_most: 59m}}", True),
    ("starved-by-pacing", f"{PACED}steps:\n  - {{send: push, template: a, hold_at_most: 1h}}", False),
    ("starved-by-pacing", f"{PACED}steps:\n  - {{send: push, template: a, hold_at_most: 1m, purpose: receipts}}", False),
    ("starved-by-pacing", f"{PACED}steps:\n  - {{send: email, template: tips, hold_at_most: 1m}}", False),
    ("breaker-usual-of-schedule", 'entry: [{schedule: "0 9 * * mon"}, {on: page_viewed}]\nbreaker: {times_usual: 5, per: 1d, alert: slack}\nsteps:\n  - wait: 1d', False),
    ("breaker-usual-of-schedule", '# topology.yaml\npolicies: {breaker: {times_usual: 3, per: 1h, alert: slack}}\n# programs/p.yaml\nentry: {schedule: "0 9 * * mon"}\nsteps:\n  - wait: 1d', True),
    ("alarm-to-contacts", "breaker: {more_than: 5, per: 1d, alert: push}\nsteps:\n  - wait: 1d", True),
    ("empty-breaker", "breaker: none\nsteps:\n  - wait: 1d", False),
    ("starved-by-dormant", f"{DORMANT}entry: {{inactive: 60d}}\nsteps:\n  {SEND}- wait: 30d\n  {SEND}- wait: 61d\n  {SEND}", True),
    ("starved-by-dormant", f"{DORMANT}entry: {{inactive: 60d}}\nsteps:\n  {SEND}- wait: 91d\n  {SEND}", False),
    ("starved-by-dormant", f"{DORMANT}entry: {{inactive: 30d}}\nsteps:\n  {SEND}- wait: 7d\n  {SEND}", False),
    ("starved-by-dormant", f"{DORMANT}entry: {{on: page_viewed}}\nsteps:\n  {SEND}- wait: 7d\n  {SEND}", False),
    ("starved-by-dormant", f"{DORMANT}entry: {{inactive: 60d}}\nsteps:\n  {SEND}- {{wait_for: email_clicked, timeout: 7d}}\n  {SEND}", False),
    ("after-step-never-done", "steps:\n  - parallel:\n      a: [{id: x, send: push, template: a}, {wait: 1d}]\n      b: [{wait: {after_step: x, offset: 3d}}]", False),
    ("after-step-never-done", "steps:\n  - split:\n      a: {share: 50, steps: [{id: x, wait: 1d}]}\n      b: {share: 50, steps: [{wait: {after_step: x, offset: 3d}}]}", True),
    ("series-capped", f"{CAP}steps:\n  - {{series: push, every: 1d, pieces: [a, b]}}", False),
    ("series-capped", f"{CAP}steps:\n  - {{series: email, every: 1d, pieces: [welcome]}}", False),
    ("series-capped", f"{CAP}steps:\n  - {{series: email, every: 1d, pieces: [welcome, tips]}}", True),
    ("series-capped", f"{CAP}steps:\n  - {{series: email, every: 1d, pieces: [welcome, tips], when_capped: wait, hold_at_most: 8d}}", False),
    ("unknown-template", "steps:\n  - {series: email, every: 1d, pieces: [welcome, tipz]}", True),
    ("missing-purpose", "# programs/p.yaml\nprogram: p\nentry: {on: page_viewed}\nsteps:\n  - {series: push, every: 1d, pieces: [a]}", True),
    ("missing-purpose", "# programs/p.yaml\nprogram: p\nentry: {on: page_viewed}\nsteps:\n  - wait: 1d", False),
    ("missing-purpose", "# programs/p.yaml\nprogram: p\nentry: {on: page_viewed}\nsteps:\n  - send: push\n    template: a\n    purpose: marketing", False),
    # Held long enough, apart long enough, on another channel, or only on some ways: room enough.
    ("starved-by-cap", f"{CAP}steps:\n  {SEND}- wait: 7d\n  {SEND}", False),
    # Branches of a parallel step are no alternatives.
    ("starved-by-cap", f"{CAP}steps:\n  - parallel:\n      a: [{{send: email, template: tips}}, {{wait: 1d}}]\n      b: [{{wait: 2d}}]\n  {SEND}", True),
    ("starved-by-cap", f"{CAP}steps:\n  - parallel:\n      a: [{{send: email, template: tips}}, {{wait: 1d}}]\n      b: [{{wait: 8d}}]\n  {SEND}", False),
    ("starved-by-cap", f"{CAP}steps:\n  - parallel:\n      a: [{{send: email, template: tips}}, {{wait: 1d}}]\n      b: [{{wait: 2d}}]\n    until: first\n  {SEND}", False),
    ("starved-by-cap", f"{CAP}steps:\n  - parallel:\n      a: [{{decide: [{{if: event.seconds > 3, steps: [{{send: email, template: tips}}]}}]}}]\n      b: [{{wait: 2d}}]\n  {SEND}", False),
    # A fallback on a channel of no cap may leave room.
    ("starved-by-cap", f"{CAP}steps:\n  - {{send: email, template: tips, fallback: push}}\n  - wait: 1d\n  {SEND}", False),
    ("starved-by-cap", "# topology.yaml\npolicies: {caps: [{at_most: 1, per: 7d}]}\n# programs/p.yaml\nsteps:\n  - {send: email, template: tips, fallback: push}\n  - wait: 1d\n  - send: email\n    template: tips\n", True),
    # Pieces of a series count, and come too fast themselves.
    ("starved-by-cap", f"{CAP}steps:\n  - {{series: email, every: 3d, pieces: [welcome, tips]}}", True),
    ("starved-by-cap", f"{CAP}steps:\n  - {{series: email, every: 3d, pieces: [welcome, tips], when_capped: wait, hold_at_most: 5d}}", False),
    ("starved-by-cap", f"{CAP}steps:\n  - {{series: email, every: 7d, pieces: [welcome, tips]}}\n  - wait: 5d\n  {SEND}", False),
    ("starved-by-cap", f"{CAP}steps:\n  - {{series: email, every: 1d, pieces: [welcome], hold_at_most: 1d}}\n  {SEND}", True),
    ("starved-by-cap", f"{CAP}reenter: always\nsteps:\n  - {{series: email, every: 1d, pieces: [welcome], hold_at_most: 1d}}\n  {SEND}", False),
    ("starved-by-cap", f"{CAP}steps:\n  {SEND}- wait: 1d\n  - send: push\n    template: a", False),
    ("starved-by-cap", f"{CAP}steps:\n  {SEND}- wait_for: email_clicked\n    timeout: 6d\n  {SEND}", True),
    ("starved-by-cap", f"{CAP}steps:\n  {SEND}- wait_for: email_clicked\n    timeout: 8d\n  {SEND}", False),
    ("starved-by-cap", f"{CAP}steps:\n  {SEND}- wait: 1d\n  {SEND}  when_capped: wait\n", True),
    ("starved-by-cap", f"{CAP}steps:\n  {SEND}- wait: 1d\n  {SEND}  purpose: receipts\n", False),
    ("starved-by-cap", f"{CAP}steps:\n  - decide:\n      - if: event.seconds > 3\n        steps: [{{send: email, template: tips}}]\n  {SEND}", False),
    ("starved-by-cap", f"{CAP}steps:\n  - repeat:\n      times: 3\n      steps: [{{send: email, template: tips}}, {{wait: 1d}}]", True),
    ("starved-by-cap", f"{CAP}steps:\n  - repeat:\n      times: 3\n      steps: [{{send: email, template: tips}}, {{wait: 7d}}]", False),
    # Held instead of skipped; but not for as long as the quiet hours last.
    ("starved-by-quiet-hours", f'{QUIET}steps:\n  - wait: {{at: "22:00"}}\n  {SEND}', False),
    ("starved-by-quiet-hours", f'{QUIET}steps:\n  - wait: {{at: "08:59"}}\n  - score: engagement\n    add: 1\n  {SEND}  when_quiet: skip', True),
    ("starved-by-quiet-hours", f'{QUIET}steps:\n  - wait: {{at: "09:00"}}\n  {SEND}  when_quiet: skip', False),
    ("starved-by-quiet-hours", f'{QUIET}steps:\n  - wait: {{best_hour: email_clicked, default: "22:00"}}\n  {SEND}  when_quiet: skip', True),
    ("starved-by-quiet-hours", f'{QUIET}steps:\n  - wait: {{best_hour: email_clicked, default: "12:00"}}\n  {SEND}  when_quiet: skip', False),
    ("starved-by-quiet-hours", f"{QUIET}steps:\n  {SEND}  hold_at_most: 6h", True),
    ("starved-by-quiet-hours", f"{QUIET}steps:\n  {SEND}  hold_at_most: 12h", False),
    ("starved-by-quiet-hours", f"{QUIET}steps:\n  {SEND}  hold_at_most: 6h\n    purpose: receipts", False),
    ("starved-by-quiet-hours", f'{QUIET}entry: {{date: profile.birthday, at: "07:00"}}\nsteps:\n  {SEND}  when_quiet: skip', True),
    ("starved-by-quiet-hours", f'{QUIET.replace("to:", "days: [sat], to:")}steps:\n  - wait: {{at: "22:00"}}\n  {SEND}  when_quiet: skip', False),
    ("starved-by-quiet-hours", f'{QUIET.replace("to:", "days: [sat], to:")}steps:\n  - wait: {{at: "01:00", days: [sun]}}\n  {SEND}  when_quiet: skip', True),
    ("expires-before-quiet-ends", f'{QUIET}steps:\n  - wait: {{at: "20:30"}}\n  {SEND}', False),
    ("exit-never", "exit: [segment_left]\nsteps:\n  - wait: 1d", False),
    ("exit-never", "# topology.yaml\nsegments: {}\n# programs/p.yaml\nexit: [segment_left]\nsteps:\n  - wait: 1d", True),
    ("exit-never", "exit: {when: score.engagement > 100}\nsteps:\n  - wait: 1d", True),
    ("exit-never", "goal: {on: score_reached}\nsteps:\n  - wait: 1d", True),
    ("exit-never", "exit: {after: 90d}\nsteps:\n  - wait: 5d", True),
    ("exit-never", "exit: {after: 90d}\ngoal: {on: order_completed, within: 100d}\nsteps:\n  - wait: 5d", False),
    ("exit-never", "exit: {after: 90d}\nsteps:\n  - wait_for: email_clicked", False),
    ("exit-never", "exit: {after: 4d}\nsteps:\n  - wait: 5d", False),
    ("exit-never", 'exit: {on: program_ended, if: event.program == "p" or event.program == "q"}\nsteps:\n  - wait: 1d', False),
    ("never-entered", "entry: {score: engagement, reaches: 101}\nsteps:\n  - wait: 1d", True),
    ("never-entered", "entry: {score: engagement, reaches: 100}\nsteps:\n  - wait: 1d", False),
    ("never-entered", "entry: {on: page_viewed, if: event.seconds > 5 and event.seconds < 3}\nsteps:\n  - wait: 1d", True),
    ("never-entered", "audience: {never: score.engagement >= 0}\nsteps:\n  - wait: 1d", True),
    ("enroll-loop", "# programs/a.yaml\nreenter: always\nentry: {from_program: true}\nsteps:\n  - wait: 1d\n  - enroll: b\n# programs/b.yaml\nreenter: always\nentry: {from_program: true}\nsteps:\n  - enroll: a", False),
    ("enroll-loop", "# programs/a.yaml\nreenter: always\nentry: {after_program: b}\nsteps:\n  - score: engagement\n    add: 1\n# programs/b.yaml\nreenter: always\nentry: {after_program: a}\nsteps:\n  - score: engagement\n    add: 1", True),
    ("always-true", "steps:\n  - wait_until: 1 < 2\n    timeout: 1d", True),
    ("always-true", "entry: {on: page_viewed, if: not false or event.seconds > 3}\nsteps:\n  - wait: 1d", True),
    ("always-true", 'entry: {on: page_viewed, if: count("page_viewed") >= 1}\nsteps:\n  - wait: 1d', False),
    ("always-true", "steps:\n  - set: {tier: \"'gold'\"}", False),
    ("always-false", 'steps:\n  - decide:\n      - if: profile.tier == "a" and profile.tier == "b"\n        steps: [{wait: 1d}]', True),
    ("always-false", 'steps:\n  - decide:\n      - if: profile.tier == "a" or profile.tier == "b"\n        steps: [{wait: 1d}]', False),
    ("always-false", "steps:\n  - decide:\n      - if: hour() >= 24\n        steps: [{wait: 1d}]", True),
    ("always-false", "steps:\n  - decide:\n      - if: event.seconds > 5 and event.seconds <= 5\n        steps: [{wait: 1d}]", True),
    ("always-false", "steps:\n  - decide:\n      - if: event.seconds >= 5 and event.seconds <= 5\n        steps: [{wait: 1d}]", False),
    ("always-false", "# topology.yaml\nsegments: {nobody: 2 < 1}\n# programs/p.yaml\nsteps:\n  - wait: 1d", True),
    ("series-limit", 'steps:\n  - decide:\n      - if: count("page_viewed", within="1d") >= 256\n        steps: [{wait: 1d}]', False),
    ("unused-segment", "entry: {segment: big-spender}\nsteps:\n  - wait: 1d", False),
    ("unused-segment", 'exit: {on: segment_left, if: event.segment == "big-spender"}\nsteps:\n  - wait: 1d', False),
    ("unused-segment", "steps:\n  - wait_for: segment_entered\n    timeout: 1d", False),
    ("unused-score", 'steps:\n  - alert: slack\n    message: "{profile.email} {score.engagement}"', False),
    ("unused-score", "steps:\n  - score: engagement\n    add: 3", True),
    ("transactional-misuse", "purpose: receipts\nsteps:\n  - send: email\n    template: big-discount", True),
    ("transactional-misuse", "purpose: receipts\nsteps:\n  - send: email\n    template: welcome", False),
    ("ambiguous-step-id", "steps:\n  - wait: 1d\n  - wait: 2d", False),
    ("ambiguous-step-id", "steps:\n  - score: engagement\n    add: 1\n  - score: engagement\n    add: 2", False),
    ("no-exit-on-goal", f"exit: [consent_withdrawn]\nsteps:\n  {SEND}- wait: 1d\n  {SEND}", False),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "snippet", "fires"), CASES)
def test_cases(tmp_path, rule, snippet, fires):
    found = lint(tmp_path, snippet)
    assert (rule in found) is fires, found


def test_every_rule_is_tested_both_ways():
    seen = {(rule, fires) for rule, _, fires in (*EXAMPLES, *CASES)}
    assert seen == {(rule, fires) for rule in RULES for fires in (True, False)}


def test_rules_are_explained():
    for rule in RULES.values():
        assert rule.severity in ("error", "warning", "info")
        assert rule.summary.endswith(".")
        assert rule.why in rule.explanation
        assert rule.example.strip() in rule.explanation
        assert rule.better.strip() in rule.explanation


def test_findings_say_where_and_what_to_write(tmp_path):
    lint(tmp_path, "steps:\n  - wait: 1d\n  - wait_for: email_clicked")
    found = [problem for problem in lint_folder(tmp_path) if problem.rule == "wait-without-end"]
    assert [(one.file, one.line, one.column, one.severity) for one in found] == [
        ("programs/p.yaml", 6, 5, "error")
    ]
    assert "email_clicked" in found[0].message
    assert found[0].fix.startswith("write a timeout")


@pytest.mark.parametrize(
    "text",
    [
        "steps:\n  - wait_for: email_clicked  # lint: ignore wait-without-end\n",
        "steps:\n  # lint: ignore wait-without-end\n  - wait_for: email_clicked\n",
        "steps:\n  - wait_for: email_clicked  # lint: ignore starved-by-cap, wait-without-end\n",
    ],
)
def test_a_comment_silences_a_rule(tmp_path, text):
    assert "wait-without-end" not in lint(tmp_path, text)


def test_a_comment_silences_its_own_line_only(tmp_path):
    text = "steps:\n  - wait: 1d  # lint: ignore wait-without-end\n  - wait_for: email_clicked\n"
    assert {"wait-without-end", "unused-ignore"} <= set(lint(tmp_path, text))


def test_a_comment_that_names_no_rule_is_reported(tmp_path):
    lint(tmp_path, "steps:\n  - wait: 1d  # lint: ignore wait-witout-end\n")
    found = [problem for problem in lint_folder(tmp_path) if problem.rule == "unused-ignore"]
    assert [problem.fix for problem in found] == ['write "wait-without-end"']


def test_a_topology_that_does_not_load_is_reported_and_not_linted(tmp_path):
    found = lint(tmp_path, "steps:\n  - wait_for: email_clickd\n")
    assert found == ["unknown-event"]


def test_a_good_topology_has_no_findings(tmp_path):
    text = """\
entry: {segment: big-spender}
goal: {on: order_completed, within: 14d}
exit: [consent_withdrawn]
steps:
  - send: email
    template: welcome
  - wait_for: email_clicked
    timeout: 2d
    else:
      - send: push
        template: nudge
  - decide:
      - if: grade.engagement == "hot"
        steps: [{route: inbound-sales, because: "spent {sum('order_completed', 'value')}"}]
"""
    assert lint(tmp_path, text) == []
    assert lint_topology(load_topology(tmp_path)) == []


def test_many_branches_are_linted_in_bounded_time(tmp_path):
    branch = "  - decide:\n      - if: event.seconds > {n}\n        steps: [{{wait: 1h}}]\n"
    text = CAP + "steps:\n" + "".join(branch.format(n=n) for n in range(60)) + f"  {SEND}"
    # 2 ** 60 ways lead through; on the first of them there is room.
    assert "starved-by-cap" not in lint(tmp_path, text)
    # Where all that can be looked at are capped, nothing is said of those that cannot.
    first = CAP + f"steps:\n  {SEND.rstrip()}\n"
    branches = [branch.format(n=n) for n in range(60)]
    assert "starved-by-cap" not in lint(tmp_path, f"{first}{''.join(branches)}  {SEND}")
    assert "starved-by-cap" in lint(tmp_path, f"{first}{''.join(branches[:5])}  {SEND}")


def test_the_guide_is_current():
    page = (ROOT / "docs" / "guide" / "lint.md").read_text(encoding="utf-8")
    assert page == guide() + "\n", "run: python -m processor.language.lint.guide"


def test_the_guide_lists_every_rule():
    page = guide()
    assert [name for name in RULES if f"| [`{name}`](#{name}) |" not in page] == []
    assert [name for name in RULES if f"\n## {name}\n" not in page] == []
