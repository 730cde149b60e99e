"""What events may look like: the built-in types, the types of properties, and the check of a published event.

A check is compiled once for each event type, since it is on the path of every event. A reason names the
property and what it must be, never its value: reasons go to dead letters, where no personal data may be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from processor.core.time import is_zone, parse_time

if TYPE_CHECKING:
    from processor.core.model import Topology

__all__ = [
    "BUILT_IN_EVENTS",
    "DERIVED_EVENTS",
    "IMPORTABLE",
    "OPERATORS_EVENTS",
    "PROPERTY_TYPES",
    "Check",
    "compile_checks",
    "validate",
]

Check = Callable[[Mapping[str, Any]], str | None]

PROPERTY_TYPES: Final = ("string", "number", "integer", "boolean", "time", "date", "zone", "list", "map")

# Event types every topology has; a topology may add properties. profile_updated has the profile's attributes.
BUILT_IN_EVENTS: Final[Mapping[str, Mapping[str, str]]] = {
    "profile_updated": {},
    "consent_granted": {"purpose": "string", "channel": "string?", "text": "string?", "by": "string?"},
    "consent_confirmed": {"purpose": "string", "channel": "string?", "by": "string?"},
    "consent_withdrawn": {"purpose": "string?", "channel": "string?", "text": "string?", "by": "string?"},
    "preferences_changed": {
        "consents": "map?",
        "lists": "map?",
        "profile": "map?",
        "text": "string?",
        "by": "string?",
    },
    "list_joined": {"list": "string"},
    "list_left": {"list": "string"},
    "contact_added": {"program": "string"},
    "contact_removed": {"program": "string"},
    "contact_identified": {"anonymous_id": "string"},
    "contacts_merged": {"other_id": "string"},
    "address_suppressed": {"channel": "string", "address": "string?", "because": "string?"},
    "address_released": {"channel": "string", "address": "string?"},
    "timers_released": {},
    "imported": {
        "type": "string",
        "properties": "map?",
        "at": "time",
        "file": "string",
        "line": "integer",
    },
    "contact_erased": {"request": "string?"},
    "program_paused": {"program": "string", "by": "string?", "because": "string?"},
    "program_resumed": {"program": "string", "by": "string?", "because": "string?"},
    "held_released": {"program": "string", "by": "string?", "because": "string?"},
    "held_dropped": {"program": "string", "by": "string?", "because": "string?"},
}

OPERATORS_EVENTS: Final = frozenset(
    {"timers_released", "program_paused", "program_resumed", "held_released", "held_dropped"}
)
"""Built-in events that an operator publishes: nothing that a contact did."""

# Built-in types that can be imported; other than these, the types that the topology declares.
IMPORTABLE: Final = frozenset({
    "profile_updated", "consent_granted", "consent_withdrawn", "preferences_changed", "list_joined",
    "list_left", "address_suppressed", "address_released",
})  # fmt: skip
IDENTITIES: Final = frozenset({"contact_identified", "contacts_merged"})

# What only an import can say: sends, enrollments and scores of before.
PAST_EVENTS: Final[Mapping[str, Mapping[str, str]]] = {
    "past_send": {"channel": "string", "purpose": "string", "series": "string?", "piece": "string?"},
    "past_enrollment": {"program": "string", "key": "string?", "ended_at": "time?"},
    "past_score": {"score": "string", "value": "number"},
}

# Event types the machine raises itself; nobody can publish them.
DERIVED_EVENTS: Final[Mapping[str, Mapping[str, str]]] = {
    "segment_entered": {"segment": "string"},
    "segment_left": {"segment": "string"},
    "score_reached": {"score": "string", "threshold": "number"},
    "grade_changed": {"score": "string", "from": "string?", "to": "string?"},
    "program_ended": {"program": "string", "reason": "string"},
    "enrolled": {"program": "string"},
}

_PYTHON_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "time": (str,),
    "date": (str,),
    "zone": (str,),
    "list": (list,),
    "map": (dict,),
}
_DATE: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])").fullmatch
_PHRASES: Final = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "time": "a time such as 2026-03-01T09:30:00Z",
    "date": "a date such as 2026-03-01",
    "zone": "a time zone such as Europe/London",
    "list": "a list",
    "map": "a map",
}


def validate(topology: Topology, event_type: str, properties: Mapping[str, Any]) -> str | None:
    """Return why an event cannot be taken, or None when it can.

    The reasons are ``unknown_event_type``, ``derived_event_type``, ``missing_property: NAME``,
    ``wrong_type: NAME must be …`` and ``unknown_name: NAME must name …``. Properties that are not declared
    are not looked at.
    """
    check = topology.checks.get(event_type)
    if check is not None:
        return check(properties)
    if event_type in DERIVED_EVENTS:
        return "derived_event_type"
    if topology.checks or event_type not in topology.event_schemas:
        return "unknown_event_type"
    # A topology that was put together by hand, without compiled checks.
    return compile_checks(topology.event_schemas, topology.profile_schema)[event_type](properties)


def compile_checks(
    event_schemas: Mapping[str, Mapping[str, str]],
    profile_schema: Mapping[str, str],
    named: Mapping[str, frozenset[str]] | None = None,
) -> dict[str, Check]:
    """Return a check for each event type that can be published.

    ``named``: the topology's names by ``purpose``, ``channel``, ``list`` and ``program``, so that a consent
    withdrawn for a misspelt purpose is a dead letter and not a consent that goes on.
    """
    checks: dict[str, Check] = {}
    for event_type, schema in event_schemas.items():
        if event_type in DERIVED_EVENTS:
            continue
        if event_type == "profile_updated":
            # It carries any part of the profile, and a null removes an attribute.
            attributes = {name: f"{kind.removesuffix('?')}?" for name, kind in profile_schema.items()}
            checks[event_type] = _compile({**schema, **attributes})
        else:
            checks[event_type] = _compile(schema)
        if event_type == "preferences_changed":
            checks[event_type] = _with_preferences(checks[event_type], profile_schema, named or {})
        names = [(key, named[key]) for key in BUILT_IN_EVENTS.get(event_type, ()) if named and key in named]
        if names:
            checks[event_type] = _with_names(checks[event_type], names)
    if "imported" in checks:
        past = {
            kind: _with_names(
                _compile(schema), [(key, (named or {})[key]) for key in schema if key in (named or {})]
            )
            for kind, schema in PAST_EVENTS.items()
        }
        checks["imported"] = _with_wrapped(checks["imported"], past | _importable(checks))
    return checks


def _importable(checks: Mapping[str, Check]) -> dict[str, Check]:
    barred = set(BUILT_IN_EVENTS) - IMPORTABLE - IDENTITIES
    return {kind: check for kind, check in checks.items() if kind not in barred}


def _with_wrapped(check: Check, kinds: Mapping[str, Check]) -> Check:
    """The check of an imported event, and of the one that it wraps."""

    def check_wrapped(properties: Mapping[str, Any]) -> str | None:
        wrong = check(properties)
        if wrong is not None:
            return wrong
        wrapped = kinds.get(properties["type"])
        if wrapped is None:
            return "unknown_name: type must name an event type that can be imported"
        return wrapped(properties.get("properties") or {})

    return check_wrapped


def _with_names(check: Check, names: list[tuple[str, frozenset[str]]]) -> Check:
    def check_names(properties: Mapping[str, Any]) -> str | None:
        wrong = check(properties)
        if wrong is not None:
            return wrong
        for key, known in names:
            value = properties.get(key)
            if value is not None and value not in known:
                return f"unknown_name: {key} must name a {key} of the topology"
        return None

    return check_names


def _with_preferences(
    check: Check, profile_schema: Mapping[str, str], named: Mapping[str, frozenset[str]]
) -> Check:
    """Check what stands in the maps of preferences: names of the topology, and true or false for each."""
    attributes = _compile({name: f"{kind.removesuffix('?')}?" for name, kind in profile_schema.items()})

    def check_preferences(properties: Mapping[str, Any]) -> str | None:
        wrong = check(properties) or attributes(properties.get("profile") or {})
        if wrong is not None:
            return wrong
        for key in properties.get("consents") or ():
            purpose, _, channel = key.partition("/")
            if ("purpose" in named and purpose not in named["purpose"]) or (
                channel and "channel" in named and channel not in named["channel"]
            ):
                return "unknown_name: consents must name purposes of the topology, or purpose/channel"
        for name in properties.get("lists") or ():
            if "list" in named and name not in named["list"]:
                return "unknown_name: lists must name lists of the topology"
        for part in ("consents", "lists"):
            for value in (properties.get(part) or {}).values():
                if type(value) is not bool:
                    return f"wrong_type: {part} must be a map of true and false"
        return None

    return check_preferences


def _compile(schema: Mapping[str, str]) -> Check:
    plain: list[tuple[str, frozenset[type]]] = []
    texts: list[tuple[str, Callable[[str], Any]]] = []
    for name, declared in schema.items():
        kind = declared.removesuffix("?")
        missing = (type(None),) if declared.endswith("?") else ()
        plain.append((name, frozenset((*_PYTHON_TYPES[kind], *missing))))
        if kind in _READS:
            texts.append((name, _READS[kind]))
    declared_plain, declared_texts = tuple(plain), tuple(texts)

    def check(properties: Mapping[str, Any]) -> str | None:
        get = properties.get
        for name, types in declared_plain:
            value = get(name)
            # type() and not isinstance: a boolean is no number here.
            if type(value) not in types and not _near(schema[name], value):
                return _reason(name, schema[name], value)
        for name, reads in declared_texts:
            text = get(name)
            if text is not None and not reads(text):
                return _reason(name, schema[name], text)
        return None

    return check


def _near(declared: str, value: Any) -> bool:
    """Return whether a value of another type means the same: 3.0 for an integer, as encoders write it."""
    return declared.startswith("integer") and type(value) is float and value.is_integer()


def _reason(name: str, declared: str, value: Any) -> str:
    if value is None:
        return f"missing_property: {name}"
    return f"wrong_type: {name} must be {_PHRASES[declared.removesuffix('?')]}"


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True


def _is_date(text: str) -> bool:
    return _DATE(text) is not None and _is_time(text)


_READS: Final[Mapping[str, Callable[[str], Any]]] = {"time": _is_time, "date": _is_date, "zone": is_zone}
