"""How much a row may hold. Each limit says what happens beyond it; nothing is dropped in silence."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ATTRIBUTES_MAX",
    "CONSENTS_MAX",
    "ENROLLMENTS_MAX",
    "LISTS_MAX",
    "MERGED_MAX",
    "PAST_KEYS_MAX",
    "RECENT_MAX",
    "SENT_MAX",
    "SERIES_TIMES_MAX",
    "WORDING_CHARS_MAX",
]

ENROLLMENTS_MAX: Final = 32  # further entries are refused and recorded ("too_many_enrollments")
SERIES_TIMES_MAX: Final = 256  # the oldest occurrence falls out of windows; the total goes on counting
ATTRIBUTES_MAX: Final = 200  # further attributes are not kept, recorded ("profile_full")
CONSENTS_MAX: Final = 64  # further purposes are not kept, recorded ("consents_full")
LISTS_MAX: Final = 64  # further lists are not joined, recorded ("lists_full")
MERGED_MAX: Final = 64  # ids that became this contact; the oldest is forgotten, recorded ("ids_full")
PAST_KEYS_MAX: Final = 64  # the key of a program that was used longest ago is forgotten, and may enter again
SENT_MAX: Final = 128  # the oldest send falls out of the caps
RECENT_MAX: Final = 8  # event ids remembered for de-duplication, 8 bytes each
WORDING_CHARS_MAX: Final = 200  # of a consent's `text` and `by`; the rest is cut off
