"""Programs as Mermaid text, and the machine's states."""

from __future__ import annotations

import re

import pytest

from processor.core.lifecycle import ENROLLMENT_TRANSITIONS, TRACK_TRANSITIONS, EnrollmentState, TrackState
from processor.language.graph import lifecycle_mermaid, mermaid
from processor.language.graph_text import clip, duration_words, safe, text_width, wrap

CART = """\
program: cart
purpose: marketing
entry: {on: cart_abandoned}
steps:
  - wait: 1h
  - send: email
    template: cart-reminder
  - wait_for: email_clicked
    if: event.template == "cart-reminder"
    timeout: 2d
    else:
      - exit: asleep
  - decide:
      - if: score.engagement >= 60
        steps: [{route: inbound-sales}]
"""


@pytest.fixture
def cart(shop):
    return shop.load(cart=CART).topology.programs["cart"]


def test_a_flowchart_has_every_step_and_every_way(cart):
    assert mermaid(cart).splitlines() == [
        "flowchart TD",
        '  e1(["cart#95;abandoned"]):::entry',
        '  s1(["wait<br/>1 hour"]):::wait',
        '  s2["send · email<br/>cart-reminder"]:::send',
        '  s3(["wait for<br/>email#95;clicked<br/>if event.template == #34;cart-reminder#34;"]):::wait_for',
        '  s4("exit<br/>asleep"):::exit',
        '  s5{{"decide<br/>score.engagement #62;= 60 ?"}}:::decide',
        '  s6["route<br/>inbound-sales"]:::route',
        '  done(["end"])',
        "  e1 --> s1",
        "  s1 --> s2",
        "  s2 --> s3",
        '  s3 -->|"yes"| s5',
        '  s3 -.->|"after 2d"| s4',
        '  s5 -->|"yes"| s6',
        '  s5 -->|"else"| done',
        "  s6 --> done",
        "  classDef entry fill:#059669,stroke:#059669,color:#ffffff",
        "  classDef wait stroke:#64748b,stroke-width:2px",
        "  classDef send stroke:#2563eb,stroke-width:2px",
        "  classDef wait_for stroke:#d97706,stroke-width:2px",
        "  classDef exit stroke:#78716c,stroke-width:2px",
        "  classDef decide stroke:#7c3aed,stroke-width:2px",
        "  classDef route stroke:#e11d48,stroke-width:2px",
    ]


def test_labels_cannot_break_out_of_their_quotes(shop):
    text = CART.replace("asleep", "'\"]; click s1 call alert(1) <script>`'")
    program = shop.load(cart=text).topology.programs["cart"]
    line = next(line for line in mermaid(program).splitlines() if line.startswith("  s4"))
    label = line.removeprefix('  s4("exit<br/>').removesuffix('"):::exit')
    assert re.fullmatch(r"(?:[\w .-]|#[0-9]+;)+", label)


@pytest.mark.parametrize(
    ("title", "states", "table"),
    [
        ("Enrollment", EnrollmentState, ENROLLMENT_TRANSITIONS),
        ("Track", TrackState, TRACK_TRANSITIONS),
    ],
)
def test_the_state_diagram_is_the_transition_table(title, states, table):
    drawn = {}
    pattern = rf"    {title}_(\w+) --> {title}_(\w+): (.+)"
    for before, after, signals in re.findall(pattern, lifecycle_mermaid()):
        for signal in signals.split(", "):
            drawn[states[before], signal.replace(" ", "_")] = states[after]
    assert drawn == table


def test_a_state_diagram_is_drawn_for_all_states():
    diagram = lifecycle_mermaid()
    assert diagram.startswith("stateDiagram-v2\n")
    for state in (*EnrollmentState, *TrackState):
        assert f"{type(state).__name__.removesuffix('State')}_{state.name}: {state.name.lower()}" in diagram


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ()),
        ("short", ("short",)),
        ("one two three four", ("one two", "three four")),
        ("one two three four five six seven", ("one two", "three four fi…")),
        ("template-with-dashes", ("template-", "with-dashes")),
    ],
)
def test_wrap(text, lines):
    assert wrap(text, 10, 62, 2) == lines


@pytest.mark.parametrize(
    "text", ["W" * 80, "日本語" * 30, "a b " * 40, "é" * 90, "👩‍💻" * 20, "x" * 79 + "-"]
)
@pytest.mark.parametrize("width", [20, 61, 180])
def test_wrapped_lines_fit(text, width):
    for line in wrap(text, 13.5, width, 3, bold=True):
        assert text_width(line, 13.5, bold=True) <= width


def test_clip_keeps_as_much_as_fits():
    assert clip("abcdef", 10, 100) == "abcdef"
    clipped = clip("abcdefghijklmnop", 10, 50)
    assert clipped.endswith("…")
    assert text_width(clipped, 10) <= 50 < text_width("abcdefghijklmnop"[: len(clipped)] + "…", 10)


def test_safe_takes_out_what_xml_cannot_hold():
    assert safe("a\x00b\ud800c\nd\ufffee\U0001fffff") == "a\ufffdb\ufffdc d\ufffde\ufffdf"


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (3_600_000, "1 hour"),
        (129_600_000, "1 day 12 hours"),
        (14 * 86_400_000, "14 days"),
        (1000, "1 second"),
    ],
)
def test_duration_words(ms, words):
    assert duration_words(ms) == words
