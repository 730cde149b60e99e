"""The names steps have when none is given: made of kind and main argument, so that they are stable."""

from __future__ import annotations

import re
from typing import Any, Final

from processor.core.time import HOUR_MS, format_duration
from processor.language.records import Form

__all__ = ["slug", "step_name"]

_SLUG_CHARS_MAX: Final = 60


def slug(text: str) -> str:
    """Return the text in small letters, digits and dashes, cut to a sensible length."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_SLUG_CHARS_MAX].rstrip("-")


def step_name(form: Form) -> str:
    """Return the name a step is given by its kind and main argument."""
    kind = form.kind
    given = form.get(kind)
    if kind == "send":
        return slug(f"send-{given}-{form.get('template', '')}")
    if kind == "wait":
        return slug(_wait_name(given))
    if kind in ("wait_for", "wait_until"):
        words = given.text if kind == "wait_until" and given is not None else "-".join(given or ())
        return slug(f"{kind}-{words}")
    if kind in ("route", "assign") and not isinstance(given, str):
        forms = given if isinstance(given, list) else [given] if isinstance(given, Form) else []
        return slug("-".join([kind, *dict.fromkeys(form.get("to", "") for form in forms)]))
    if kind == "audience":
        what = "add" if "add" in form else "remove"
        return slug(f"{kind}-{given}-{what}-{form.get(what, '')}")
    if kind in ("decide", "repeat", "finish"):
        return kind
    if kind in ("split", "set", "parallel", "offer"):
        return slug("-".join([kind, *(given or ())]))
    return slug(f"{kind}-{given}")


def _wait_name(given: Any) -> str:
    if isinstance(given, Form):
        if given.kind in ("after_step", "best_hour"):
            return f"wait-{given.kind}-{given.get(given.kind, '')}"
        until = given.get("until")
        if until is not None:
            return f"wait-until-{until.text}"
        hours, minutes = divmod(given.get("at", 0), HOUR_MS // 60_000)
        return f"wait-at-{hours:02d}-{minutes:02d}"
    return f"wait-{format_duration(given or 0)}"
