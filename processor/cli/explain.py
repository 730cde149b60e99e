"""``trayecto explain``: why a contact got, or did not get, what it did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processor.cli.errors import NO, CommandError
from processor.cli.options import At, Out, Output, OutputOption

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from processor.core.model import Topology
    from processor.runtime.explain import State
    from processor.runtime.sentences import Moment

EXAMPLES = (
    "trayecto explain c-42 --out out",
    "trayecto explain c-42 --out out --topology shop --at '2026-03-01 10:00'",
    "trayecto explain c-42 --out out --program abandoned-cart --output json",
)
_QUIET = frozenset({"stepped", "scored"})


def explain(
    contact: Annotated[str, typer.Argument(metavar="CONTACT", help="The contact's id.")],
    out: Out = Path("out"),
    topology: Annotated[
        Path | None,
        typer.Option(
            "--topology",
            "-t",
            metavar="DIR",
            help="Adds decay to scores, and why programs were not entered at all.",
            envvar="TRAYECTO_TOPOLOGY",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="DIR",
            help="Adds the contact's time zone (with --topology).",
            envvar="TRAYECTO_STATE",
        ),
    ] = None,
    program: Annotated[str | None, typer.Option("--program", "-p", help="Only this program.")] = None,
    at: At = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say why a contact got, or did not get, what it did.

    Its decisions in order, each as a sentence.

    With --at everything is as it was known then: what had happened, where the contact waited, and each score
    with its causes. Read from the record of decisions in the run's output folder.
    """
    from processor.cli.options import existing_folder, instant, load
    from processor.runtime.explain import decisions_of, state_of

    existing_folder(out, "the output folder")
    made = load(topology).topology if topology is not None else None
    try:
        moments = list(decisions_of(out, contact))
    except FileNotFoundError:
        raise CommandError(f"{out} holds no decisions.jsonl", "give the --out folder of a run") from None
    if program is not None and not any(one.program == program for one in moments):
        _unknown(program, {one.program for one in moments if one.program}, made, contact)
    if not moments:
        message = f'nothing was ever decided about "{contact}"'
        raise CommandError(message, "is that the id as the events have it (contact_id)?", NO)
    zone = _zone(made, topology, state, contact)
    until_ms = instant(at, zone)
    shown_ms = moments[-1].at_ms if until_ms is None else until_ms
    seen = [one for one in moments if one.at_ms <= shown_ms]
    standing = state_of(seen, shown_ms, made)
    if program is not None:
        seen = [one for one in seen if one.program == program]
    if output is Output.JSON:
        _json(contact, seen, standing)
    else:
        _show(contact, seen, standing, made, zone, program)


def _unknown(program: str, met: set[str], topology: Topology | None, contact: str) -> None:
    """Say that a program asked for is in no decision. Raises CommandError when the topology has none such."""
    from processor.cli.output import errors
    from processor.language.problems import instead, listed

    if topology is not None:
        if program not in topology.programs:
            raise CommandError(f'there is no program "{program}"', instead(program, topology.programs))
    elif met:
        note = f'note: no decision about "{contact}" is of a program "{program}"'
        errors().print(
            f"{note}; there are {listed(sorted(met))}", style="yellow", markup=False, soft_wrap=True
        )


def _zone(topology: Topology | None, folder: Path | None, state: Path | None, contact: str) -> ZoneInfo:
    from processor.core.time import zone

    if topology is None or folder is None:
        return zone("UTC")
    if state is not None:
        from processor.cli.contact import stored_row

        row = stored_row(topology, state, contact)
        if row is not None:
            return topology.zone_for(row.attributes.get("tz"))
    return topology.timezone


def _json(contact: str, moments: list[Moment], state: State) -> None:
    from processor.cli.output import json_out
    from processor.core.time import format_time
    from processor.runtime.sentences import sentence

    path = [
        {
            "at": format_time(one.at_ms),
            "sentence": sentence(one, format_time),
            **{
                name: getattr(one, name)
                for name in ("kind", "program", "version", "enrollment", "step", "reason")
            },
            "detail": one.detail,
        }
        for one in moments
    ]
    scores = {
        name: {
            "value": one.value,
            "grade": one.grade or None,
            "causes": [
                {"at": format_time(c.at_ms), "rule": c.rule, "points": c.points, "after": c.after}
                for c in one.causes
            ],
        }
        for name, one in state.scores.items()
    }
    runs = [
        {
            "program": run.program,
            "version": run.version,
            "enrollment": run.enrollment,
            "entered_at": format_time(run.entered_ms),
            "state": run.state,
            "step": run.step or None,
            "waits_until": format_time(run.until_ms) if run.until_ms else None,
            "commands": run.commands,
        }
        for run in state.runs.values()
    ]
    segments = {name: format_time(since) for name, since in state.segments.items()}
    json_out(
        {
            "contact_id": contact,
            "at": format_time(state.at_ms),
            "decisions": path,
            "scores": scores,
            "segments": segments,
            "enrollments": runs,
        }
    )


def _show(
    contact: str,
    moments: list[Moment],
    state: State,
    topology: Topology | None,
    zone: ZoneInfo,
    program: str | None,
) -> None:
    from rich.text import Text

    from processor.cli.failures import path_table
    from processor.cli.output import console
    from processor.runtime.expectations import shown

    out = console()
    told = [one for one in moments if one.kind not in _QUIET or (one.kind == "stepped" and one.reason)]
    title = f"{contact}, as of {shown(state.at_ms, zone, brief=True)} (times of {zone.key})"
    out.print(path_table(title, told, zone))
    _show_state(out, state, zone)
    if topology is not None:
        known = {one.program for one in moments}
        missing = [name for name in topology.programs if name not in known and program in (None, name)]
        if missing:
            out.print(Text("Nothing that starts these programs has come:", style="bold"))
            for name in missing:
                ways = ", ".join(_entry(entry.kind, entry.event) for entry in topology.programs[name].entries)
                out.print(Text(f"  {name} (starts by {ways})"))


def _entry(kind: str, event: str) -> str:
    return event if kind == "event" else f"{kind} {event}".strip() if kind != "hand" else "hand"


def _show_state(out: Console, state: State, zone: ZoneInfo) -> None:
    from processor.cli.output import table
    from processor.runtime.expectations import shown

    for name, one in state.scores.items():
        rows = [
            (shown(cause.at_ms, zone, brief=True), cause.rule, f"{cause.points:+g}", f"{cause.after:g}")
            for cause in one.causes[-12:]
        ]
        grade = f", {one.grade}" if one.grade else ""
        more = f" (the last 12 of {len(one.causes)} causes)" if len(one.causes) > len(rows) else ""
        title = f"Score {name}: {one.value:g}{grade}{more}"
        out.print(table(title, ["time", "rule", "points", "after"], rows, right=(2, 3)))
    runs = [
        (
            run.program,
            shown(run.entered_ms, zone, brief=True),
            run.state,
            run.step,
            shown(run.until_ms, zone, brief=True) if run.until_ms else "",
            run.commands,
        )
        for run in state.runs.values()
    ]
    if runs:
        columns = ["program", "entered", "state", "step", "waits until", "commands"]
        out.print(table("Enrollments", columns, runs, right=(5,)))
    if state.segments:
        since = [(name, shown(at_ms, zone, brief=True)) for name, at_ms in state.segments.items()]
        out.print(table("Segments", ["segment", "since"], since))
