"""Relations, from the form of a topology to what the machine keeps."""

from __future__ import annotations

from typing import Final

import msgspec

from processor.core.model import Fn, RelationSpec
from processor.core.relations import KEPT_MAX
from processor.language.expressions import Compiler
from processor.language.problems import quoted
from processor.language.records import Form

__all__ = ["relations"]

KEPT: Final = 20  # items where the topology does not say
_TAKEN: Final = frozenset(
    ("event", "entry", "answer", "item", "profile", "score", "grade", "now", "true", "false", "none")
)


def relations(form: Form, compiler: Compiler) -> tuple[RelationSpec, ...]:
    """Return what events do to relations; the compiler's ``known`` learns their fields and types."""
    made: list[RelationSpec] = []
    given = form.get("relations", Form(form.mark))
    fields: dict[str, dict[str, str]] = {name: {"at": "time"} for name in given.marks if name not in _TAKEN}
    compiler.known.relations = fields
    for name, one in given.values.items():
        if name in _TAKEN:
            message = f"{quoted(name)} means something else in expressions"
            compiler.problems.error(given.at(name), "bad-name", message, "write another name")
            continue
        if not one.broken:
            made += _kept(name, one, compiler, fields[name])
            made += _dropped(name, one, compiler)
    return tuple(made)


def _kept(name: str, form: Form, compiler: Compiler, schema: dict[str, str]) -> list[RelationSpec]:
    types = tuple(kind for kind in dict.fromkeys(form["on"]) if kind in compiler.known.events)
    each = form.get("each", "")
    # A relation is kept before anything is asked of one, so its own fields can read none.
    names = msgspec.structs.replace(compiler.known.names(), event_types=types, relations={})
    if each:
        names = msgspec.structs.replace(names, item={"*": "any"})
        without = [kind for kind in types if each not in compiler.known.events[kind]]
        wrong = [
            kind for kind in types if compiler.known.events[kind].get(each, "list").rstrip("?") != "list"
        ]
        if without or wrong:
            kind = (without or wrong)[0]
            message = f"{quoted(each)} is no list of the event {kind}"
            compiler.problems.error(
                form.at("each"), "relation-each", message, f"declare {each}: list below {kind}"
            )
    fns: list[tuple[str, Fn]] = []
    for field, text in form["fields"].values.items():
        if field == "at":
            message = '"at" is always there: when the item was written last'
            compiler.problems.error(form["fields"].at(field), "bad-name", message, "write another name")
            continue
        expression = compiler.expression(text, names)
        schema[field] = f"{expression.type}?" if expression.type not in ("duration", "none") else "any"
        fns.append((field, expression.fn))
    key = compiler.expression(form["key"], names) if "key" in form else None
    when = compiler.expression(form["if"], names, "boolean").fn if "if" in form else None
    return [
        RelationSpec(
            name=name,
            event=kind,
            when=when,
            key=key.fn if key is not None else None,
            fields=tuple(fns),
            keep=form.get("keep", KEPT),
            each=each,
            anew=form.get("anew", False),
        )
        for kind in types
    ]


def _dropped(name: str, form: Form, compiler: Compiler) -> list[RelationSpec]:
    given = form.get("drop")
    if given is None or given.broken:
        return []
    types = tuple(kind for kind in dict.fromkeys(given["on"]) if kind in compiler.known.events)
    names = msgspec.structs.replace(compiler.known.names(), event_types=types, relations={})
    if "key" in given and "key" not in form:
        message = f"the items of {quoted(name)} have no key by which one could be dropped"
        compiler.problems.error(given.at("key"), "relation-key", message, "write key: beside on: too")
    key = compiler.expression(given["key"], names).fn if "key" in given else None
    when = compiler.expression(given["if"], names, "boolean").fn if "if" in given else None
    return [
        RelationSpec(name=name, event=kind, when=when, key=key, keep=KEPT_MAX, drops=True) for kind in types
    ]
