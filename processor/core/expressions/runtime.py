"""The table of helpers that compiled expressions may call, by the name the code knows them by.

None of them raises on any value, and None is missing everywhere. A helper whose value changes by time
alone lowers ``turn.until_ms`` to the first instant at which it can be another, so that the machine looks
again then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any, Final

from processor.core.expressions import facts, items, moments, shown, values
from processor.core.policies import has_consent
from processor.core.scoring import grade_now, score_now

__all__ = ["HELPERS"]


def _offered(module: ModuleType) -> dict[str, Callable[..., Any]]:
    found = {name: getattr(module, name) for name in module.__all__}
    return {name: helper for name, helper in found.items() if callable(helper)}


HELPERS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        **_offered(values),
        **_offered(moments),
        **_offered(facts),
        **_offered(items),
        **_offered(shown),
        "score": score_now,
        "grade": grade_now,
        "consent": has_consent,
    }
)
