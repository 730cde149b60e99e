"""The sections of a topology, and the index from events to what reacts to them."""

from __future__ import annotations

import time

import pytest

from processor.core.model import Cap, Channel, Purpose, QuietHours, Team, Topics
from processor.core.time import DAY_MS, HOUR_MS, zone
from processor.core.topics import RETENTION_MS, topic_names
from processor.language import LanguageError, load_topology

PROGRAM = "program: a\npurpose: marketing\nentry: {on: cart_abandoned}\nsteps: [{wait: 1d}]\n"


@pytest.fixture
def topology(shop):
    return shop.load(a=PROGRAM).topology


def test_the_plain_sections(topology):
    assert topology.name == "shop"
    assert topology.timezone is zone("Europe/London")
    assert topology.purposes == {
        "marketing": Purpose("marketing", consent=True, transactional=False),
        "receipts": Purpose("receipts", consent=False, transactional=True),
    }
    assert topology.channels["email"] == Channel(
        "email", "message", 2 * DAY_MS, "email", ("welcome", "cart-reminder")
    )
    assert topology.channels["push"] == Channel("push", "message", 4 * HOUR_MS)
    assert topology.channels["crm"].kind == "task"
    assert topology.teams == {"inbound-sales": Team("inbound-sales", "crm", ("ana", "ben"))}
    assert topology.profile_schema["tz"] == "zone?"
    assert topology.event_schemas["page_viewed"] == {"url": "string", "seconds": "number?"}
    assert topology.event_schemas["segment_entered"] == {"segment": "string"}
    assert topology.event_schemas["profile_updated"]["visits"] == "number?"


def test_costs_and_the_currency_are_for_reports(shop):
    top = shop.text.replace("push: {", "push: {cost: 0.0005, ") + "currency: EUR\n"
    found = shop.load(topology=top, a=PROGRAM).topology
    assert found.currency == "EUR"
    assert (found.channels["push"].cost, found.channels["email"].cost) == (0.0005, 0.0)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("timezone:", "currency: euro\ntimezone:", "three capital letters"),
        ("push: {", "push: {cost: -1, ", "-1"),
    ],
)
def test_a_cost_or_a_currency_that_is_none(shop, old, new, told):
    problems = shop.problems(shop.text.replace(old, new), a=PROGRAM)
    assert any(told in problem for problem in problems)


def test_the_policies(topology):
    policies = topology.policies
    assert policies.quiet_hours == (
        QuietHours(21 * 60, 9 * 60, frozenset({0, 1}), frozenset({"push"}), frozenset({"marketing"})),
    )
    assert policies.caps == (
        Cap("weekly-mail", 3, 7 * DAY_MS, frozenset({"email"}), frozenset({"marketing"})),
        Cap("1-per-1d", 1, DAY_MS, frozenset(), frozenset()),
    )
    assert (policies.holdout_share, policies.salt) == (5.0, "shop")


def test_the_topics(shop, topology):
    assert topology.topics == Topics(("events",), "", 8, RETENTION_MS)
    text = (shop.folder / "topology.yaml").read_text(encoding="utf-8")
    topics = "topics: {events: [web, app], prefix: eu., partitions: 3, retention: {commands: 2d}}"
    (shop.folder / "topology.yaml").write_text(f"{text}\n{topics}\n", encoding="utf-8")
    found = load_topology(shop.folder).topology
    assert found.topics.retention_ms == {**RETENTION_MS, "commands": 2 * DAY_MS}
    names = topic_names(found)
    assert (names.app, names.changelog) == ("eu.shop", "eu.shop-rows-changelog")
    assert names.events == ("eu.web", "eu.app")
    assert names.commands["email"] == "eu.commands.email"
    assert (names.decisions, names.clock, names.dead_letters) == (
        "eu.decisions",
        "eu.clock",
        "eu.dead-letters",
    )
    assert (names.internal, names.control) == ("eu.internal", "eu.control")


def test_a_topic_name_that_is_too_long(shop):
    text = (shop.write() / "topology.yaml").read_text(encoding="utf-8")
    (shop.folder / "topology.yaml").write_text(f"{text}\ntopics: {{prefix: {'x' * 240}}}\n", encoding="utf-8")
    with pytest.raises(LanguageError, match="longer than 249 characters"):
        load_topology(shop.folder)


def test_a_score_model(topology):
    model = topology.scores["engagement"]
    assert (model.half_life_ms, model.minimum, model.maximum) == (14 * DAY_MS, 0.0, 1000.0)
    assert [(grade.name, grade.at, grade.until) for grade in model.grades] == [
        ("cold", 0.0, 0.0),
        ("warm", 30.0, 30.0),
        ("hot", 60.0, 50.0),
    ]
    first, second = model.rules
    assert (first.name, first.add, first.add_fn) == ("pricing-page", 3.0, None)
    assert (first.cap_points, first.cap_times, first.cap_ms) == (10.0, 0, DAY_MS)
    assert second.name == "order_completed-2"
    assert second.add_fn is not None
    assert topology.reactions["page_viewed"].rules == (first,)
    assert topology.reactions["order_completed"].rules == (second,)
    assert topology.reactions["cart_abandoned"].rules == (second,)


def test_defaults_where_sections_are_absent(shop):
    topology = shop.load(
        "topology: bare\nevents: {seen: {}}\n", a="program: a\nentry: {on: seen}\nsteps: [exit]\n"
    ).topology
    assert topology.timezone is zone("UTC")
    assert topology.purposes == {"marketing": Purpose("marketing", consent=True, transactional=False)}
    assert topology.policies.salt == "bare"
    assert not topology.segments
    assert set(topology.reactions) == {"seen"}


def test_segments_come_after_those_they_read(topology):
    order = list(topology.segments)
    assert sorted(order) == ["big-spender", "both", "engaged", "reader", "staff"]
    assert order.index("both") > order.index("big-spender")
    assert order.index("both") > order.index("staff")
    assert topology.segment_order == {name: at for at, name in enumerate(order)}
    assert topology.segments_by_segment == {"big-spender": ("both",), "staff": ("both",)}


def test_which_segments_depend_on_what(topology):
    assert topology.segments_by_score == {"engagement": ("engaged",)}
    assert topology.segments_by_attribute["email"] == ("staff", "both")
    # A sum in a window and a decaying score change by the clock, and so by the zone too.
    assert topology.segments_by_attribute["tz"] == ("big-spender", "engaged", "both")
    assert topology.segments_by_list == ("reader",)
    assert topology.segments_by_consent == ("reader",)
    assert topology.segments_by_program == ()
    (series,) = topology.reactions["order_completed"].series
    assert topology.segments_by_series == {series.key: ("big-spender", "both")}


def test_what_a_score_is_compared_with(shop):
    model = shop.load(a=PROGRAM + "exit: {when: score.engagement < 33}\n").topology.scores["engagement"]
    assert {10.0, 30.0, 33.0, 50.0, 60.0} <= set(model.bounds)
    assert list(model.bounds) == sorted(model.bounds)


def test_what_listens_to_an_event(shop):
    topology = shop.load(
        a=PROGRAM.replace("steps:", "goal: {on: order_completed}\nsteps:"),
        b="program: b\nentry: {segment: staff}\nexit: page_viewed\n"
        "steps: [{wait_for: email_clicked, timeout: 1d}, {wait_until: profile.visits > 1, timeout: 1d}]\n",
    ).topology
    programs = {name: reaction.programs for name, reaction in topology.reactions.items() if reaction.programs}
    assert programs == {"order_completed": {"a"}, "page_viewed": {"b"}, "email_clicked": {"b"}}
    assert topology.programs["b"].listeners == {
        "email_clicked": {"wait-for-email-clicked"},
        "*": {"wait-until-profile-visits-1"},
    }
    assert topology.always.programs == {"b"}
    assert [entry.id for entry in topology.reactions["segment_entered"].entries] == ["segment-staff"]


def test_equal_histories_are_kept_once_with_the_longest_window(shop):
    topology = shop.load(
        shop.text.replace("  engaged:", '  short: count("page_viewed", within="2d") > 1\n  engaged:'),
        a=PROGRAM + 'exit:\n  - when: count("page_viewed", within="9d") > 5\n',
    ).topology
    (spec,) = topology.reactions["page_viewed"].series
    assert (spec.key, spec.window_ms) == ("page_viewed", 9 * DAY_MS)


def test_sections_in_files_of_their_own_mean_the_same(shop):
    whole = shop.load(a=PROGRAM).topology
    start, end = shop.text.index("segments:"), shop.text.index("policies:")
    section = shop.text[start:end]
    folder = shop.write(shop.text.replace(section, ""), a=PROGRAM)
    body = "".join(f"{line[2:]}\n" for line in section.splitlines()[1:])
    (folder / "segments.yaml").write_text(body)
    moved = load_topology(folder).topology
    assert list(moved.segments) == list(whole.segments)
    assert moved.digest != whole.digest
    (folder / "segments.yaml").write_text(body.replace("500", '"x"'))
    with pytest.raises(LanguageError) as caught:
        load_topology(folder)
    assert str(caught.value).startswith("segments.yaml:2:63 error bad-expression: ")


def test_the_digest_is_of_all_sources_but_scenarios(shop):
    folder = shop.write(a=PROGRAM)
    digest = load_topology(folder).topology.digest
    assert len(digest) == 64
    (folder / "programs" / "a.test.yaml").write_text("scenario: x\n")
    (folder / "README.md").write_text("hello")
    assert load_topology(folder).topology.digest == digest
    (folder / "programs" / "a.yaml").write_text(f"# a comment\n{PROGRAM}")
    changed = load_topology(folder).topology.digest
    assert changed != digest
    (folder / "programs" / "a.yaml").write_text(PROGRAM)
    assert load_topology(folder).topology.digest == digest


def test_zones_by_name(topology):
    assert topology.zone_for("America/Lima") is zone("America/Lima")
    for unknown in (None, "", "Nowhere/Here", 7, ["UTC"]):
        assert topology.zone_for(unknown) is zone("Europe/London")


def test_forty_programs_load_quickly(shop):
    steps = "  - {send: email, template: welcome, values: {n: event.lines}}\n  - wait: 1d\n" * 20
    text = "purpose: marketing\nentry: {on: cart_abandoned, if: event.value > 3}\nsteps:\n" + steps
    folder = shop.write(**{f"p{number}": f"program: p{number}\n{text}" for number in range(40)})
    began = time.process_time()
    loaded = load_topology(folder)
    spent_s = time.process_time() - began
    assert sum(len(program.nodes) for program in loaded.topology.programs.values()) == 1600
    # The promise is 2 s; a slow or busy machine is no fault of the loader.
    assert spent_s < 10
