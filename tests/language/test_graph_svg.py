"""The SVG of a program: valid, complete, without overlaps, the same every time."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import pytest

from processor.core.model import Audience, Node, Program
from processor.core.nodes import Decide, Jump, Leave, Parallel, Repeat, Send, Wait, WaitFor
from processor.language.graph import svg
from processor.language.graph_layout import END, Drawing, lay_out
from processor.language.graph_parts import (
    DETAIL_SIZE,
    HEADING_SIZE,
    LABEL_SIZE,
    PAD_LEFT,
    PAD_RIGHT,
    TEXT_SIZE,
    Box,
)
from processor.language.graph_text import text_width

SVG = "{http://www.w3.org/2000/svg}"

NURTURE = """\
program: nurture
description: Weeks of content until the lead is hot.
purpose: marketing
entry: [{score: engagement, reaches: 30}, {by_hand: true}]
goal: {on: order_completed, within: 90d}
exit: [order_completed, consent_withdrawn, {after: 365d}]
steps:
  - repeat:
      times: 5
      until: score.engagement >= 60
      steps:
        - send: email
          template: welcome
          when_capped: wait
        - wait_for: page_viewed
          timeout: 7d
          then:
            - repeat: {times: 2, steps: [{wait: 1d}, {score: engagement, add: 5}]}
  - split:
      mail: {share: 40, steps: [{send: email, template: cart-reminder}, {wait: 2d}]}
      push: {share: 40, steps: [{send: push, template: nudge}]}
      control: {share: 20}
  - decide:
      - if: grade.engagement == "hot" and sum("order_completed", "value", within="90d") >= 500
        steps:
          - route: inbound-sales
            because: "engagement {score.engagement}"
          - goto: last
      - if: grade.engagement == "warm"
        steps: [{wait: 14d}, {goto: repeat}]
      - else: [{add_to: vip}, {exit: cold}]
  - send: push
    template: never-seen
  - id: last
    set: {tier: "'gold'", visits: profile.visits + 1}
  - alert: slack
    message: "{profile.email} came to the end of it all, which is a message too long for its box to show"
"""


@pytest.fixture
def nurture(shop):
    return shop.load(nurture=NURTURE).topology.programs["nurture"]


def build(*nodes, first=None) -> Program:
    """A program of nodes alone."""
    return Program(
        name="built",
        version=1,
        description="",
        purpose="marketing",
        priority=50,
        entries=(),
        audience=Audience(None, None),
        opens_ms=0,
        closes_ms=0,
        reenter_ms=-1,
        entrants_max=0,
        holdout_share=0.0,
        goal=None,
        exits=(),
        nodes={node.id: node for node in nodes},
        first=first or nodes[0].id,
        keeps=(),
        answers=(),
        listeners={},
        goal_events=frozenset(),
        exit_events={},
        exit_conditions=(),
        exit_after_ms=0,
        keyed=False,
    )


def send(name: str, to: str | None = None, template: str = "t") -> Send:
    return Send(
        id=name,
        next=to,
        channel="email",
        template=template,
        values=(),
        purpose="marketing",
        when_capped="skip",
        when_quiet="wait",
        hold_ms=0,
        expires_ms=0,
    )


def overlap(a: Box, b: Box, clear: float = 0.0) -> bool:
    return (
        a.x < b.x + b.width + clear
        and b.x < a.x + a.width + clear
        and a.y < b.y + b.height + clear
        and b.y < a.y + a.height + clear
    )


def check(program: Program, drawing: Drawing) -> None:
    """What every drawing must be."""
    boxes = {box.key: box for box in drawing.boxes}
    assert len(boxes) == len(drawing.boxes)
    assert {key for key, box in boxes.items() if box.role == "step"} == set(program.nodes)
    assert [(a.key, b.key) for a, b in combinations(drawing.boxes, 2) if overlap(a, b, clear=8)] == []
    drawn = sorted(
        (line.source, line.label, _end(line.target)) for line in drawing.lines if line.source in program.nodes
    )
    wanted = sorted(
        (name, label, END if target is None else target)
        for name, node in program.nodes.items()
        for label, target in node.edges()
    )
    assert drawn == wanted
    for line in drawing.lines:
        assert line.source in boxes
        touches(line.points[-1], boxes[line.target])
        assert all(
            a[0] == pytest.approx(b[0]) or a[1] == pytest.approx(b[1]) for a, b in pairwise(line.points)
        )
    for x, y in (point for line in drawing.lines for point in line.points):
        assert 0 <= x <= drawing.width
        assert 0 <= y <= drawing.height
    for box in drawing.boxes:
        assert box.x >= 0
        assert box.x + box.width <= drawing.width
        assert box.bottom <= drawing.height
        fits(box)
    for label in drawing.labels:
        assert all(text_width(line, LABEL_SIZE) <= label.width for line in label.lines)


def _end(target: str) -> str:
    return END if target.startswith(END) else target


def touches(point, box: Box) -> None:
    x, y = point
    assert box.x - 0.01 <= x <= box.x + box.width + 0.01
    assert box.y - 0.01 <= y <= box.bottom + 0.01


def fits(box: Box) -> None:
    if box.role != "step":
        assert text_width(box.lines[0], TEXT_SIZE, bold=True) <= box.width - 20
        return
    room = box.width - PAD_LEFT - PAD_RIGHT
    assert text_width(box.heading, HEADING_SIZE, bold=True) <= room
    assert all(text_width(line, TEXT_SIZE, bold=True) <= room for line in box.lines)
    assert all(text_width(line, DETAIL_SIZE) <= room for line in (*box.details, box.tag))
    assert 36 + 17 * len(box.lines) + 15 * len(box.details) <= box.height


def crosses(line, box: Box) -> bool:
    """Whether a line goes through the inside of a box that it neither leaves nor reaches."""
    for (x1, y1), (x2, y2) in pairwise(line.points):
        if (
            min(x1, x2) < box.x + box.width - 1
            and max(x1, x2) > box.x + 1
            and min(y1, y2) < box.bottom - 1
            and max(y1, y2) > box.y + 1
        ):
            return True
    return False


def test_a_drawing_is_complete_and_clear(nurture):
    drawing = lay_out(nurture)
    check(nurture, drawing)
    through = [
        (line.source, line.target, box.key)
        for line in drawing.lines
        for box in drawing.boxes
        if box.key not in (line.source, line.target) and crosses(line, box)
    ]
    assert through == []


def test_labels_stand_clear_of_boxes(nurture):
    drawing = lay_out(nurture)
    for label in drawing.labels:
        box = Box(
            "", "", "", label.x - label.width / 2, label.y - label.height / 2, label.width, label.height
        )
        assert [other.key for other in drawing.boxes if overlap(box, other)] == []


def test_what_leads_back_and_what_times_out_look_so(nurture):
    drawing = lay_out(nurture)
    back = {(line.source, line.target) for line in drawing.lines if line.back}
    assert ("goto-repeat", "repeat") in back
    assert ("wait-for-page-viewed", "repeat") in back
    assert ("score-engagement", "repeat-2") in back
    timeouts = [line.label for line in drawing.lines if line.style == "timeout"]
    assert timeouts == ["after 7d"]
    picture = ET.fromstring(svg(nurture))
    classes = [
        path.get("class") for path in picture.iter(f"{SVG}path") if path.get("data-from") == "goto-repeat"
    ]
    assert classes == ["line jump back"]


def test_only_what_nothing_leads_to_is_faded(nurture):
    assert [box.key for box in lay_out(nurture).boxes if box.faded] == ["send-push-never-seen"]


def test_the_svg_is_valid_and_has_every_step_once(nurture):
    picture = ET.fromstring(svg(nurture))
    steps = [name for group in picture.iter() if (name := group.get("data-step"))]
    assert sorted(steps) == sorted(nurture.nodes)
    assert picture.findtext(f"{SVG}title") == "Program nurture, version 1"
    assert "Weeks of content" in str(picture.findtext(f"{SVG}desc"))
    texts = [element.text for element in picture.iter(f"{SVG}text")]
    for word in (
        "goal",
        "order_completed within 90 days",
        "consent_withdrawn",
        "after 365 days",
        "marketing",
        "once only",
    ):
        assert word in texts
    full = "".join(element.text or "" for element in picture.iter(f"{SVG}title"))
    assert "which is a message too long for its box to show" in full


def test_the_svg_needs_nothing_from_outside(nurture):
    text = svg(nurture).replace("http://www.w3.org/2000/svg", "")
    for word in ("http", "href", "<script", "@import", "url(", "<image", "var("):
        assert word not in text
    assert "prefers-color-scheme:dark" in text


def test_counts_are_shown_on_their_steps(nurture):
    picture = ET.fromstring(svg(nurture, {"repeat": 1234, "last": 2_500_000, "gone": 7}))
    shown = {}
    for group in picture.iter(f"{SVG}g"):
        if group.get("data-step"):
            numbers = [
                text.text
                for count in group.iter(f"{SVG}g")
                if count.get("class") == "count"
                for text in count.iter(f"{SVG}text")
            ]
            shown.update({group.get("data-step"): number for number in numbers})
    assert shown == {"repeat": "1,234", "last": "2.5M"}


def test_equal_programs_give_equal_files(shop, nurture):
    again = shop.load(nurture=NURTURE).topology.programs["nurture"]
    assert svg(again) == svg(nurture)


@pytest.mark.parametrize(
    "hostile", ['"><script>alert(1)</script>', "a & b < c", "\x00\x1b\ud800\ufffe", "]]>", "'\" onload='x'"]
)
def test_hostile_names_stay_text(hostile):
    program = build(send(hostile, "b", hostile), Leave(id="b", reason=hostile))
    picture = ET.fromstring(svg(program, {hostile: 3}).encode())
    assert {element.tag.removeprefix(SVG) for element in picture.iter()} <= {
        "svg",
        "g",
        "rect",
        "path",
        "text",
        "title",
        "desc",
        "style",
    }
    attributes = {name for element in picture.iter() for name in element.attrib}
    assert "onload" not in attributes
    assert len([group for group in picture.iter(f"{SVG}g") if group.get("data-step")]) == 2


def test_nodes_that_do_not_say_where_they_meet_are_drawn_all_the_same():
    program = build(
        Decide(
            id="d", branches=((bool, "a"), (bool, "b"), (bool, "d")), otherwise=None, texts=("x", "y", "z")
        ),
        send("a", "c"),
        send("b", "c"),
        send("c"),
    )
    check(program, lay_out(program))


def test_a_branch_to_the_end_beside_one_that_goes_on():
    program = build(
        WaitFor(
            id="w",
            next="b",
            events=("e",),
            when=None,
            condition=None,
            timeout_ms=1000,
            then="a",
            otherwise=None,
        ),
        send("a", "b"),
        send("b"),
    )
    check(program, lay_out(program))


@pytest.mark.parametrize("seed", range(30))
def test_any_graph_is_drawn(seed):
    """Random graphs, nested or not: the drawing is complete, and no boxes overlap."""
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(chance.randint(1, 45))]
    nodes: list[Node] = []
    for name in names:
        to = [chance.choice([*names, None]) for _ in range(3)]
        kind = chance.randint(0, 6)
        if kind == 0:
            nodes.append(
                Decide(
                    id=name,
                    next=to[0],
                    branches=((bool, to[1]), (bool, to[0])),
                    otherwise=to[2],
                    texts=("a", "b"),
                )
            )
        elif kind == 1:
            nodes.append(
                WaitFor(
                    id=name,
                    next=to[0],
                    events=("e",),
                    when=None,
                    condition=None,
                    timeout_ms=5,
                    then=to[1],
                    otherwise=to[2],
                )
            )
        elif kind == 2:
            nodes.append(Repeat(id=name, next=to[0], times=3, until=None, body=to[1] or name))
        elif kind == 3:
            nodes.append(Jump(id=name, next=names[0], target=chance.choice(names)))
        elif kind == 4:
            nodes.append(Wait(id=name, next=to[0], duration_ms=60_000))
        elif kind == 5:
            branches = tuple(zip("abc", to, strict=True))
            nodes.append(Parallel(id=name, next=to[0], branches=branches, first_ends=False))
        else:
            nodes.append(send(name, to[0], "word " * chance.randint(1, 30)))
    program = build(*nodes)
    check(program, lay_out(program))
    assert ET.fromstring(svg(program)) is not None


def test_deep_nesting_and_many_steps(shop):
    inner = "{send: push, template: a}"
    for depth in range(12):
        inner = (
            f"{{decide: [{{if: score.engagement > {depth}, steps: [{inner}]}}, {{else: [{{wait: 1d}}]}}]}}"
        )
    steps = "\n".join(f"  - {{send: push, template: t{number}}}" for number in range(60))
    text = f"program: deep\npurpose: marketing\nentry: {{on: page_viewed}}\nsteps:\n  - {inner}\n{steps}\n"
    program = shop.load(deep=text).topology.programs["deep"]
    check(program, lay_out(program))


def test_the_branches_of_a_parallel_step_stand_side_by_side(shop):
    text = (
        "program: p\npurpose: marketing\nentry: {on: page_viewed}\nsteps:\n"
        "  - parallel:\n"
        "      mail: [{send: email, template: welcome}, {wait: 1d}]\n"
        "      calls: [{wait: 2d}, {alert: slack, message: call}]\n"
        "    until: first\n"
        "  - {add_to: vip}\n"
    )
    program = shop.load(p=text).topology.programs["p"]
    drawing = lay_out(program)
    check(program, drawing)
    boxes = {box.key: box for box in drawing.boxes}
    assert boxes["send-email-welcome"].y == boxes["wait-2d"].y
    assert boxes["add-to-vip"].y > boxes["alert-slack"].bottom
    ways = {(line.source, line.target, line.label) for line in drawing.lines}
    assert {("parallel-mail-calls", "send-email-welcome", "mail"), ("alert-slack", "add-to-vip", "")} <= ways
    assert "until the first has ended" in svg(program)
    assert not drawing.frames
