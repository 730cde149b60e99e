"""The parts of the documentation that are made from the code, and the command that writes them anew.

    python -m tests.docs.generated

A part stands between `<!-- NAME:start -->` and `<!-- NAME:end -->`; a test compares it with the code.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from processor.codec import events as codec
from processor.codec import outputs, registry, sizes
from processor.codec.wire import WIRE_REASONS
from processor.core import (
    addresses,
    best,
    brake_home,
    enrollments,
    entries,
    handover,
    history,
    identity,
    importing,
    leases,
    limits,
    machine,
    nodes,
    pacing,
    relations,
    shared,
    topics,
    ways_out,
)
from processor.core.expressions.functions import FUNCTIONS, signature
from processor.core.expressions.related import METHODS
from processor.core.lifecycle import DECISIONS
from processor.language import compile as loading
from processor.language import load_topology, source, steps, wiring
from processor.language.graph import lifecycle_mermaid, svg
from processor.runtime import applying, driver
from processor.runtime.faust.metrics import SERIES
from processor.runtime.faust.settings import SETTABLE, documented_settings
from processor.runtime.kafka import topics as kafka_topics
from processor.runtime.kafka.settings import SETTINGS
from processor.runtime.report.export import columns
from processor.runtime.report.model import TABLES, Report
from tests.docs.pages import DOCS, page_files, write
from tests.system import torture
from tests.system.model import bugs, bugs_inside
from tests.system.model.planting import BUGS, said

__all__ = ["IMAGES", "LIMITS", "PARTS", "image", "replaced"]

_parse: Any = importlib.import_module(
    "processor.core.expressions.parse"
)  # the package exports a function of its name

# (module, constant, what it bounds, what happens beyond it)
LIMITS: tuple[tuple[Any, str, str, str], ...] = (
    (
        limits,
        "ENROLLMENTS_MAX",
        "enrollments of a contact at a time",
        "the entry is refused: `too_many_enrollments`",
    ),
    (
        limits,
        "SERIES_TIMES_MAX",
        "occurrences kept of one history",
        "the oldest falls out of windows; totals go on",
    ),
    (limits, "ATTRIBUTES_MAX", "attributes of a profile", "further ones are not kept: `profile_full`"),
    (limits, "CONSENTS_MAX", "answers about consent", "further ones are not kept: `consents_full`"),
    (limits, "LISTS_MAX", "lists a contact is on", "further ones are not joined: `lists_full`"),
    (
        limits,
        "MERGED_MAX",
        "ids that became one contact",
        "the first is forgotten, and is not erased with the contact: `ids_full`",
    ),
    (
        limits,
        "PAST_KEYS_MAX",
        "keys remembered of a program",
        "the one used longest ago is forgotten, and may enter again",
    ),
    (
        limits,
        "WORDING_CHARS_MAX",
        "characters of a consent's `text` and of its `by`",
        "the rest is cut off",
    ),
    (limits, "SENT_MAX", "sends remembered for caps", "the oldest falls out of the caps"),
    (
        limits,
        "RECENT_MAX",
        "event ids remembered for de-duplication",
        "an older event that comes again counts again",
    ),
    (
        entries,
        "ENTRY_BYTES_MAX",
        "bytes kept of the entry event",
        "the largest properties go: `entry_trimmed`",
    ),
    (entries, "KEY_CHARS_MAX", "characters of a key", "the rest is cut off"),
    (
        history,
        "HOURS_SUM_MAX",
        "occurrences in a histogram of hours",
        "all are halved",
    ),
    (best, "COHORTS_MAX", "periods of a split by best performer open at a time", "the topology is refused"),
    (ways_out, "STEPS_MAX", "steps on one way out", "the rest is not done"),
    (relations, "KEPT_MAX", "items of a relation", "the topology is refused"),
    (relations, "KEPT_BYTES_MAX", "bytes of a relation in a row", "the oldest items go"),
    (relations, "ITEM_BYTES_MAX", "bytes of an item", "its largest fields go: `item_trimmed`"),
    (handover, "CONTEXT_MAX", "events, and lines of the ledger, kept for hand-overs", "the oldest go"),
    (handover, "PROPERTIES_MAX", "properties of an event in a hand-over", "the others are not told"),
    (nodes, "PIECES_MAX", "pieces of a series, remembered in the row", "the topology is refused"),
    (steps, "BRANCHES_MAX", "branches of a parallel step", "the topology is refused"),
    (enrollments, "STEPS_PER_TURN_MAX", "steps of an enrollment in one turn", "it ends: `runaway`"),
    (machine, "DERIVED_MAX", "events that follow from one input", "the rest is dropped: `derived_events`"),
    (machine, "LOOKS_MAX", "rounds of looking at conditions in a turn", "the next input looks again"),
    (identity, "HOPS_MAX", "aliases that a message passes", "it ends there: `alias_chain`"),
    (
        importing,
        "FILES_MAX",
        "imported files that a contact remembers",
        "lines of the first would count again",
    ),
    (
        addresses,
        "HOLDERS_MAX",
        "contacts that the home of an address tells",
        "the one that asked first is let go: `holders_full`",
    ),
    (addresses, "COPIES_MAX", "messages remembered of an address", "the oldest may be sent again"),
    (shared, "OPEN_SWEEPS_MAX", "sweeps open in a partition", "further schedules wait for the oldest walk"),
    (shared, "LEASE_WAITERS_MAX", "contacts waiting for a unit in a partition", "further ones are refused"),
    (
        brake_home,
        "COMMAND_IDS_MAX",
        "operators' events of a program that are remembered",
        "an older one that comes again counts again",
    ),
    (
        pacing,
        "PERIODS_KEPT_MAX",
        "periods of a paced channel that have room left",
        "a partition that is further behind takes the earliest of those",
    ),
    (shared, "CLAIMS_MAX", "sends waiting for a budget in a partition", "further ones ask a minute later"),
    (
        leases,
        "PERIODS_MAX",
        "periods of a budget that are kept",
        "a send of an older one is skipped: `budget:NAME`",
    ),
    (topics, "NAME_CHARS_MAX", "characters of a topic's name", "the topology is refused"),
    (topics, "PARTITIONS_MAX", "partitions of a topic", "the topology is refused"),
    (driver, "ROWS_HELD_MAX", "rows in memory before a commit is asked for", "the shell commits"),
    (applying, "ROW_BYTES_MAX", "bytes of a row", "the event that would do it is a dead letter: `failed`"),
    (
        sizes,
        "OUTPUT_BYTES_MAX",
        "bytes of a command, a decision or a message",
        "the input that would give it is a dead letter: `failed`",
    ),
    (codec, "LINE_BYTES_MAX", "bytes of one event", "a dead letter: `too_large`"),
    (codec, "ID_BYTES_MAX", "bytes of an event id, a contact id, a type", "a dead letter"),
    (outputs, "RAW_BYTES_MAX", "bytes of a refused record that are kept", "the rest is cut off"),
    (registry, "KNOWN_MAX", "ids that a registry did not know, remembered", "all are asked for again"),
    (kafka_topics, "MESSAGE_BYTES_MAX", "bytes of a batch that a topic takes", "the broker refuses it"),
    (_parse, "TEXT_CHARS_MAX", "characters of an expression", "the file is refused"),
    (_parse, "NODES_MAX", "parts of an expression", "the file is refused"),
    (_parse, "DEPTH_MAX", "operations inside each other", "the file is refused"),
    (_parse, "LIST_MAX", "elements of a list in an expression", "the file is refused"),
    (loading, "PROGRAMS_MAX", "programs of a topology", "it is refused"),
    (wiring, "STEPS_MAX", "steps of a program", "it is refused"),
    (source, "BYTES_MAX", "bytes of a file", "it is refused"),
)


def lifecycle() -> str:
    """The states of enrollments and tracks."""
    return f"```mermaid\n{lifecycle_mermaid()}```"


def functions_table() -> str:
    """Every function of the expression language."""
    lines = ["| function | gives | what | example |", "| --- | --- | --- | --- |"]
    for function in FUNCTIONS.values():
        cells = (f"`{signature(function)}`", function.result, function.doc, f"`{function.example}`")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def relations_table() -> str:
    """Every function of a relation."""
    lines = ["| function | gives | what | example |", "| --- | --- | --- | --- |"]
    for method in METHODS.values():
        words = [*(["field"] if method.field else []), "where=", "within="]
        words += ["at_most="] if method.at_most else []
        result = method.result or "the field's type"
        cells = (f"`{method.name}({', '.join(words)})`", result, method.doc, f"`{method.example}`")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def limits_table() -> str:
    """Every limit and what happens beyond it."""
    lines = ["| limit | at most | beyond it | constant |", "| --- | ---: | --- | --- |"]
    for module, name, what, beyond in LIMITS:
        place = module.__name__.removeprefix("processor.").replace(".", "/")
        lines.append(f"| {what} | {getattr(module, name):,} | {beyond} | `{place}.py` `{name}` |")
    return "\n".join(lines)


def decisions_table() -> str:
    """Every kind of decision."""
    lines = ["| kind | records that |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| `{kind}` | {what} |" for kind, what in DECISIONS.items())])


def refusals_table() -> str:
    """Every reason for which a record is not an event."""
    lines = ["| reason | means |", "| --- | --- |"]
    return "\n".join(
        [*lines, *(f"| `{reason}` | {what} |" for reason, what in sorted(codec.REASONS.items()))]
    )


def wire_refusals_table() -> str:
    """Every reason for which a record of a topic is refused, beside those of files."""
    lines = ["| reason | means |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| `{reason}` | {what} |" for reason, what in sorted(WIRE_REASONS.items()))])


def settings_table() -> str:
    """Every setting of a connection to Kafka and the registry."""
    lines = ["| variable | option | is |", "| --- | --- | --- |"]
    for setting in SETTINGS:
        option = f"`{setting.option}`" if setting.option else ""
        lines.append(f"| `{setting.variable}` | {option} | {setting.doc} |")
    return "\n".join(lines)


def metrics_table() -> str:
    """Every series of a worker."""
    rows = [f"| `{name}` | {text} |" for name, text in SERIES.items()]
    return "\n".join(["| series | says |", "| --- | --- |", *rows])


def worker_settings_table() -> str:
    """Every setting of a worker that can be set, with its default and its reason."""
    told = documented_settings()
    rows = [f"| `{name}` | {default:,} | {told[name]} |" for name, default in SETTABLE.items()]
    return "\n".join(["| setting | default | what and why |", "| --- | ---: | --- |", *rows])


def report_tables() -> str:
    """The heading of a report, and the columns of each of its tables."""
    parts = [_table_of("The heading", "", Report)]
    parts += [_table_of(f"`{name}`", inspect.getdoc(row) or "", row) for name, row in TABLES.items()]
    return "\n\n".join(parts)


def _table_of(title: str, about: str, row: type) -> str:
    rows: list[tuple[list[str], str, str]] = []
    for column in columns(row):
        if column.doc:
            rows.append(([column.name], column.kind, column.doc))
        else:
            rows[-1][0].append(column.name)
    if row is Report:
        rows.insert(0, (["report"], "integer", "the version of this shape"))
    lines = [f"| {', '.join(f'`{name}`' for name in names)} | {kind} | {doc} |" for names, kind, doc in rows]
    about = f"\n\n{about}" if about else ""
    return "\n".join([f"**{title}**{about}\n", "| column | is | what |", "| --- | --- | --- |", *lines])


def bugs_table() -> str:
    """Every planted bug, and what the verifier says of it."""
    assert bugs.__all__ == bugs_inside.__all__ == []  # they are there for what they plant
    rows = [
        f"| `{name}` | {said(bug)} | {bug.scenario.replace('_', ' ')} | `{bug.symptom}` |"
        for name, bug in sorted(BUGS.items())
    ]
    head = ["| bug | what was broken | what happens then | the verifier says |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows])


def torture_table() -> str:
    """The faults of the latest run of ``make torture`` against its results."""
    found = torture.latest()
    head = ["| fault | rounds | records | commands | " + " | ".join(torture.HEADS.values()) + " | seconds |"]
    head.append("| --- |" + " ---: |" * (len(torture.HEADS) + 4))
    rows = []
    for name, one in found["faults"].items():
        if "failed" in one:
            rows.append(f"| {name} | no verdict |")
            continue
        keys = ("rounds", "records", "commands", *torture.HEADS, "seconds")
        rows.append(f"| {name} | " + " | ".join(f"{one[key]:,.0f}" for key in keys) + " |")
    how = (
        f"{found['taken_at'][:10]}, `TORTURE_SEED={found['seed']}`, {found['minutes']:.0f} minutes, "
        f"{found['events_a_turn']:,} events a turn, {found['cores']} cores."
    )
    return "\n".join([how, "", *head, *rows])


PARTS: dict[tuple[str, str], Callable[[], str]] = {
    ("guide/expressions.md", "functions"): functions_table,
    ("guide/relations.md", "relations"): relations_table,
    ("guide/explain.md", "decisions"): decisions_table,
    ("guide/reports.md", "report"): report_tables,
    ("guide/running.md", "refusals"): refusals_table,
    ("guide/topics.md", "refusals"): wire_refusals_table,
    ("guide/topics.md", "settings"): settings_table,
    ("guide/worker.md", "metrics"): metrics_table,
    ("guide/worker.md", "worker-settings"): worker_settings_table,
    ("testing.md", "bugs"): bugs_table,
    ("testing.md", "torture"): torture_table,
    ("architecture.md", "lifecycle"): lifecycle,
    ("architecture.md", "limits"): limits_table,
}


def replaced(text: str, name: str, part: str) -> str:
    """The page's text with the part in its place. Raises ValueError where the page has no such place."""
    pattern = re.compile(rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    made, found = pattern.subn(lambda match: f"{match[1]}\n{part}\n\n{match[2]}", text)
    if found != 1:
        raise ValueError(f"the page has {found} places for {name}")
    return made


IMAGES: dict[str, tuple[str, str]] = {
    "abandoned-cart.svg": ("guide/language.md", "abandoned-cart"),
    "welcome.svg": ("guide/start.md", "welcome"),
}


def image(page: str, program: str) -> str:
    """The drawing of a program of a page."""
    with TemporaryDirectory() as folder:
        topology = load_topology(write(page_files(DOCS / page), Path(folder))).topology
    return svg(topology.programs[program])


def main(docs: Path = DOCS) -> None:
    """Write every part into its page."""
    for (page, name), make in PARTS.items():
        path = docs / page
        path.write_text(replaced(path.read_text(encoding="utf-8"), name, make()), encoding="utf-8")
    for name, (page, program) in IMAGES.items():
        (docs / "images" / name).write_text(image(page, program), encoding="utf-8")


if __name__ == "__main__":
    main()
