"""Shapes that hold other shapes: lists, maps, records with known keys, and choices among records.

A record is read into a :class:`Form`: the values by key, each with its place. A form in which something was
reported is ``broken``; whoever builds from it leaves it alone, and goes on with what is nested in it, so that
all problems of a file come out at once.
"""

# ruff: noqa: D102  the methods of a shape mean what Shape says they mean

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from processor.language.problems import Mark, instead, quoted
from processor.language.shapes import BAD, Definitions, Reader, Shape, describe
from processor.language.source import Mapping, Node, Scalar, Sequence

__all__ = ["Either", "Field", "Form", "Keyed", "Lazy", "ListOf", "MapOf", "OneOrMany", "Record"]


class Form(msgspec.Struct):
    """What a record held. ``kind`` is the record's name, or the key that chose it among several.

    ``marks`` has a place also for each key whose value could not be read; ``extra`` is the key that the
    writer chose, where the record allows one.
    """

    mark: Mark
    kind: str = ""
    values: dict[str, Any] = {}
    marks: dict[str, Mark] = {}
    broken: bool = False
    extra: str = ""

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of ``key``, or ``default`` where the file does not have it."""
        return self.values.get(key, default)

    def at(self, key: str) -> Mark:
        """Return where the value of ``key`` stands, or the form itself where it has none."""
        return self.marks.get(key, self.mark)


class ListOf(Shape, frozen=True, kw_only=True):
    """A list; ``least`` is the number of items it must have. Items that do not fit are left out, reported."""

    item: Shape
    least: int = 0

    def read(self, node: Node, reader: Reader, label: str) -> Any:
        if not isinstance(node, Sequence):
            message = f"{label} must be a list, not {describe(node)}"
            return reader.wrong(
                node, "wrong-type", message, 'write each item on a line that starts with "- "'
            )
        if len(node.items) < self.least:
            return reader.wrong(node, "missing-value", f"{label} is empty", f"write at least {self.least}")
        found = [self.item.read(item, reader, f"{label} {at}") for at, item in enumerate(node.items, 1)]
        good = [value for value in found if value is not BAD]
        return good if good or not found else BAD

    def schema(self, defs: Definitions) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "array", "items": self.item.schema(defs)}
        return made | {"minItems": self.least} if self.least else made


class OneOrMany(Shape, frozen=True, kw_only=True):
    """One value, or a list of them; always read into a list."""

    item: Shape

    def read(self, node: Node, reader: Reader, label: str) -> Any:
        if isinstance(node, Sequence):
            return ListOf(item=self.item, least=1).read(node, reader, label)
        found = self.item.read(node, reader, label)
        return BAD if found is BAD else [found]

    def schema(self, defs: Definitions) -> dict[str, Any]:
        item = self.item.schema(defs)
        return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}


class MapOf(Shape, frozen=True, kw_only=True):
    """A map with keys of the writer's own choice, read into a :class:`Form`."""

    key: Shape
    value: Shape
    least: int = 0
    what: str = "entries"

    def read(self, node: Node, reader: Reader, label: str) -> Any:
        if not isinstance(node, Mapping):
            message = f"{label} must be a map, not {describe(node)}"
            return reader.wrong(node, "wrong-type", message, f'write {self.what} as "name: value" lines')
        if len(node.pairs) < self.least:
            return reader.wrong(node, "missing-value", f"{label} is empty", f"write at least {self.least}")
        form = Form(node.mark, label, {}, {})
        for key, value in node.pairs:
            read_key = self.key.read(key, reader, f"a key of {label}")
            read_value = self.value.read(value, reader, key.text)
            if read_key is not BAD:
                form.marks[read_key] = value.mark
            if read_key is BAD or read_value is BAD:
                form.broken = True
                continue
            form.values[read_key] = read_value
        return form

    def schema(self, defs: Definitions) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "object", "additionalProperties": self.value.schema(defs)}
        names = {k: v for k, v in self.key.schema(defs).items() if k in ("pattern", "enum")}
        if names:
            made["propertyNames"] = names
        return made | {"minProperties": self.least} if self.least else made


class Field(msgspec.Struct, frozen=True):
    """A key of a record: the shape of its value, what it means, and whether it must be there.

    ``sample`` is what a message shows where the shape has no example of its own.
    """

    shape: Shape
    doc: str
    required: bool = False
    sample: str = ""


class Record(Shape, frozen=True, kw_only=True):
    """A map with known keys. ``extra`` allows one more key of the writer's own choice, with its value."""

    name: str
    title: str
    doc: str = ""
    fields: dict[str, Field]
    extra: tuple[Shape, Shape] | None = None

    def read(self, node: Node, reader: Reader, label: str) -> Any:
        if not isinstance(node, Mapping):
            message = f"{label} must be a map, not {describe(node)}"
            keys = ", ".join(key for key, field in self.fields.items() if field.required) or ", ".join(
                self.fields
            )
            return reader.wrong(node, "wrong-type", message, f"write a map with the keys {keys}")
        return self.fill(node, reader)

    def fill(self, node: Mapping, reader: Reader) -> Form:
        """Return the form of a map; whatever does not fit is reported and makes it broken."""
        form = Form(node.mark, self.name, {}, {})
        meant: set[str] = set()
        for key, value in node.pairs:
            field = self.fields.get(key.text)
            if field is not None:
                self._put(form, key.text, field.shape.read(value, reader, key.text), value)
            elif self.extra is not None and not form.extra:
                form.extra = key.text
                if self.extra[0].read(key, reader, "the key") is BAD:
                    form.broken = True
                self._put(form, key.text, self.extra[1].read(value, reader, key.text), value)
            else:
                form.broken = True
                meant.add(self._unknown(key, reader))
        missing = [key for key, field in self.fields.items() if field.required and key not in form.marks]
        if missing:
            form.broken = True
        # One that is there under a misspelt name was reported as that.
        for name in [key for key in missing if f'write "{key}"' not in meant][:1]:
            field = self.fields[name]
            sample = field.sample or (str(field.shape.examples[0]) if field.shape.examples else "…")
            message = f"{self.title} needs {quoted(name)}"
            reader.problems.error(node.mark, "missing-key", message, f"write {name}: {sample}")
        return form

    def _put(self, form: Form, key: str, value: Any, node: Node) -> None:
        form.marks[key] = node.mark
        if value is BAD:
            form.broken = True
        else:
            form.values[key] = value

    def _unknown(self, key: Scalar, reader: Reader) -> str:
        """Report a key that the record does not have; return what to do about it."""
        message = f"{quoted(key.text)} is not a key of {self.title}"
        if re.search(r"[=()\"<>]", key.text):
            fix = "put an expression that contains a comma in single quotes"
        else:
            fix = instead(key.text, self.fields)
        reader.problems.error(key.mark, "unknown-key", message, fix)
        return fix

    def schema(self, defs: Definitions) -> dict[str, Any]:
        if self.name not in defs:
            defs[self.name] = {}  # taken before the fields are looked at: records nest in themselves
            defs[self.name] = self._own_schema(defs)
        return {"$ref": f"#/definitions/{self.name}"}

    def _own_schema(self, defs: Definitions) -> dict[str, Any]:
        made: dict[str, Any] = {"title": self.title, "type": "object"}
        if self.doc:
            made["description"] = self.doc
        if self.examples:
            made["examples"] = list(self.examples)
        made["properties"] = {key: _described(field, defs) for key, field in self.fields.items()}
        required = [key for key, field in self.fields.items() if field.required]
        if required:
            made["required"] = required
        if self.extra is None:
            made["additionalProperties"] = False
        else:
            made["additionalProperties"] = self.extra[1].schema(defs)
            made["maxProperties"] = len(self.fields) + 1
        return made


class Keyed(Shape, frozen=True, kw_only=True):
    """One of several records, chosen by the key that only it has; ``what`` names the choice."""

    name: str
    what: str
    options: dict[str, Record]

    def read(self, node: Node, reader: Reader, label: str) -> Any:
        if not isinstance(node, Mapping):
            message = f"{label} must be a map, not {describe(node)}"
            return reader.wrong(node, "wrong-type", message, self._fix(""))
        kinds = [key for key, _ in node.pairs if key.text in self.options]
        if not kinds:
            first = node.pairs[0][0].text if node.pairs else ""
            keys = ", ".join(quoted(key.text) for key, _ in node.pairs) or "nothing"
            return reader.wrong(
                node, "unknown-kind", f"{self.what} cannot be made of {keys}", self._fix(first)
            )
        # A wait may say both "until" and "at": the record that knows more of them is meant, else the first.
        kind = max(
            (key.text for key in kinds),
            key=lambda one: sum(k.text in self.options[one].fields for k in kinds),
        )
        record = self.options[kind]
        strange = [key for key in kinds if key.text not in record.fields]
        for key in strange:
            message = f"{self.what} is one thing, here it is both {quoted(kind)} and {quoted(key.text)}"
            fix = f"put {quoted(key.text)} in {self.what} of its own"
            reader.problems.error(key.mark, "two-kinds", message, fix)
        form = record.fill(
            Mapping(node.mark, tuple(pair for pair in node.pairs if pair[0] not in strange)), reader
        )
        form.kind = kind
        form.broken = form.broken or bool(strange)
        return form

    def _fix(self, word: str) -> str:
        return instead(word, self.options, f"write one of {', '.join(self.options)}")

    def schema(self, defs: Definitions) -> dict[str, Any]:
        unique = {record.name: record for record in self.options.values()}
        return {"anyOf": [record.schema(defs) for record in unique.values()]}


class Either(Shape, frozen=True, kw_only=True):
    """A shape for a bare text beside one for a map (or list)."""

    text: Shape
    other: Shape

    def read(self, node: Node, reader: Reader, label: str) -> Any:
        shape = self.text if isinstance(node, Scalar) else self.other
        return shape.read(node, reader, label)

    def schema(self, defs: Definitions) -> dict[str, Any]:
        text, other = self.text.schema(defs), self.other.schema(defs)
        return {"anyOf": [text, *other.get("anyOf", [other])]}


class ListOr(Shape, frozen=True, kw_only=True):
    """A shape for a list beside one for a map."""

    items: Shape
    other: Shape

    def read(self, node: Node, reader: Reader, label: str) -> Any:
        shape = self.items if isinstance(node, Sequence) else self.other
        return shape.read(node, reader, label)

    def schema(self, defs: Definitions) -> dict[str, Any]:
        return {"anyOf": [self.items.schema(defs), self.other.schema(defs)]}


class Lazy(Shape, frozen=True, kw_only=True):
    """A shape that is not made yet where it is mentioned: steps hold steps."""

    name: str
    get: Callable[[], Shape]

    def read(self, node: Node, reader: Reader, label: str) -> Any:
        return self.get().read(node, reader, label)

    def schema(self, defs: Definitions) -> dict[str, Any]:
        if self.name not in defs:
            defs[self.name] = {}
            defs[self.name] = self.get().schema(defs)
        return {"$ref": f"#/definitions/{self.name}"}


def _described(field: Field, defs: Definitions) -> dict[str, Any]:
    made = field.shape.schema(defs)
    if field.shape.examples and "examples" not in made and "$ref" not in made:
        made = made | {"examples": list(field.shape.examples)}
    # Draft-07 ignores what stands beside a $ref.
    return (
        {"allOf": [made], "description": field.doc} if "$ref" in made else made | {"description": field.doc}
    )
