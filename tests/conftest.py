"""What all tests share: the Hypothesis profiles."""

import os

from hypothesis import HealthCheck, settings

from tests.system.shared import NO_BROKER

# `ci` is repeatable, so that a red build is about the change and not about luck. A shared machine is slow at
# times, which says nothing about the code: hence no deadline, and no complaint about slow generation.
settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "thorough", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_terminal_summary(terminalreporter):
    """Say loudly which tests could not be run for want of a broker."""
    skipped = [one for one in terminalreporter.stats.get("skipped", []) if NO_BROKER in str(one.longrepr)]
    if skipped:
        title = f"{len(skipped)} TESTS WERE NOT RUN: {NO_BROKER.upper()}"
        terminalreporter.section(title, sep="!", red=True, bold=True)
        terminalreporter.line(str(skipped[0].longrepr[2]))
        terminalreporter.line(" ".join(sorted({one.nodeid.split("::")[0] for one in skipped})))
