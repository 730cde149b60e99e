"""Whatever is written in a file, loading gives a topology or a LanguageError, never anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processor.language import LanguageError, Problem, load_scenarios, load_topology
from processor.language.program_shape import PROGRAM, SCENARIO
from processor.language.step_shapes import STEP_RECORDS
from processor.language.topology_shape import TOPOLOGY

_WORDS = st.sampled_from(
    """\
3d|-2d|09:00|2026-03-01|0 9 * * mon|email|welcome|marketing|engagement|staff|vip|cart_abandoned
order_completed|segment_entered|consent_withdrawn|event.value > 3|profile.visits
profile.birthday|Hi {profile.email}|{|a
always
count("page_viewed", within="2d") > 1|after 7d|hot|exit|skip|wait|mon|UTC|number|string?||x y
in_segment("both")|inbound-sales|slack|answer.template|variant("split-a-b")|required|goal""".replace(
        "\n", "|"
    ).split("|")
)
_SCALARS = st.one_of(_WORDS, st.integers(-2, 200), st.floats(-1e3, 1e3), st.booleans(), st.none())
_KEYS = sorted(
    {key for record in (PROGRAM, SCENARIO, TOPOLOGY, *STEP_RECORDS.values()) for key in record.fields}
    | {
        "on",
        "if",
        "key",
        "segment",
        "reaches",
        "becomes",
        "date",
        "at",
        "times",
        "share",
        "x",
        "within",
        "when",
    }
    | {"cart_abandoned", "email", "half_life", "grades", "rules", "cap", "per", "at_most", "from"}
)


def _values(keys: list[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        _SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(keys), inner, max_size=4)
        ),
        max_leaves=12,
    )


_ANY = _values(_KEYS)
_STEPS = st.lists(
    st.sampled_from(sorted(STEP_RECORDS)).flatmap(
        lambda kind: st.fixed_dictionaries(
            {kind: _ANY}, optional={key: _ANY for key in STEP_RECORDS[kind].fields if key != kind}
        )
    ),
    max_size=4,
)


def _documents(fields: list[str], **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(given, optional={key: _ANY for key in fields if key not in given})


_PROGRAM = _documents(list(PROGRAM.fields), program=st.just("a"), steps=_STEPS, entry=_ANY)
_TOPOLOGY = _documents(list(TOPOLOGY.fields), topology=st.just("shop"))
_SCENARIO = _documents(list(SCENARIO.fields), scenario=st.just("s"))

_quiet = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def _try(folder: Path) -> None:
    found: tuple[Problem, ...] = ()
    try:
        loaded = load_topology(folder)
        load_scenarios(loaded)
    except LanguageError as error:
        found = error.problems
        refused = True
    else:
        refused = False
    assert refused == bool(found)
    for problem in found:
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.message
        assert problem.fix


@_quiet
@given(program=_PROGRAM)
def test_any_program(shop, program):
    _try(shop.write(a=json.dumps(program)))


@_quiet
@given(topology=_TOPOLOGY)
def test_any_topology(shop, topology):
    _try(
        shop.write(
            json.dumps(topology), a="program: a\nentry: {on: seen}\nsteps: [{send: email, template: x}]\n"
        )
    )


@_quiet
@given(scenario=_SCENARIO)
def test_any_scenario(shop, scenario):
    folder = shop.write(a="program: a\nentry: {on: cart_abandoned}\nsteps: [exit]\n")
    (folder / "programs" / "a.test.yaml").write_text(json.dumps(scenario), encoding="utf-8")
    _try(folder)


@_quiet
@given(cut=st.integers(0, 400), text=st.text(max_size=8))
def test_a_program_with_a_hole(shop, cut, text):
    whole = (
        "program: a\npurpose: marketing\nentry: {on: cart_abandoned, if: event.value > 3}\n"
        'steps:\n  - {send: email, template: welcome, values: {n: "Hi {profile.email}"}}\n'
        "  - decide:\n      - if: profile.visits > 1\n        steps: [{wait: 1d}]\n      - else: []\n"
        "  - split: {x: {share: 50}, y: {share: 50, steps: [exit]}}\n"
    )
    _try(shop.write(a=whole[:cut] + text.replace("\r", "") + whole[cut + 3 :]))
