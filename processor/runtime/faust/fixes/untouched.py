"""A codec that leaves values alone, so that a chunk passes the conductor as the object it is."""

from __future__ import annotations

from typing import Any, Final

from faust.serializers import codecs

__all__ = ["UNTOUCHED"]

UNTOUCHED: Final = "untouched"


class _Untouched(codecs.Codec):
    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


codecs.register(UNTOUCHED, _Untouched())
