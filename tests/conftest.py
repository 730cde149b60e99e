"""What all tests share: Hypothesis profiles, and no test of a compiled core older than its sources."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import processor
from tests.system.shared import NO_BROKER

ROOT = Path(__file__).resolve().parents[1]

# `ci` is repeatable, so that a red build is about the change and not about luck. A shared machine is slow at
# times, which says nothing about the code: hence no deadline, and no complaint about slow generation.
settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "thorough", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_sessionstart() -> None:
    """Refuse to test what is not what the sources say."""
    if not processor.is_compiled():
        return
    libraries = list((ROOT / "processor").rglob("*.so"))
    made_at = min((path.stat().st_mtime for path in libraries), default=float("inf"))
    for path in (ROOT / "processor").rglob("*.py"):
        if path.stat().st_mtime > made_at and any(path.parent.glob(f"{path.stem}.*.so")):
            raise pytest.UsageError(
                f"the compiled core is older than {path.name}: run make native, or make plain"
            )


def pytest_terminal_summary(terminalreporter):
    """Say loudly which tests could not be run for want of a broker."""
    skipped = [one for one in terminalreporter.stats.get("skipped", []) if NO_BROKER in str(one.longrepr)]
    if skipped:
        title = f"{len(skipped)} TESTS WERE NOT RUN: {NO_BROKER.upper()}"
        terminalreporter.section(title, sep="!", red=True, bold=True)
        terminalreporter.line(str(skipped[0].longrepr[2]))
        terminalreporter.line(" ".join(sorted({one.nodeid.split("::")[0] for one in skipped})))
