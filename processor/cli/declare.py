"""Adding to a topology's files what a copied program needs, without touching what stands there.

Comments and order stay as they are. Only what is missing is added: a new event type whole, a new property of
an existing one as one that may be missing, a new template to a channel that lists its templates.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from processor.cli.gallery import Renames, renamed_expressions

__all__ = ["declare"]

_SECTIONS = ("events", "profile", "purposes", "channels", "teams", "lists", "relations", "scores", "segments")
_DEFAULT_PURPOSES = {"marketing": {"consent": "required"}}  # what a topology without the section has


def declare(
    source: Path, target: Path, channels: Mapping[str, str], purposes: Mapping[str, str]
) -> list[str]:
    """Add what ``source`` declares and ``target`` does not; both are folders of topologies.

    ``channels`` and ``purposes``: what is called otherwise there, old -> new. Returns what
    was added, in words.
    Policies are not added: they are the target's own.
    """
    wanted = _read(source)
    added: list[str] = []
    for section in _SECTIONS:
        given = wanted.get(section)
        if not given:
            continue
        given = _renamed(section, given, channels, purposes)
        if section == "purposes" and not _has(target, "purposes"):
            if set(given) <= set(_DEFAULT_PURPOSES):
                continue
            given = {**_DEFAULT_PURPOSES, **given}  # with a section of its own the target would lose them
        path, document, place = _open(target, section)
        news = _add(section, place, given)
        if news:
            added += news
            path.write_text(_dump(document), encoding="utf-8")
    return added


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _dump(document: Any) -> str:
    stream = StringIO()
    _yaml().dump(document, stream)
    return stream.getvalue()


def _load(path: Path) -> Any:
    return _yaml().load(path.read_text(encoding="utf-8"))


def _read(folder: Path) -> dict[str, Any]:
    found = dict(_load(folder / "topology.yaml"))
    for section in _SECTIONS:
        path = folder / f"{section}.yaml"
        if path.is_file():
            found[section] = _load(path)
    return found


def _has(folder: Path, section: str) -> bool:
    return section in _read(folder)


def _open(folder: Path, section: str) -> tuple[Path, Any, Any]:
    """Return the file that holds a section, its document, and the section in it (made where missing)."""
    own = folder / f"{section}.yaml"
    if own.is_file():
        document = _load(own)
        return own, document, document
    path = folder / "topology.yaml"
    document = _load(path)
    if document.get(section) is None:
        document[section] = [] if section == "lists" else CommentedMap()
    return path, document, document[section]


def _renamed(section: str, given: Any, channels: Mapping[str, str], purposes: Mapping[str, str]) -> Any:
    if section == "channels":
        return {channels.get(name, name): value for name, value in given.items()}
    if section == "purposes":
        return {purposes.get(name, name): value for name, value in given.items()}
    if section == "teams":
        made = {}
        for name, team in given.items():
            made[name] = CommentedMap(team)
            made[name]["channel"] = channels.get(team["channel"], team["channel"])
        return made
    if section in ("relations", "scores", "segments"):
        return _in_expressions(given, Renames(("", ""), dict(channels), dict(purposes)))
    return given


def _in_expressions(given: Any, renames: Renames) -> Any:
    """The same tree with other names in its texts; a text without such a name stays as it was written."""
    if isinstance(given, Mapping):
        for key, value in given.items():
            given[key] = _in_expressions(value, renames)  # type: ignore[index]  # ruamel's maps are mutable
    elif isinstance(given, list):
        given[:] = [_in_expressions(value, renames) for value in given]
    elif isinstance(given, str):
        new = renamed_expressions(given, renames)
        return given if new == given else new
    return given


def _add(section: str, place: Any, given: Any) -> list[str]:
    what = section.removesuffix("s") if section != "profile" else "attribute"
    if section == "lists":
        news = [name for name in given if name not in place]
        place.extend(news)
        return [f"{what} {name}" for name in news]
    added = []
    for name, value in given.items():
        if name not in place:
            place[name] = value
            added.append(f"{what} {name}")
        elif section == "events":
            for prop, kind in (value or {}).items():
                if place[name] is None:
                    place[name] = CommentedMap()
                if prop not in place[name]:
                    place[name][prop] = kind if str(kind).endswith("?") else f"{kind}?"
                    added.append(f"property {prop} of {name}")
        elif section == "channels" and place[name] and place[name].get("templates"):
            news = [one for one in value.get("templates", ()) if one not in place[name]["templates"]]
            place[name]["templates"].extend(news)
            added += [f"template {one} of {name}" for one in news]
    return added
