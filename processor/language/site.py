"""Where a step is built: its form, its id, what follows it, and the means to compile what stands in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import msgspec

from processor.core.expressions import Names
from processor.core.model import Channel, Expression, Fn, Node
from processor.language.expressions import Compiler
from processor.language.records import Form
from processor.language.scores import points

__all__ = ["Builder", "Placer", "Site", "is_personal"]


# What an expression reads of the contact itself, rather than of the event at hand.
_PERSONAL: Final = ("attributes", "scores", "segments", "lists", "events", "series", "relations")


def is_personal(made: Expression) -> bool:
    """Whether an expression is made of what is known of the contact."""
    return any(getattr(made.uses, field) for field in _PERSONAL)


class Placer(Protocol):
    """Places a list of steps: returns the id of its first, or ``join`` for an empty list."""

    def __call__(self, forms: Iterable[Form], join: str | None) -> str | None:
        """Return the id of the first step, or ``join``."""
        ...


class Site(msgspec.Struct):
    """Where a step is built. ``next`` is the id of the step after it, None for the program's end.

    ``personal`` collects the names of values that are made of what is known of the contact.
    """

    form: Form
    id: str
    next: str | None
    names: Names
    compiler: Compiler
    channels: dict[str, Channel]
    purpose: str
    entry_types: tuple[str, ...]
    place: Placer
    expressions: list[Expression] = []
    personal: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        return self.form[key]

    def expression(self, key: str, want: str = "any", form: Form | None = None) -> Expression:
        """Return the compiled expression of a key."""
        return self._keep(self.compiler.expression((form or self.form)[key], self.names, want))

    def condition(self, key: str, form: Form | None = None) -> Fn | None:
        """Return the condition of a key, or None where it is absent."""
        return self.expression(key, "boolean", form).fn if key in (form or self.form) else None

    def number(self, key: str) -> Fn | None:
        """Return the expression of a key that gives a number, or None where it is absent."""
        return self.expression(key, "number").fn if key in self.form else None

    def heard(self, key: str, types: tuple[str, ...], form: Form | None = None) -> Fn | None:
        """Return a condition in which ``event.`` is an event of these types that is being looked at."""
        given = form or self.form
        if key not in given:
            return None
        names = msgspec.structs.replace(self.names, event_types=types, event_is_entry=False)
        return self._keep(self.compiler.expression(given[key], names, "boolean")).fn

    def text(self, key: str) -> Expression:
        """Return the compiled text template of a key."""
        return self._named(key, self.compiler.template(self.form[key], self.names))

    def values(self, key: str) -> tuple[tuple[str, Expression], ...]:
        """Return the named values of a key: expressions, or texts with braces."""
        given = self.form.get(key, Form(self.form.mark)).values
        return tuple(
            (name, self._named(name, self.compiler.value(text, self.names))) for name, text in given.items()
        )

    def points(self, key: str) -> tuple[float, Fn | None]:
        """Return points as a number, or as an expression."""
        before = len(self.compiler.compiled)
        made = points(self.form[key], self.names, self.compiler)
        self.expressions.extend(self.compiler.compiled[before:])
        return made

    def branch(self, forms: Iterable[Form] | None) -> str | None:
        """Return where nested steps begin; they go on after this step. None or no steps: right after it."""
        return self.place(forms or (), self.next)

    def wrong(self, key: str, rule: str, message: str, fix: str, form: Form | None = None) -> None:
        """Report a problem at the value of ``key``."""
        self.compiler.problems.error((form or self.form).at(key), rule, message, fix)

    def _named(self, name: str, made: Expression) -> Expression:
        """Keep what goes into a command under this name."""
        if is_personal(made):
            self.personal.add(name)
        return self._keep(made)

    def _keep(self, made: Expression) -> Expression:
        self.expressions.append(made)
        return made


Builder = Callable[[Site], Node]
