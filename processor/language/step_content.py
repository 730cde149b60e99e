"""Variants and blocks of a send, from forms to what the machine picks from."""

from __future__ import annotations

from processor.core.content import LOCALE, Pick
from processor.core.model import Channel
from processor.language.problems import instead, quoted
from processor.language.records import Form
from processor.language.site import Site, is_personal
from processor.language.step_names import slug

__all__ = ["build_blocks", "build_variants"]


def build_variants(site: Site, channel: Channel | None) -> tuple[Pick, ...]:
    """Return the variants of a send's template."""
    made: list[Pick] = []
    for form in site.form.get("variants", ()):
        template = form["template"]
        if channel is not None and channel.templates and template not in channel.templates:
            message = f"the channel {quoted(channel.name)} has no template {quoted(template)}"
            site.wrong("template", "unknown-template", message, instead(template, channel.templates), form)
        name = form.get("name") or slug(template)
        if any(name == other.name for other in made):
            message = f"two variants are called {quoted(name)}"
            site.wrong("template", "duplicate-name", message, "write name: and another name", form)
        made.append(_pick(site, form, name, template))
    return tuple(made)


def build_blocks(site: Site) -> tuple[tuple[str, tuple[Pick, ...]], ...]:
    """Return the blocks of a send, by name."""
    given = site.form.get("blocks")
    if given is None:
        return ()
    values = site.form.get("values")
    if isinstance(values, Form) and "blocks" in values:
        message = "what blocks show travels as the value blocks, and there is one of that name"
        site.wrong("blocks", "bad-name", message, "write another name for that value", values)
    before = len(site.expressions)
    made = tuple((name, tuple(_shown(site, one) for one in shown)) for name, shown in given.values.items())
    if any(is_personal(one) for one in site.expressions[before:]) or any(
        pick.locales for _, picks in made for pick in picks
    ):
        site.personal.add("blocks")  # which is shown tells as much
    return made


def _shown(site: Site, given: Form | str) -> Pick:
    return Pick(given) if isinstance(given, str) else _pick(site, given, given["show"], "")


def _pick(site: Site, form: Form, name: str, template: str) -> Pick:
    locales = tuple(locale.lower().replace("_", "-") for locale in form.get("locale", ()))
    profile = site.compiler.known.profile
    if locales and profile.get(LOCALE, "").removesuffix("?") != "string":
        message = f"profile.{LOCALE} says which locale a contact has, and it is not declared"
        site.wrong("locale", "unknown-attribute", message, f"write {LOCALE}: string below profile", form)
    season = form.get("season")
    begin, end = (season["from"], season["to"]) if season is not None else ("", "")
    return Pick(name, template, site.condition("if", form), locales, begin, end)
