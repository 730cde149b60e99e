"""The sections of ``topology.yaml``, from what was read to what the machine runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from processor.core.model import (
    Blackout,
    Cap,
    Channel,
    Dormant,
    Personalising,
    Policies,
    Program,
    Purpose,
    QuietHours,
    Team,
    Topics,
)
from processor.core.schema import BUILT_IN_EVENTS, DERIVED_EVENTS
from processor.core.test_list import TestList
from processor.core.time import DAY_MS, format_duration, local_span, zone
from processor.core.topics import (
    CHANGELOG,
    EVENTS,
    NAME_CHARS_MAX,
    PARTITIONS,
    RETENTION_MS,
    collides,
    own_names,
)
from processor.language.competition import competition
from processor.language.names import Known
from processor.language.problems import Problems, quoted
from processor.language.records import Form
from processor.language.topology_shape import WEEKDAYS

__all__ = [
    "channels",
    "event_schemas",
    "know",
    "needed_purposes",
    "policies",
    "profile_schema",
    "purposes",
    "teams",
    "test_list",
    "topics",
    "weekdays",
]

CONFIRM_MS: Final = 7 * DAY_MS  # in which a consent can be confirmed where the purpose does not say
TEST_WAIT_MS: Final = 60_000  # of contacts on the test list where the topology does not say
EXPIRES_MS: Final = DAY_MS  # how long a command is good where the channel does not say


def know(form: Form, problems: Problems) -> Known:
    """Return what a topology declares; programs are added by whoever has read them."""
    profile = profile_schema(form)
    nothing = Form(form.mark)
    models = form.get("scores", nothing)
    return Known(
        events=event_schemas(form, profile, problems),
        declared=tuple(form.get("events", ())),
        profile=profile,
        purposes=frozenset(form["purposes"].marks if "purposes" in form else purposes(form, problems)),
        channels=frozenset(form.get("channels", nothing).marks),
        teams=frozenset(form.get("teams", nothing).marks),
        members={
            name: members_of(team)
            for name, team in form.get("teams", nothing).values.items()
            if not team.broken
        },
        lists=frozenset(form.get("lists", ())),
        segments=frozenset(form.get("segments", nothing).marks),
        grades={name: tuple(models[name].get("grades", nothing).marks) for name in models},
        decaying=frozenset(name for name in models if _moves_with_time(models[name])),
        predicted=frozenset(name for name in models if "model" in models[name].marks),
    )


def _moves_with_time(score: Form) -> bool:
    """Whether time alone changes the score: by decay, by inactivity, or since its model is asked again."""
    evaluated = score.get("evaluate", Form(score.mark))
    return "half_life" in score or "inactive" in score or "fresh_for" in evaluated


def event_schemas(form: Form, profile: dict[str, str], problems: Problems) -> dict[str, dict[str, str]]:
    """Return event type -> property -> type, with the built-in and the derived types."""
    made = {name: dict(schema) for name, schema in BUILT_IN_EVENTS.items()}
    made["profile_updated"] = {name: f"{kind.removesuffix('?')}?" for name, kind in profile.items()}
    declared = form.get("events", Form(form.mark))
    for name in declared:
        if name in DERIVED_EVENTS:
            message = f"{quoted(name)} is raised by the machine and cannot be declared"
            problems.error(declared.at(name), "reserved-event", message, "write another name")
            continue
        made[name] = made.get(name, {}) | _types(declared[name])
    for name, schema in DERIVED_EVENTS.items():
        made[name] = dict(schema)
    return made


def profile_schema(form: Form) -> dict[str, str]:
    """Return attribute -> type; ``tz`` is always there."""
    return {"tz": "zone?"} | (_types(form["profile"]) if "profile" in form else {})


def _types(given: Form) -> dict[str, str]:
    """Return the declared types; a type that could not be read does not make its name unknown."""
    return {name: given.get(name, "any") for name in given.marks}


def purposes(form: Form, problems: Problems) -> dict[str, Purpose]:
    """Return the purposes; marketing, with consent, where none are declared."""
    if "purposes" not in form:
        return {"marketing": Purpose("marketing", consent=True, transactional=False)}
    made = {}
    for name, given in form["purposes"].values.items():
        transactional = given.get("transactional", False)
        consent = given.get("consent", "not_required" if transactional else "required") == "required"
        double = given.get("double_opt_in")
        if double is not None and (transactional or not consent):
            message = f"{quoted(name)} needs no consent, so there is nothing to confirm"
            fix = "write consent: required, or take double_opt_in out"
            problems.error(given.at("double_opt_in"), "bad-double-opt-in", message, fix)
        asked = isinstance(double, Form) and not double.broken
        made[name] = Purpose(
            name,
            consent=consent,
            transactional=transactional,
            confirm_ms=double.get("within", CONFIRM_MS) if asked else 0,
            confirmations=frozenset(double["confirmation"]) if asked else frozenset(),
        )
    return made


def channels(form: Form, problems: Problems) -> dict[str, Channel]:
    """Return the channels; one that is to guard its addresses and has none is reported."""
    made = {}
    for name, given in form.get("channels", Form(form.mark)).values.items():
        guards = "suppressed_by" in given or "one_copy" in given
        if guards and not given.get("address") and not given.broken:
            key = "suppressed_by" if "suppressed_by" in given else "one_copy"
            message = f"the channel {quoted(name)} does not say where its addresses are"
            problems.error(given.at(key), "no-address", message, "write address: and a profile attribute")
        made[name] = Channel(
            name=name,
            kind=given.get("kind", "message"),
            expires_ms=given.get("expires_after", EXPIRES_MS),
            address=given.get("address", ""),
            templates=tuple(given.get("templates", ())),
            cost=float(given.get("cost", 0)),
            failed_by=given.get("failed_by", ""),
            cancels=given.get("cancels", False),
            guards=guards,
            suppressed_by=tuple(given.get("suppressed_by", ())),
            one_copy_ms=given.get("one_copy", 0),
        )
    return made


def teams(form: Form) -> dict[str, Team]:
    """Return the teams that could be read."""
    given = form.get("teams", Form(form.mark)).values
    return {
        name: Team(name, team["channel"], members_of(team), _addresses(team))
        for name, team in given.items()
        if not team.broken
    }


def test_list(form: Form) -> TestList | None:
    """Return the test list, where there is one."""
    given = form.get("test_list")
    if isinstance(given, Form):
        return None if given.broken else TestList(given["list"], given.get("wait_at_most", TEST_WAIT_MS))
    return None if given is None else TestList(given, TEST_WAIT_MS)


def members_of(team: Form) -> tuple[str, ...]:
    """Return the names of a team's members."""
    return tuple(one["name"] if isinstance(one, Form) else one for one in team.get("members", ()))


def _addresses(team: Form) -> dict[str, dict[str, str]]:
    members = [one for one in team["members"] if isinstance(one, Form)]
    return {one["name"]: {key: one[key] for key in one if key != "name"} for one in members}


def topics(form: Form, made_channels: Iterable[str], problems: Problems) -> Topics:
    """Return the topics; what Kafka would not take, or would take for another, is reported."""
    given = form.get("topics", Form(form.mark))
    kept = given.get("retention", Form(given.mark))
    made = Topics(
        events=tuple(given.get("events", (EVENTS,))),
        prefix=given.get("prefix", ""),
        partitions=given.get("partitions", PARTITIONS),
        retention_ms={**RETENTION_MS, **kept.values},
    )
    others = {collides(name) for name in own_names(form.get("topology", ""), made_channels)}
    for name in made.events:
        if collides(name) in others or name.endswith(CHANGELOG):
            message = f"{quoted(name)} is, or looks to Kafka like, the name of another topic"
            problems.error(given.at("events"), "topic-name", message, "write another name")
        others.add(collides(name))
    longest = max((made.prefix + name for name in others), key=len)
    if len(longest) > NAME_CHARS_MAX:
        message = f"the topic's name {quoted(longest)} is longer than {NAME_CHARS_MAX} characters"
        problems.error(given.mark, "topic-name", message, "write a shorter prefix or name")
    return made


def policies(form: Form, problems: Problems, programs: Collection[Program]) -> Policies:
    """Return the policies; nothing is capped or quiet where the file does not say so."""
    given = form.get("policies", Form(form.mark))
    quiet = tuple(
        QuietHours(
            item["from"],
            item["to"],
            weekdays(item.get("days")),
            frozenset(item.get("channels", ())),
            frozenset(item.get("purposes", ())),
        )
        for item in given.get("quiet_hours", ())
        if not item.broken
    )
    caps = tuple(_cap(item) for item in given.get("caps", ()) if not item.broken)
    budgets, arbitration = competition(form, problems, programs)
    return Policies(
        quiet_hours=quiet,
        caps=caps,
        holdout_share=float(given.get("holdout", 0)),
        salt=given.get("salt", form.get("topology", "")),
        dormant=tuple(_dormant(item) for item in given.get("dormant", ()) if not item.broken),
        personalising=_personalising(given),
        forget_ms=given.get("forget_after", 0),
        erased_anew=given.get("erased", "refuse") == "anew",
        blackouts=tuple(_blackout(item, problems) for item in given.get("blackouts", ()) if not item.broken),
        budgets=budgets,
        arbitration=arbitration,
        competes=bool(budgets or arbitration),
        claims=bool(budgets) or any(program.entrants_max for program in programs),
        ranks=any(program.group for program in programs),
    )


def _personalising(given: Form) -> Personalising | None:
    item = given.get("personalising")
    if item is None or item.broken:
        return None
    return Personalising(item["needs"], frozenset(item.get("channels", ())))


def needed_purposes(form: Form, problems: Problems) -> dict[str, Purpose]:
    """Return the purposes; what needs one to which nobody has to agree is reported."""
    made = purposes(form, problems)
    nothing = Form(form.mark)
    told = [form.get("policies", nothing).get("personalising", nothing)]
    for section in ("scores", "segments"):
        told += [one for one in form.get(section, nothing).values.values() if isinstance(one, Form)]
    for one in told:
        purpose = made.get(one.get("needs", ""))
        if purpose is not None and not purpose.consent:
            message = f"the purpose {quoted(purpose.name)} needs no consent, so that this holds for everybody"
            fix = "name a purpose with consent: required, or take needs out"
            problems.error(one.at("needs"), "bad-needs", message, fix)
    return made


def _blackout(item: Form, problems: Problems) -> Blackout:
    begin, end = item["from"].strip(), item["to"].strip()
    first_ms, last_ms = local_span(begin, end, zone(item.get("zone", "UTC")))
    if last_ms <= first_ms:
        message = "the blackout is over before it begins"
        problems.error(item.at("to"), "bad-blackout", message, f"write a day from {begin} on")
    return Blackout(
        item.get("name", begin[: len("2026-12-24")]),
        begin,
        end,
        zone(item["zone"]) if "zone" in item else None,
        frozenset(item.get("channels", ())),
        frozenset(item.get("purposes", ())),
    )


def _cap(item: Form) -> Cap:
    narrowed = [*item.get("channels", ()), *item.get("purposes", ())]
    name = "-".join([*narrowed, str(item["at_most"]), "per", format_duration(item["per"]).replace(" ", "")])
    return Cap(
        item.get("name", name),
        item["at_most"],
        item["per"],
        frozenset(item.get("channels", ())),
        frozenset(item.get("purposes", ())),
    )


def _dormant(item: Form) -> Dormant:
    per_ms = item.get("per", 0)
    spans = [format_duration(item["inactive"]), *([format_duration(per_ms)] if per_ms else [])]
    return Dormant(
        item.get("name", "-".join([*spans, str(item["at_most"])]).replace(" ", "")),
        item["inactive"],
        tuple(dict.fromkeys(item.get("of", ()))),
        item["at_most"],
        per_ms,
        frozenset(item.get("channels", ())),
        frozenset(item.get("purposes", ())),
    )


def weekdays(names: list[str] | None) -> frozenset[int] | None:
    """Return weekday names as numbers from 0 for Monday; None for every day."""
    return None if names is None else frozenset(WEEKDAYS.index(name) for name in names)
