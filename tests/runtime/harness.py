"""A seeded log for the topology in tests/fixtures/everything, and runs over it, here or in a child."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import fastavro

from processor.codec.writers import RUN_MARKER
from processor.core.model import Topology
from processor.core.time import format_time
from processor.language import Loaded, load_scenarios, load_topology
from processor.runtime.embedded import RunOptions, run
from processor.runtime.scenario import given_facts
from processor.runtime.summary import RunReport

ROOT = Path(__file__).resolve().parents[2]
EVERYTHING = ROOT / "tests" / "fixtures" / "everything"
START_MS = 1_772_355_600_000  # 2026-03-01T09:00:00Z, a Sunday
HOUR_MS = 3_600_000
WALL_MS = START_MS + 400 * 24 * HOUR_MS
MIX = [
    ("page_viewed", 50), ("downloaded", 8), ("cart_abandoned", 8), ("order_completed", 8),
    ("email_clicked", 6), ("profile_updated", 6), ("consent_granted", 6), ("contact_identified", 3),
    ("survey_answered", 2), ("list_joined", 1), ("consent_withdrawn", 1), ("contact_added", 1),
]  # fmt: skip


_GALLERY = Path(__file__).parents[2] / "topologies"
GALLERY_FOLDERS = [
    _GALLERY / "demo",
    *sorted(path.parent for path in _GALLERY.glob("blueprints/*/topology.yaml")),
]


@cache
def topology() -> Topology:
    return load_topology(EVERYTHING).topology


def text_of(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _properties(kind: str, rng: random.Random, contact: str) -> dict[str, Any]:
    made: dict[str, dict[str, Any]] = {
        "page_viewed": {"url": rng.choice(["/", "/pricing", "/docs"]), "seconds": rng.randrange(90)},
        "downloaded": {"asset": "guide"},
        "cart_abandoned": {"cart_id": f"k{rng.randrange(900)}", "value": rng.randrange(5, 200)},
        "order_completed": {"cart_id": f"k{rng.randrange(900)}", "value": rng.randrange(5, 200)},
        "email_clicked": {"template": rng.choice(["cart-reminder", "digest"])},
        "profile_updated": {
            "email": f"{contact}@shop.example",
            "birthday": f"1990-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
            "tz": rng.choice(["Europe/London", "America/New_York", "Asia/Tokyo"]),
        },
        "consent_granted": {"purpose": "marketing"},
        "consent_withdrawn": {"purpose": "marketing"},
        "contact_identified": {"anonymous_id": contact.replace("c-", "anon-")},
        "survey_answered": {"stars": rng.randrange(1, 6)},
        "list_joined": {"list": rng.choice(["vip", "newsletter"])},
        "contact_added": {"program": "handoff"},
    }
    return made[kind]


def events(count: int, *, contacts: int = 2_000, days: int = 30, seed: int = 1) -> list[dict[str, Any]]:
    """Events in rough order of time; some come late, and some contacts are anonymous at first."""
    rng = random.Random(seed)
    kinds, weights = zip(*MIX, strict=True)
    made = []
    step = days * 24 * HOUR_MS / count
    for number in range(count):
        contact = f"{'anon' if rng.random() < 0.1 else 'c'}-{rng.randrange(contacts)}"
        kind = rng.choices(kinds, weights)[0]
        if kind == "contact_identified" and contact.startswith("anon"):
            kind = "page_viewed"
        at = START_MS + int(number * step) - (rng.randrange(2 * HOUR_MS) if rng.random() < 0.05 else 0)
        made.append(
            {
                "event_id": f"e-{number}",
                "contact_id": contact,
                "type": kind,
                "occurred_at": text_of(at),
                "properties": _properties(kind, rng, contact),
            }
        )
    return made


def lines(records: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def options(base: Path, *sources: Path | str, **others: Any) -> RunOptions:
    """Options over the fixture topology, with state and outputs under `base`."""
    defaults: dict[str, Any] = {
        "topology": topology(),
        "sources": tuple(str(source) for source in sources),
        "state": base / "state",
        "out": base / "out",
        "partitions": 4,
        "sync": False,
        "signals": False,
        "now": lambda: WALL_MS,
    }
    return RunOptions(**(defaults | others))


def run_here(base: Path, *sources: Path | str, **others: Any) -> RunReport:
    return run(options(base, *sources, **others))


def outputs(base: Path) -> dict[str, bytes]:
    """Every output of an output folder."""
    paths = sorted((base / "out").iterdir())
    return {path.name: path.read_bytes() for path in paths if path.name != RUN_MARKER}


def json_lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def avro_records(data: bytes) -> list[Any]:
    return list(fastavro.reader(io.BytesIO(data)))


CHILD = """
import json, os, random, signal, sys
from pathlib import Path
from tests.runtime.harness import options
from processor.runtime.embedded import run

base, sources, given, die = json.loads(sys.argv[1])
left = random.Random(die[0]).randrange(1, die[1]) if die else -1

def hook(step):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def tell(progress):
    print(progress.records, flush=True)

report = run(options(Path(base), *sources, hook=hook, **given), tell)
print(report.outcome, flush=True)
"""


def child(
    base: Path, *sources: Path | str, die: tuple[int, int] | None = None, stdin: Any = None, **given: Any
) -> subprocess.Popen[str]:
    """Start a run in a process of its own; with `die` (seed, calls) it kills itself at one of its steps."""
    arguments = json.dumps([str(base), [str(source) for source in sources], given, die])
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, arguments],
        cwd=ROOT,
        stdin=stdin if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def scenario_log(loaded: Loaded) -> list[dict[str, Any]]:
    """Every scenario's events as one log, in order of time, each scenario with a contact of its own."""
    found: list[tuple[int, int, dict[str, Any]]] = []
    contacts: set[str] = set()
    for scenario in load_scenarios(loaded):
        contact = scenario.contact_id
        if contact in contacts:
            contact = f"{scenario.program}-{scenario.line}-{contact}"
        contacts.add(contact)
        facts = [(scenario.start_ms, kind, properties) for kind, properties in given_facts(scenario)]
        facts += [(event.at_ms, event.type, event.properties) for event in scenario.events]
        for at_ms, kind, properties in facts:
            event = {
                "event_id": f"e-{len(found)}",
                "contact_id": contact,
                "type": kind,
                "occurred_at": format_time(at_ms),
                "properties": properties,
            }
            found.append((at_ms, len(found), event))
    return [event for _, _, event in sorted(found, key=lambda item: item[:2])]
