"""What all tests share: the Hypothesis profiles."""

import os

from hypothesis import HealthCheck, settings

# `ci` is repeatable, so that a red build is about the change and not about luck. A shared machine is slow at
# times, which says nothing about the code: hence no deadline, and no complaint about slow generation.
settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "thorough", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
